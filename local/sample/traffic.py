"""Sends sample records to the source topics, at a pace or as fast as the brokers take them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from edges.publishing.producer import OnFailure, SourceProducer
from local.sample.programme import SampleRecord
from process.settings import Settings

SLICE_S: Final = 0.02
"""Paced records are sent in slices of this length: steady to the eye, and 50 wake-ups a second."""
UNPACED_SLICE_RECORDS: Final = 2_000
FLUSH_TIMEOUT_S: Final = 60.0


class RecordsUnacknowledged(Exception):  # noqa: N818  read as what is wrong
    """Kafka does not have all of the sample records; the message says how many, and the first reason."""


def send(
    records: Iterable[SampleRecord],
    settings: Settings,
    *,
    events_per_s: float | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
    on_sent: Callable[[int], None] = lambda _: None,
) -> Counter[str]:
    """Send the records and wait until Kafka has them; return how many went to each topic, by its name without prefix.

    Args:
        records: may be endless; then `is_stopped` must come to be true.
        settings: where Kafka is, and the topics' prefix.
        events_per_s: the pace; None is as fast as possible. What fell behind is made up for.
        is_stopped: asked between slices; what was sent until then is awaited.
        on_sent: told after each slice how many records were sent since the start.

    Raises RecordsUnacknowledged unless Kafka has each of the records that were sent.

    """
    reasons: list[str] = []
    producer = SourceProducer(settings, _keep_first(reasons))
    producer.check_topics()
    sent: Counter[str] = Counter()
    started_s = time.monotonic()
    remaining = iter(records)
    is_exhausted = False
    while not (is_exhausted or is_stopped()):
        if events_per_s is None:
            goal = sent.total() + UNPACED_SLICE_RECORDS
        else:
            goal = int((time.monotonic() - started_s) * events_per_s)
        is_exhausted = not _send_until(goal, remaining, producer, settings.topic_prefix, sent)
        producer.serve()
        on_sent(sent.total())
        if events_per_s is not None and not is_exhausted:
            time.sleep(SLICE_S)
    unanswered = producer.flush(FLUSH_TIMEOUT_S)
    if unanswered or producer.failed:
        msg = (
            f"{producer.failed:,} of {sent.total():,} sample records were refused and {unanswered:,} not answered "
            f"within {FLUSH_TIMEOUT_S:.0f} s; first reason: {reasons[0] if reasons else 'none given'}"
        )
        raise RecordsUnacknowledged(msg)
    return sent


def _send_until(
    goal: int, records: Iterable[SampleRecord], producer: SourceProducer, prefix: str, sent: Counter[str]
) -> bool:
    """Send until `goal` records are sent in all; return False when there are no more."""
    if sent.total() >= goal:
        return True
    for topic, key, value, partition in records:
        place = f"{topic.name} record {sent[topic.name]}"
        producer.send(prefix + topic.name, key, value, place=place, partition=-1 if partition is None else partition)
        sent[topic.name] += 1
        if sent.total() >= goal:
            return True
    return False


def _keep_first(reasons: list[str]) -> OnFailure:
    def keep(place: str, why: str) -> None:
        if not reasons:
            reasons.append(f"{place}: {why}")

    return keep
