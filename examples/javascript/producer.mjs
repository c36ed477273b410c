// Sends a click and a confirmed registration for each referral code that it is given.
//
//     npm ci
//     node producer.mjs 7KQ2-M9XW-4T

import { randomUUID } from "node:crypto";
import { env, argv } from "node:process";
import { Kafka, Partitioners } from "kafkajs";

const prefix = env.REFERRALS_TOPIC_PREFIX ?? "referrals.";

const producer = new Kafka({ brokers: env.REFERRALS_BOOTSTRAP_SERVERS.split(",") }).producer({
  createPartitioner: Partitioners.DefaultPartitioner, // murmur2, as the topics want it; LegacyPartitioner is another hash
  idempotent: true, // a batch that is sent again is stored once; implies acks=all
  maxInFlightRequests: 1, // keeps the order when a batch is sent again
});

/** Returns a code as it is issued: either case is typed, O for 0, I and L for 1, hyphens anywhere. */
const normalised = (code) =>
  code.trim().replaceAll("-", "").toUpperCase().replaceAll("O", "0").replaceAll(/[IL]/g, "1");

/** The key is the code, as it stands in the event. */
const message = (event) => ({ key: event.referral_code, value: JSON.stringify(event) });

const codes = argv.slice(2).map(normalised);
const now = new Date().toISOString(); // of what happened, in UTC with a Z; not of the moment when it is sent

const clicks = codes.map((code) => message({ click_id: randomUUID(), referral_code: code, occurred_at: now }));
const registrations = codes.map((code) =>
  message({
    attribution_id: randomUUID(),
    referral_code: code,
    new_member_id: randomUUID(), // the member's own id: his later events carry the same
    status: "confirmed",
    occurred_at: now,
  }),
);

await producer.connect();
try {
  // Rejects where the brokers did not take it, and Node ends with exit code 1.
  await producer.sendBatch({
    topicMessages: [
      { topic: `${prefix}clicks.v1`, messages: clicks },
      { topic: `${prefix}registrations.v1`, messages: registrations },
    ],
  });
} finally {
  await producer.disconnect();
}
