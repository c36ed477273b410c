import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Events, rows and rules of the job, for both peers in Java: no Kafka, no state, no clock. */
public final class Attribution {
    public static final String CODES = "codes.v1", CLICKS = "clicks.v1", REGISTRATIONS = "registrations.v1";
    public static final String COUNTS = "mentor-counts.v1", MILESTONES = "milestones.v1", DEAD_LETTERS = "dead-letters.v1";
    public static final int WAITING_MAX = 100_000; // for each code

    private static final int[] THRESHOLDS = {1, 5, 10, 25};
    private static final int CHANNELS_MAX = 16, CHANNEL_LENGTH_MAX = 32;
    private static final UUID NAMESPACE = UUID.fromString("6f8a3c52-7d0e-5b1f-9c64-2e1d8b7a4f03");

    public static final ObjectMapper JSON = new ObjectMapper()
            .registerModule(new JavaTimeModule())
            .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .setSerializationInclusion(JsonInclude.Include.NON_NULL)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS);
    private static final ObjectReader EVENT = JSON.readerFor(Event.class);

    /** A record of any source topic; the fields of the other two topics are null. */
    public static class Event {
        @JsonIgnore public String topic;
        @JsonIgnore public byte[] raw; // for who has to carry what is no event
        public String referralCode, orgId, mentorId, clickId, attributionId, newMemberId, status;
        public Instant issuedAt, occurredAt;
        public Device deviceMetadata;

        /** Return the event that a record's value is. Throws IOException where it is none. */
        public static Event decode(String topic, byte[] value) throws IOException {
            Event event = value == null ? null : EVENT.readValue(value);
            if (event == null || !event.isComplete(topic)) throw new IOException("a field is missing or has a wrong value");
            event.topic = topic;
            return event;
        }

        private boolean isComplete(String topic) {
            if (referralCode == null) return false;
            return switch (topic) {
                case CODES -> orgId != null && mentorId != null && issuedAt != null;
                case CLICKS -> clickId != null && occurredAt != null;
                default -> attributionId != null && newMemberId != null && occurredAt != null && status != null
                        && List.of("pending_signup", "confirmed", "withdrawn").contains(status);
            };
        }

        private String channel() {
            String named = deviceMetadata == null || deviceMetadata.shareChannel == null ? "" : deviceMetadata.shareChannel;
            named = named.strip().toLowerCase();
            if (named.length() > CHANNEL_LENGTH_MAX) named = named.substring(0, CHANNEL_LENGTH_MAX);
            return named.isEmpty() ? "unknown" : named;
        }
    }

    public static class Device {
        public String shareChannel;
    }

    public static class Channel {
        public long clicks, pending, confirmed;
    }

    /** The state of a pair of code and member. */
    public static class Member {
        public String status, channel;
        public Instant occurredAt;
    }

    public record Milestone(String milestoneId, String eventType, String orgId, String mentorId, int milestoneThreshold,
            long confirmedCount, String attributionId, Instant reachedAt) {}

    /** A mentor's row, as published. */
    public static class Mentor {
        public String orgId, mentorId, referralCode;
        public long totalClicks, pendingAttributions, confirmedAttributions;
        public double conversionRate;
        public Map<String, Channel> byChannel = new HashMap<>();
        public List<Integer> milestones = new ArrayList<>();
        public Instant lastEventAt;

        public static Mentor of(Event issued) {
            Mentor mentor = new Mentor();
            mentor.orgId = issued.orgId;
            mentor.mentorId = issued.mentorId;
            mentor.referralCode = issued.referralCode;
            return mentor;
        }

        /** The key of counts and milestones. */
        public String key() {
            return orgId + ":" + mentorId;
        }

        /** Tell whether an event is another organisation's (rule 4). */
        public boolean isForeign(Event event) {
            return event.orgId != null && !event.orgId.equals(orgId);
        }

        public void click(Event event) {
            channelOf(event.channel()).clicks++;
            totalClicks++;
            saw(event);
        }

        /** Count a registration; return the pair's new state, null where nothing changes (rule 1). */
        public Member register(Event event, Member before) {
            if (before != null && !supersedes(event, before)) return null;
            Member after = new Member();
            after.status = event.status;
            after.occurredAt = event.occurredAt;
            after.channel = before == null ? event.channel() : before.channel;
            if (before != null) add(after.channel, before.status, -1);
            add(after.channel, after.status, 1);
            saw(event);
            return after;
        }

        /** Return the milestones that the confirmed count has reached for the first time, and note them (rule 2). */
        public List<Milestone> reached(Event event) {
            List<Milestone> reached = new ArrayList<>(0);
            for (int threshold : THRESHOLDS) {
                if (threshold > confirmedAttributions || milestones.contains(threshold)) continue;
                milestones.add(threshold);
                reached.add(new Milestone(uuid5(key() + ":" + threshold), "recruitment_milestone_reached", orgId, mentorId,
                        threshold, confirmedAttributions, event.attributionId, event.occurredAt));
            }
            return reached;
        }

        private void saw(Event event) {
            if (lastEventAt == null || event.occurredAt.isAfter(lastEventAt)) lastEventAt = event.occurredAt;
            conversionRate = totalClicks == 0 ? 0.0 : Math.min((double) confirmedAttributions / totalClicks, 1.0);
        }

        private void add(String channel, String status, int number) {
            Channel place = channelOf(channel);
            if (status.equals("pending_signup")) {
                place.pending += number;
                pendingAttributions += number;
            } else if (status.equals("confirmed")) {
                place.confirmed += number;
                confirmedAttributions += number;
            }
        }

        /** Past 16 channels the rest is `other` (rule 6). */
        private Channel channelOf(String name) {
            Channel channel = byChannel.get(name);
            if (channel != null) return channel;
            return byChannel.computeIfAbsent(byChannel.size() < CHANNELS_MAX ? name : "other", each -> new Channel());
        }
    }

    private static boolean supersedes(Event event, Member before) {
        if (event.status.equals("pending_signup")) return false;
        if (before.status.equals("pending_signup")) return true;
        int later = event.occurredAt.compareTo(before.occurredAt);
        return later > 0 || later == 0 && event.status.compareTo(before.status) > 0;
    }

    public static byte[] encode(Object value) {
        try {
            return JSON.writeValueAsBytes(value);
        } catch (JsonProcessingException error) {
            throw new IllegalStateException(error);
        }
    }

    private static String uuid5(String name) {
        try {
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            sha1.update(ByteBuffer.allocate(16).putLong(NAMESPACE.getMostSignificantBits())
                    .putLong(NAMESPACE.getLeastSignificantBits()).array());
            ByteBuffer hash = ByteBuffer.wrap(sha1.digest(name.getBytes(StandardCharsets.UTF_8)));
            return new UUID(hash.getLong() & ~0xF000L | 0x5000L, hash.getLong() & ~(3L << 62) | 1L << 63).toString();
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
