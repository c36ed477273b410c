import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The job as a Flink job in one process: state on the heap, checkpoints in a directory, a Kafka sink with transactions.
 *
 * <p>One source of three topics, keyed by code; one keyed function with its state; one sink. What comes before its code
 * waits in the state. It starts from the newest checkpoint in its directory; where Kafka fails it, it ends.
 */
public final class FlinkPeer {
    private static final String SERVERS = System.getenv("PEER_BOOTSTRAP_SERVERS"), GROUP = System.getenv("PEER_GROUP");
    private static final String SOURCES = System.getenv("PEER_SOURCE_PREFIX"), SINKS = System.getenv("PEER_SINK_PREFIX");
    private static final Path STATE = Path.of(System.getenv("PEER_STATE_DIR"));

    public static void main(String[] arguments) throws Exception {
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(configuration());
        KafkaSource<Attribution.Event> source = KafkaSource.<Attribution.Event>builder()
                .setBootstrapServers(SERVERS)
                .setGroupId(GROUP)
                .setTopics(SOURCES + Attribution.CODES, SOURCES + Attribution.CLICKS, SOURCES + Attribution.REGISTRATIONS)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new Decoder())
                .build();
        KafkaSink<Output> sink = KafkaSink.<Output>builder()
                .setBootstrapServers(SERVERS)
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(GROUP)
                .setProperty("transaction.timeout.ms", "60000")
                .setProperty("compression.type", "lz4")
                .setRecordSerializer((KafkaRecordSerializationSchema<Output>) (output, context, timestamp) ->
                        new ProducerRecord<>(SINKS + output.topic, output.key, output.value))
                .build();
        environment.fromSource(source, WatermarkStrategy.noWatermarks(), "sources").uid("sources")
                .keyBy(event -> event.referralCode)
                .process(new Join()).uid("join")
                .sinkTo(sink).uid("sink");
        environment.execute("referrals");
    }

    private static Configuration configuration() throws IOException {
        Configuration configuration = new Configuration();
        configuration.set(CoreOptions.DEFAULT_PARALLELISM, Runtime.getRuntime().availableProcessors());
        configuration.set(PipelineOptions.OBJECT_REUSE, true);
        configuration.set(PipelineOptions.GENERIC_TYPES, false); // every type has a serializer of Flink's own
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, STATE.toUri().toString());
        configuration.set(CheckpointingOptions.CHECKPOINTING_INTERVAL,
                Duration.ofMillis(Long.parseLong(System.getenv("PEER_CHECKPOINT_MS"))));
        configuration.set(CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        newestCheckpoint().ifPresent(path -> configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, path.toUri().toString()));
        return configuration;
    }

    private static Optional<Path> newestCheckpoint() throws IOException {
        try (Stream<Path> found = Files.find(STATE, 3, (path, attributes) -> path.endsWith("_metadata"))) {
            return found.max(Comparator.comparing(path -> path.toFile().lastModified())).map(Path::getParent);
        }
    }

    /** A record to be sent. */
    public static final class Output {
        public String topic;
        public byte[] key, value;

        public Output() {}

        Output(String topic, String key, byte[] value) {
            this.topic = topic;
            this.key = key.getBytes(StandardCharsets.UTF_8);
            this.value = value;
        }
    }

    /** Decodes records; what is no event goes on as a dead letter, under its key. */
    private static final class Decoder implements KafkaRecordDeserializationSchema<Attribution.Event> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Attribution.Event> out) {
            try {
                out.collect(Attribution.Event.decode(record.topic().substring(SOURCES.length()), record.value()));
            } catch (IOException error) {
                Attribution.Event event = new Attribution.Event();
                event.topic = Attribution.DEAD_LETTERS;
                event.referralCode = record.key() == null ? "" : new String(record.key(), StandardCharsets.UTF_8);
                event.raw = record.value();
                out.collect(event);
            }
        }

        @Override
        public TypeInformation<Attribution.Event> getProducedType() {
            return TypeInformation.of(Attribution.Event.class);
        }
    }

    /** Joins codes, clicks and registrations by code. */
    private static final class Join extends KeyedProcessFunction<String, Attribution.Event, Output> {
        private transient ValueState<Attribution.Mentor> mentors;
        private transient MapState<String, Attribution.Member> members;
        private transient ListState<Attribution.Event> waiting;

        @Override
        public void open(OpenContext context) {
            mentors = getRuntimeContext().getState(new ValueStateDescriptor<>("mentors", Attribution.Mentor.class));
            members = getRuntimeContext().getMapState(
                    new MapStateDescriptor<>("members", String.class, Attribution.Member.class));
            waiting = getRuntimeContext().getListState(new ListStateDescriptor<>("waiting", Attribution.Event.class));
        }

        @Override
        public void processElement(Attribution.Event event, Context context, Collector<Output> out) throws Exception {
            Attribution.Mentor mentor = mentors.value();
            if (event.topic.equals(Attribution.DEAD_LETTERS)) {
                out.collect(new Output(Attribution.DEAD_LETTERS, event.referralCode, event.raw));
            } else if (mentor != null) {
                if (!event.topic.equals(Attribution.CODES)) count(mentor, event, out);
            } else if (event.topic.equals(Attribution.CODES)) {
                mentor = Attribution.Mentor.of(event);
                mentors.update(mentor);
                for (Attribution.Event waited : waiting.get()) count(mentor, waited, out);
                waiting.clear();
            } else if (waitingSize() < Attribution.WAITING_MAX) {
                waiting.add(event);
            } else {
                out.collect(new Output(Attribution.DEAD_LETTERS, event.referralCode, Attribution.encode(event)));
            }
        }

        private void count(Attribution.Mentor mentor, Attribution.Event event, Collector<Output> out) throws Exception {
            List<Attribution.Milestone> reached = List.of();
            if (mentor.isForeign(event)) {
                out.collect(new Output(Attribution.DEAD_LETTERS, event.referralCode, Attribution.encode(event)));
                return;
            }
            if (event.topic.equals(Attribution.CLICKS)) {
                mentor.click(event);
            } else {
                Attribution.Member after = mentor.register(event, members.get(event.newMemberId));
                if (after == null) return;
                members.put(event.newMemberId, after);
                reached = mentor.reached(event);
            }
            mentors.update(mentor);
            out.collect(new Output(Attribution.COUNTS, mentor.key(), Attribution.encode(mentor)));
            for (Attribution.Milestone milestone : reached) {
                out.collect(new Output(Attribution.MILESTONES, mentor.key(), Attribution.encode(milestone)));
            }
        }

        private int waitingSize() throws Exception {
            return waiting.get() instanceof List<?> list ? list.size() : 0;
        }
    }
}
