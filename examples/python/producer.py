"""Sends a click and a confirmed registration for each referral code that it is given.

pip install -r requirements.txt
python producer.py 7KQ2-M9XW-4T
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from confluent_kafka import KafkaError, Message, Producer

PREFIX = os.environ.get("REFERRALS_TOPIC_PREFIX", "referrals.")

producer = Producer(
    {
        "bootstrap.servers": os.environ["REFERRALS_BOOTSTRAP_SERVERS"],
        "partitioner": "murmur2_random",  # Kafka's standard; librdkafka's own default is another hash
        "enable.idempotence": True,  # a batch that is sent again is stored once; implies acks=all
    }
)
failed: list[str] = []


def normalised(code: str) -> str:
    """Return a code as it is issued: either case is typed, O for 0, I and L for 1, hyphens anywhere."""
    return code.strip().replace("-", "").upper().translate(str.maketrans("OIL", "011"))


def send(topic: str, event: dict[str, Any]) -> None:
    """Hand an event over; its key is the code, as it stands in the event."""
    producer.produce(PREFIX + topic, json.dumps(event), event["referral_code"], on_delivery=note)


def note(error: KafkaError | None, message: Message) -> None:
    """Keep what the brokers did not take."""
    if error is not None:
        failed.append(f"{message.topic()}: {error.str()}")


for code in map(normalised, sys.argv[1:]):
    now = datetime.now(UTC).isoformat()  # of what happened, with its offset; not of the moment when it is sent
    send("clicks.v1", {"click_id": str(uuid4()), "referral_code": code, "occurred_at": now})
    send(
        "registrations.v1",
        {
            "attribution_id": str(uuid4()),
            "referral_code": code,
            "new_member_id": str(uuid4()),  # the member's own id: his later events carry the same
            "status": "confirmed",
            "occurred_at": now,
        },
    )
    producer.poll(0)

not_acknowledged = producer.flush(30)
if failed or not_acknowledged:
    sys.exit(f"{not_acknowledged} records are not acknowledged; refused: {failed}")
