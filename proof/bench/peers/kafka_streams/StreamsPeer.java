import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The job as a Kafka Streams application: exactly_once_v2, stores in memory with caches and changelogs.
 *
 * <p>One source of three co-partitioned topics, one processor with its stores, and a cached table in front of the counts
 * topic, so that a mentor's counts are published once for each commit. Codes come first, because Streams takes the records
 * of a task in the order of their timestamps.
 */
public final class StreamsPeer {
    private static final String SOURCES = System.getenv("PEER_SOURCE_PREFIX"), SINKS = System.getenv("PEER_SINK_PREFIX");

    public static void main(String[] arguments) {
        KafkaStreams streams = new KafkaStreams(topology().build(), new StreamsConfig(properties()));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(1);
        });
        streams.start();
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("PEER_GROUP"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("PEER_BOOTSTRAP_SERVERS"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("PEER_STATE_DIR"));
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Runtime.getRuntime().availableProcessors());
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 6_000);
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG), 10_000);
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        return properties;
    }

    private static StreamsBuilder topology() {
        StreamsBuilder builder = new StreamsBuilder();
        for (String store : List.of("mentors", "members", "waiting")) {
            builder.addStateStore(Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(store), Serdes.String(),
                    Serdes.ByteArray()).withCachingEnabled());
        }
        List<String> sources = List.of(SOURCES + Attribution.CODES, SOURCES + Attribution.CLICKS, SOURCES + Attribution.REGISTRATIONS);
        KStream<String, Output> outputs = builder
                .stream(sources, Consumed.with(Serdes.String(), Serdes.ByteArray()))
                .processValues(Join::new, "mentors", "members", "waiting");
        outputs.filter((code, output) -> output.topic.equals(Attribution.COUNTS))
                .toTable(Materialized.<String, Output>as(Stores.inMemoryKeyValueStore("published"))
                        .withKeySerde(Serdes.String()).withValueSerde(Output.COUNTS).withLoggingDisabled())
                .toStream()
                .map((code, output) -> KeyValue.pair(output.key, output.value))
                .to(SINKS + Attribution.COUNTS, Produced.with(Serdes.String(), Serdes.ByteArray()));
        for (String topic : List.of(Attribution.MILESTONES, Attribution.DEAD_LETTERS)) {
            outputs.filter((code, output) -> output.topic.equals(topic))
                    .map((code, output) -> KeyValue.pair(output.key, output.value))
                    .to(SINKS + topic, Produced.with(Serdes.String(), Serdes.ByteArray()));
        }
        return builder;
    }

    /** A record to be sent. */
    private record Output(String topic, String key, byte[] value) {
        /** Counts wait for the commit in a store of bytes: the key's length, key, value. */
        static final Serde<Output> COUNTS = Serdes.serdeFrom(
                (topic, output) -> {
                    if (output == null) return null;
                    byte[] key = output.key.getBytes(StandardCharsets.UTF_8);
                    return ByteBuffer.allocate(4 + key.length + output.value.length).putInt(key.length).put(key)
                            .put(output.value).array();
                },
                (topic, bytes) -> {
                    if (bytes == null) return null;
                    ByteBuffer buffer = ByteBuffer.wrap(bytes);
                    byte[] key = new byte[buffer.getInt()];
                    buffer.get(key);
                    byte[] value = new byte[buffer.remaining()];
                    buffer.get(value);
                    return new Output(Attribution.COUNTS, new String(key, StandardCharsets.UTF_8), value);
                });
    }

    /** A record of a code that is not issued yet. */
    private record Waited(String topic, byte[] value) {}

    /** Joins codes, clicks and registrations by code. A mentor's row is kept as the bytes that are published. */
    private static final class Join implements FixedKeyProcessor<String, byte[], Output> {
        private FixedKeyProcessorContext<String, Output> context;
        private KeyValueStore<String, byte[]> mentors, members, waiting;

        @Override
        public void init(FixedKeyProcessorContext<String, Output> context) {
            this.context = context;
            mentors = context.getStateStore("mentors");
            members = context.getStateStore("members");
            waiting = context.getStateStore("waiting");
        }

        @Override
        public void process(FixedKeyRecord<String, byte[]> record) {
            String topic = context.recordMetadata().orElseThrow().topic().substring(SOURCES.length());
            try {
                take(record, topic, record.value());
            } catch (IOException error) {
                send(record, Attribution.DEAD_LETTERS, record.key(), record.value());
            }
        }

        private void take(FixedKeyRecord<String, byte[]> record, String topic, byte[] value) throws IOException {
            Attribution.Event event = Attribution.Event.decode(topic, value);
            String code = event.referralCode;
            byte[] row = mentors.get(code);
            if (topic.equals(Attribution.CODES)) {
                if (row != null) return;
                mentors.put(code, Attribution.encode(Attribution.Mentor.of(event)));
                for (Waited waited : waited(code)) take(record, waited.topic, waited.value);
                waiting.delete(code);
                return;
            }
            if (row == null) {
                List<Waited> waited = waited(code);
                if (waited.size() >= Attribution.WAITING_MAX) throw new IOException("too much waits for this code");
                waited.add(new Waited(topic, value));
                waiting.put(code, Attribution.encode(waited));
                return;
            }
            Attribution.Mentor mentor = Attribution.JSON.readValue(row, Attribution.Mentor.class);
            if (mentor.isForeign(event)) {
                send(record, Attribution.DEAD_LETTERS, record.key(), value);
            } else if (topic.equals(Attribution.CLICKS)) {
                mentor.click(event);
                save(record, mentor);
            } else {
                register(record, mentor, event);
            }
        }

        private void register(FixedKeyRecord<String, byte[]> record, Attribution.Mentor mentor, Attribution.Event event)
                throws IOException {
            String pair = event.referralCode + ":" + event.newMemberId;
            byte[] known = members.get(pair);
            Attribution.Member before = known == null ? null : Attribution.JSON.readValue(known, Attribution.Member.class);
            Attribution.Member after = mentor.register(event, before);
            if (after == null) return;
            members.put(pair, Attribution.encode(after));
            List<Attribution.Milestone> reached = mentor.reached(event);
            save(record, mentor);
            for (Attribution.Milestone milestone : reached) {
                send(record, Attribution.MILESTONES, mentor.key(), Attribution.encode(milestone));
            }
        }

        private void save(FixedKeyRecord<String, byte[]> record, Attribution.Mentor mentor) {
            byte[] row = Attribution.encode(mentor);
            mentors.put(mentor.referralCode, row);
            send(record, Attribution.COUNTS, mentor.key(), row);
        }

        private List<Waited> waited(String code) throws IOException {
            byte[] row = waiting.get(code);
            return row == null ? new ArrayList<>() : new ArrayList<>(List.of(Attribution.JSON.readValue(row, Waited[].class)));
        }

        private void send(FixedKeyRecord<String, byte[]> record, String topic, String key, byte[] value) {
            context.forward(record.withValue(new Output(topic, key, value)));
        }
    }
}
