"""Files of JSON lines into the source topics: the loop behind `referrals publish`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Final

from edges.publishing.lines import BadLine, Refused, checked_line, parse_line
from edges.publishing.producer import Headers, SourceProducer
from models.traces import TRACEPARENT
from process.settings import Settings

READ_BYTES: Final = 1 << 20
"""About what one step of the loop reads: 4,000 lines of 250 bytes."""

FLUSH_STEP_S: Final = 0.2
"""How often progress is told while the last acknowledgements are awaited."""

INTERRUPTED_FLUSH_S: Final = 10.0
"""How long a stopped publish waits for what is under way."""


@dataclass(slots=True)
class Published:
    """What came of the lines so far."""

    sent: Counter[str] = field(default_factory=Counter)
    """Lines handed to Kafka, by the topic's name without prefix."""
    read_bytes: int = 0
    malformed: int = 0
    """Lines that are none: not JSON, no topic of ours."""
    refused: int = 0
    """Lines whose value would be a dead letter."""
    rejected: int = 0
    """Lines that Kafka did not acknowledge, and that are named."""
    unanswered: int = 0
    """Lines without an answer when publishing was stopped."""

    @property
    def acknowledged(self) -> int:
        """Return the lines that Kafka has, once the flush is done."""
        return self.sent.total() - self.rejected - self.unanswered

    @property
    def is_complete(self) -> bool:
        """Tell whether every line read is acknowledged."""
        return not (self.malformed or self.refused or self.rejected or self.unanswered)


class Strict(Exception):  # noqa: N818  what ends the loop is not an error of the program
    """A bad line ended publishing because that was asked for."""


class FilePublisher:
    """Publishes files one after the other; `complain(place, why)` is told of each line that fails.

    `progress()` is called about once a megabyte, and while the last acknowledgements are awaited.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        complain: Callable[[str, str], None],
        progress: Callable[[], None] = lambda: None,
        strict: bool = False,
        unchecked: bool = False,
    ) -> None:
        self.published = Published()
        self._complain = complain
        self._progress = progress
        self._strict = strict
        self._unchecked = unchecked
        self._prefix = settings.topic_prefix
        self._producer = SourceProducer(settings, complain)

    def check_topics(self) -> None:
        """Raise TopicMissing unless the source topics stand."""
        self._producer.check_topics()

    def publish(self, file: IO[bytes], name: str) -> None:
        """Hand every line of the file to Kafka; raise Strict at the first bad one if that was asked for."""
        published, prefix, send = self.published, self._prefix, self._producer.send
        number = 0
        unchecked = self._unchecked
        while lines := file.readlines(READ_BYTES):
            now = datetime.now(UTC)
            for text in lines:
                number += 1
                place = f"{name}:{number}"
                try:
                    topic, key, value, traceparent = parse_line(text) if unchecked else checked_line(text, now)
                except BadLine as fault:
                    if not text.strip():
                        continue
                    if isinstance(fault, Refused):
                        published.refused += 1
                    else:
                        published.malformed += 1
                    self._complain(place, str(fault))
                    if self._strict:
                        raise Strict(place) from None
                    continue
                headers: Headers | None = None if traceparent is None else [(TRACEPARENT, traceparent)]
                send(prefix + topic.name, key, value, place=place, headers=headers)
                published.sent[topic.name] += 1
            published.read_bytes += sum(map(len, lines))
            self._tell()

    def finish(self, timeout_s: float | None = None) -> Published:
        """Wait for every acknowledgement, or for `timeout_s` seconds, and return what came of it.

        Without a timeout this ends by itself: librdkafka gives each record up after `message.timeout.ms`, 5 minutes.
        """
        left_s = timeout_s
        while waiting := self._producer.flush(FLUSH_STEP_S):
            self._tell()
            if left_s is not None:
                left_s -= FLUSH_STEP_S
                if left_s <= 0:
                    self.published.unanswered = waiting
                    break
        self._tell()
        return self.published

    def _tell(self) -> None:
        self._producer.serve()
        self.published.rejected = self._producer.failed
        self._progress()
