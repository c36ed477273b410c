"""Records of the source topics, and what the app's own headers say of them."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Message

from process.headers import headers_of
from proof.verify.outputs import AGAIN, ORIGIN_TOPIC
from proof.verify.records import Record

MOVED_FROM = "referrals.moved-from"
STANDS = "referrals.stands"


def record_of(message: Message, topic: str, partition: int, prefix: str) -> Record:
    """Return a record as the rules look at it; `topic` is without the installation's prefix."""
    headers = headers_of(message)
    marks = _marks(headers, prefix) if headers else ()
    # A consumer without deserialisers gives bytes, though its types allow more.
    key: Any = message.key()
    value: Any = message.value()
    return Record(topic, partition, message.offset() or 0, key, value, *marks)


def _marks(headers: Any, prefix: str) -> tuple[str | None, bool, bool]:  # noqa: ANN401  librdkafka's union of shapes
    """Return what the app's own headers say: the place that a copy was moved from, whether again, whether it stands.

    Without the topic's prefix. A dead letter that somebody sent again has its headers still, and is a record of its
    own: what stands before the last of them is of its former life.
    """
    moved_from, again, stands = None, False, False
    for name, content in headers:
        if name == ORIGIN_TOPIC:
            moved_from, again, stands = None, False, False
        elif name == MOVED_FROM:
            moved_from, again = (content or b"").decode("utf-8", "replace").removeprefix(prefix), False
        elif name == AGAIN:
            again = True
        elif name == STANDS:
            stands = True
    return moved_from, again, stands
