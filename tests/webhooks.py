"""Webhooks as a sender signs them, by the library of Standard Webhooks and not by our code; and what came of them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from confluent_kafka import Consumer, KafkaException, TopicPartition
from standardwebhooks import Webhook

from edges.registry.secrets import webhook_text
from models.topics import REGISTRATIONS
from process.headers import headers_of
from process.settings import Settings
from tests.factories import CODE
from tests.registry import owned_registry

CONSUME_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Sender:
    """An organisation's system that posts registrations."""

    org_id: str
    secret: str
    """As `orgs create` prints it: `whsec_...`."""

    @property
    def path(self) -> str:
        """Where it posts to."""
        return f"/v1/orgs/{self.org_id}/registrations"

    def sign(
        self, body: bytes, *, webhook_id: str = "msg_1", late_s: float = 0.0, secret: str | None = None
    ) -> dict[str, str]:
        """Return the headers of a webhook that was sent `late_s` seconds ago."""
        sent = datetime.now(UTC) - timedelta(seconds=late_s)
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": Webhook(secret or self.secret).sign(webhook_id, sent, body.decode()),
        }

    async def post(
        self,
        web: httpx.AsyncClient,
        registration: dict[str, Any],
        *,
        webhook_id: str | None = None,
        late_s: float = 0.0,
    ) -> httpx.Response:
        """Post a registration, sent `late_s` seconds ago."""
        body = json.dumps(registration).encode()
        headers = self.sign(body, webhook_id=webhook_id or str(uuid4()), late_s=late_s)
        return await web.post(self.path, content=body, headers=headers)


async def new_sender(settings: Settings) -> Sender:
    """Make an organisation and return its sender."""
    async with owned_registry(settings) as registry:
        org_id = await registry.new_organisation()
        (secret,) = await registry.secrets.good(org_id, "webhook")
    return Sender(str(org_id), webhook_text(secret))


async def rotate(settings: Settings, sender: Sender, *, old_good_for: timedelta) -> Sender:
    """Give an organisation a new webhook secret."""
    async with owned_registry(settings) as registry:
        made = await registry.secrets.replace(UUID(sender.org_id), "webhook", replaced_good_for=old_good_for)
    return Sender(sender.org_id, webhook_text(made.secret))


def posted(**changed: object) -> dict[str, Any]:
    """Return a registration as it is posted; what is changed to `...` is left out."""
    registration = {
        "referral_code": CODE,
        "new_member_id": "0d000000-0000-4000-8000-000000000001",
        "status": "confirmed",
    } | changed
    return {name: value for name, value in registration.items() if value is not ...}


def registrations_in(settings: Settings) -> list[dict[str, Any]]:
    """Return what the registrations topic holds now, with the record's key as `key`, and its headers by name."""
    topic = REGISTRATIONS.full_name(settings.topic_prefix)
    consumer = Consumer({**settings.kafka_client_config(), "group.id": "reader", "enable.auto.commit": False})
    try:
        places = [TopicPartition(topic, partition, 0) for partition in range(settings.partitions)]
        left = sum(end_of(consumer, place) for place in places)
        consumer.assign(places)
        found: list[dict[str, Any]] = []
        while len(found) < left:
            message = consumer.poll(CONSUME_TIMEOUT_S)
            assert message is not None
            value, key = message.value(), message.key()
            assert isinstance(value, bytes)
            assert isinstance(key, bytes)
            traced = {name: text.decode() for name, text in headers_of(message) if text is not None}
            found.append({**json.loads(value), "key": key.decode(), "partition": message.partition(), **traced})
        return found
    finally:
        consumer.close()


def end_of(consumer: Consumer, place: TopicPartition) -> int:
    """Return a partition's end; a broker that has just started may not lead it yet."""
    deadline_s = time.monotonic() + CONSUME_TIMEOUT_S
    while True:
        try:
            return consumer.get_watermark_offsets(place, timeout=CONSUME_TIMEOUT_S)[1]
        except KafkaException:
            if time.monotonic() > deadline_s:
                raise
