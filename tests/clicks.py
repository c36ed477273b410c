"""What is in the clicks topic, as a read_committed reader sees it."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

from models.topics import CLICKS
from process.settings import Settings
from proof.verify.reading import CannotRead, Reader, Spans

DEADLINE_S = 30.0


class Clicked(NamedTuple):
    """A record of the topic."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: list[Any]

    @property
    def channel(self) -> str | None:
        """Return the channel that the click names."""
        channel: str | None = json.loads(self.value).get("device_metadata", {}).get("share_channel")
        return channel


def clicks_in_topic(settings: Settings) -> list[Clicked]:
    """Read the topic to its end, waiting for open transactions to end."""
    reader = Reader(settings)
    try:
        spans = _spans(reader)
        found: list[Any] = [message for batch in reader.read(spans) for message in batch]
    finally:
        reader.close()
    return [Clicked(each.topic(), each.partition(), each.key(), each.value(), each.headers() or []) for each in found]


def _spans(reader: Reader) -> Spans:
    """Return where the topic's partitions begin and end; some of a topic that was just made have no leader yet."""
    deadline_s = time.monotonic() + DEADLINE_S
    while True:
        try:
            return reader.spans(reader.partitions([CLICKS.name]))
        except CannotRead:
            if time.monotonic() > deadline_s:
                raise
        time.sleep(0.1)
