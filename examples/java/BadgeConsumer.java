import static org.apache.kafka.clients.consumer.ConsumerConfig.AUTO_OFFSET_RESET_CONFIG;
import static org.apache.kafka.clients.consumer.ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG;
import static org.apache.kafka.clients.consumer.ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG;
import static org.apache.kafka.clients.consumer.ConsumerConfig.GROUP_ID_CONFIG;
import static org.apache.kafka.clients.consumer.ConsumerConfig.ISOLATION_LEVEL_CONFIG;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Makes an award of each milestone, once: here a file in a folder, named by the milestone's id.
 *
 * <pre>mvn -q compile exec:java -Dexec.mainClass=BadgeConsumer -Dexec.args=awards</pre>
 */
public final class BadgeConsumer {
    private static final String TOPIC =
            System.getenv().getOrDefault("REFERRALS_TOPIC_PREFIX", "referrals.") + "milestones.v1";
    private static final String REACHED = "recruitment_milestone_reached";

    private static final Map<String, Object> CONFIG = Map.of(
            BOOTSTRAP_SERVERS_CONFIG, System.getenv("REFERRALS_BOOTSTRAP_SERVERS"),
            GROUP_ID_CONFIG, System.getenv().getOrDefault("GROUP", "our-badges"), // each group is given every milestone
            ISOLATION_LEVEL_CONFIG, "read_committed", // Java's default shows what was never committed
            AUTO_OFFSET_RESET_CONFIG, "earliest", // a new group begins with the first milestone that there was
            ENABLE_AUTO_COMMIT_CONFIG, false); // the place is noted after the award, never before it

    public static void main(String[] arguments) throws Exception {
        Path awards = Files.createDirectories(Path.of(arguments[0]));
        var main = Thread.currentThread();
        try (var consumer = new KafkaConsumer<>(CONFIG, new StringDeserializer(), new StringDeserializer())) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                consumer.wakeup(); // ends poll(), and with it the loop
                try {
                    main.join();
                } catch (InterruptedException impatient) {
                    Thread.currentThread().interrupt();
                }
            }));
            consumer.subscribe(List.of(TOPIC));
            while (true) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    // Of other kinds, should any come, a reader takes no notice.
                    if (REACHED.equals(header(record, "ce_type")) && award(awards, record)) {
                        System.out.println(header(record, "ce_id") + " " + record.key());
                    }
                }
                consumer.commitSync(); // it dies before this: the milestones come again, and are known
            }
        } catch (WakeupException asked) {
            // SIGTERM or Ctrl-C
        }
    }

    /** Makes the award unless it is made: a file is there whole or not at all, and of one name there is one. */
    private static boolean award(Path awards, ConsumerRecord<String, String> record) throws IOException {
        Path draft = Files.writeString(Files.createTempFile(awards, "draft", ""), record.value());
        try {
            Files.createLink(awards.resolve(header(record, "ce_id") + ".json"), draft);
            return true;
        } catch (FileAlreadyExistsException before) {
            return false;
        } finally {
            Files.delete(draft);
        }
    }

    /** Returns what a header says: milestones have those of CloudEvents, `ce_id` is the milestone's id. */
    private static String header(ConsumerRecord<String, String> record, String name) {
        var header = record.headers().lastHeader(name);
        return header == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
    }
}
