import static org.apache.kafka.clients.producer.ProducerConfig.ACKS_CONFIG;
import static org.apache.kafka.clients.producer.ProducerConfig.BOOTSTRAP_SERVERS_CONFIG;
import static org.apache.kafka.clients.producer.ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Sends a click and a confirmed registration for each referral code that it is given.
 *
 * <pre>mvn -q compile exec:java -Dexec.args=7KQ2-M9XW-4T</pre>
 */
public final class Producer {
    private static final String PREFIX = System.getenv().getOrDefault("REFERRALS_TOPIC_PREFIX", "referrals.");

    // Java's client hashes keys with murmur2, as the topics want it: no partitioner is set.
    private static final Map<String, Object> CONFIG = Map.of(
            BOOTSTRAP_SERVERS_CONFIG, System.getenv("REFERRALS_BOOTSTRAP_SERVERS"),
            ACKS_CONFIG, "all",
            ENABLE_IDEMPOTENCE_CONFIG, true); // a batch that is sent again is stored once

    public static void main(String[] codes) throws Exception {
        try (var producer = new KafkaProducer<>(CONFIG, new StringSerializer(), new StringSerializer())) {
            List<Future<?>> sent = new ArrayList<>();
            for (String given : codes) {
                String code = normalised(given);
                Instant now = Instant.now(); // of what happened; toString() is UTC with a Z
                sent.add(producer.send(record("clicks.v1", code, """
                        {"click_id": "%s", "referral_code": "%s", "occurred_at": "%s"}"""
                        .formatted(UUID.randomUUID(), code, now))));
                // The member's own id: his later events carry the same.
                UUID member = UUID.randomUUID();
                sent.add(producer.send(record("registrations.v1", code, """
                        {"attribution_id": "%s", "referral_code": "%s", "new_member_id": "%s",
                         "status": "confirmed", "occurred_at": "%s"}"""
                        .formatted(UUID.randomUUID(), code, member, now))));
            }
            for (Future<?> each : sent) {
                each.get(); // throws what the brokers said where they did not take it
            }
        }
    }

    /** The key is the code, as it stands in the event. */
    private static ProducerRecord<String, String> record(String topic, String code, String event) {
        return new ProducerRecord<>(PREFIX + topic, code, event);
    }

    /** Returns a code as it is issued: either case is typed, O for 0, I and L for 1, hyphens anywhere. */
    private static String normalised(String code) {
        return code.strip().replace("-", "").toUpperCase(Locale.ROOT)
                .replace('O', '0').replace('I', '1').replace('L', '1');
    }
}
