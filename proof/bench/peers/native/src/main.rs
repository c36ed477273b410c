//! The job as directly as it can be done: librdkafka, rows in hash maps, one transaction of the worker each 100 ms.
//!
//! The same protocol as the Python loop's: one consumer, one transactional producer that the consumer's group fences
//! (KIP-447), a changelog from which rows are loaded on assignment. A row that changes many times in a transaction is
//! written once. Whatever goes wrong with Kafka ends the process; somebody starts it again.

mod rules;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};
use rules::{Partition, Table};
use std::collections::{HashMap, HashSet};
use std::env::var;
use std::error::Error;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const EPOCH: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Notes what was assigned; the loop loads it before it takes the next record.
#[derive(Default)]
struct Assignment(Mutex<Option<Vec<i32>>>);

impl ClientContext for Assignment {}

impl ConsumerContext for Assignment {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance) {
        if let Rebalance::Assign(assigned) = rebalance {
            let codes = var("PEER_SOURCE_PREFIX").unwrap() + rules::CODES;
            let mut events = TopicPartitionList::new();
            for each in assigned.elements().iter().filter(|each| each.topic() != codes) {
                events.add_partition(each.topic(), each.partition());
            }
            consumer.pause(&events).expect("what was just assigned can be paused");
            let numbers: HashSet<i32> = assigned.elements().iter().map(|each| each.partition()).collect();
            *self.0.lock().unwrap() = Some(numbers.into_iter().collect());
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (sources, sinks) = (var("PEER_SOURCE_PREFIX")?, var("PEER_SINK_PREFIX")?);
    let producer: ThreadedProducer<DefaultProducerContext> = client()?
        .set("transactional.id", var("PEER_GROUP")?)
        .set("transaction.timeout.ms", "10000")
        .set("retry.backoff.ms", "1") // else a short transaction waits 100 ms for the end of the one before
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        .set("linger.ms", "1")
        .set("queue.buffering.max.messages", "1000000")
        .set("delivery.report.only.error", "true")
        .create()?;
    producer.init_transactions(TIMEOUT)?;
    let consumer: BaseConsumer<Assignment> = reader()?
        .set("group.id", var("PEER_GROUP")?)
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", "6000")
        .create_with_context(Assignment::default())?;
    let topics = [rules::CODES, rules::CLICKS, rules::REGISTRATIONS].map(|name| sources.clone() + name);
    consumer.subscribe(&topics.each_ref().map(String::as_str))?;

    let mut partitions: HashMap<i32, Partition> = HashMap::new();
    let mut reading_codes: HashSet<i32> = HashSet::new();
    loop {
        let mut positions: HashMap<(usize, i32), i64> = HashMap::new();
        let ends = Instant::now() + EPOCH;
        loop {
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let polled = consumer.poll(left);
            if let Some(assigned) = consumer.context().0.lock().unwrap().take() {
                partitions.clear(); // what was not committed is read again
                positions.clear();
                for number in assigned {
                    partitions.insert(number, load(&sinks, number)?);
                    reading_codes.insert(number);
                }
            }
            match polled {
                None => {}
                Some(Ok(message)) => {
                    let topic = topics.iter().position(|name| name == message.topic()).ok_or("a topic of others")?;
                    let partition = partitions.get_mut(&message.partition()).ok_or("a partition of others")?;
                    let (key, value) = (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
                    partition.fold(&topics[topic][sources.len()..], key, value);
                    positions.insert((topic, message.partition()), message.offset() + 1);
                }
                // Until then its other two are paused, so it is the codes' end.
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    if reading_codes.remove(&number) {
                        let mut events = TopicPartitionList::new();
                        events.add_partition(&topics[1], number);
                        events.add_partition(&topics[2], number);
                        consumer.resume(&events)?;
                    }
                }
                Some(Err(error)) => return Err(error.into()),
            }
        }
        if positions.is_empty() {
            continue;
        }
        producer.begin_transaction()?;
        for (&number, partition) in &mut partitions {
            send(&producer, &sinks, number, partition)?;
        }
        let mut offsets = TopicPartitionList::new();
        for ((topic, number), offset) in positions {
            offsets.add_partition_offset(&topics[topic], number, Offset::Offset(offset))?;
        }
        let group = consumer.group_metadata().ok_or("no member of the group")?;
        producer.send_offsets_to_transaction(&offsets, &group, TIMEOUT)?;
        producer.commit_transaction(TIMEOUT)?;
    }
}

/// Produce what a partition has changed and sends.
fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    sinks: &str,
    number: i32,
    partition: &mut Partition,
) -> Result<(), KafkaError> {
    let (changelog, counts) = (format!("{sinks}changelog"), format!("{sinks}{}", rules::COUNTS));
    for code in std::mem::take(&mut partition.counted) {
        let mentor = &partition.mentors[&code];
        produce(producer, BaseRecord::to(&counts).key(&mentor.key()).payload(&mentor.encode()))?;
    }
    for (table, key) in std::mem::take(&mut partition.changed) {
        let (row, key) = (partition.row(table, &key), format!("{}/{key}", table.name()));
        let record = BaseRecord::to(&changelog).partition(number).key(&key);
        match &row {
            Some(row) => produce(producer, record.payload(row))?,
            None => produce(producer, record)?,
        }
    }
    for (topic, key, value) in std::mem::take(&mut partition.outbox) {
        produce(producer, BaseRecord::to(&format!("{sinks}{topic}")).key(&key).payload(&value))?;
    }
    Ok(())
}

/// Hand a record over; wait while the queue is full.
fn produce<K: rdkafka::message::ToBytes + ?Sized>(
    producer: &ThreadedProducer<DefaultProducerContext>,
    mut record: BaseRecord<'_, K, Vec<u8>>,
) -> Result<(), KafkaError> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => record = refused,
            Err((error, _)) => return Err(error),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Return the rows of a partition, from its changelog.
fn load(sinks: &str, number: i32) -> Result<Partition, Box<dyn Error>> {
    let consumer: BaseConsumer = reader()?.set("group.id", var("PEER_GROUP")? + "-changelog").create()?;
    let mut beginning = TopicPartitionList::new();
    beginning.add_partition_offset(&format!("{sinks}changelog"), number, Offset::Beginning)?;
    consumer.assign(&beginning)?;
    let mut partition = Partition::default();
    loop {
        match consumer.poll(TIMEOUT) {
            None => return Err("the changelog does not answer".into()),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(partition),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(message)) => {
                let key = std::str::from_utf8(message.key().unwrap_or_default())?;
                let (table, key) = key.split_once('/').ok_or("a key without table")?;
                partition.restore(Table::of(table).ok_or("no such table")?, key, message.payload())?;
            }
        }
    }
}

fn client() -> Result<ClientConfig, Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", var("PEER_BOOTSTRAP_SERVERS")?);
    Ok(config)
}

fn reader() -> Result<ClientConfig, Box<dyn Error>> {
    let mut config = client()?;
    config
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest");
    Ok(config)
}
