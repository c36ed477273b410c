"""Spans of the badge consumer: a milestone decided, its award with it, as the child of what brought the milestone.

Of a milestone that was read and is decided, committed. One that waited for its mentor or a badge is decided without its
record, whose trace is not kept.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from models.traces import is_sampled, traceparent_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.events import MilestoneReached
    from process.tracing import Tracer
    from sinks.records import Record


class AwardSpans:
    """Shows decisions about milestones that belong to traces."""

    def __init__(self, tracer: Tracer, *, group: str) -> None:
        """Show them by a tracer; `group` is the consumer group's name."""
        self._tracer = tracer
        self._group = group
        self._began_ns = 0

    def begin(self) -> None:
        """Note that a batch begins to be decided."""
        self._began_ns = time.time_ns()

    def decided(
        self, milestone: MilestoneReached, record: Record, reasons: Mapping[str, int], badges: Sequence[str | None]
    ) -> None:
        """Show what was decided, by reason, and the ids of the badges that were awarded; it is committed."""
        traceparent = traceparent_of(record.headers)
        if traceparent is None or not is_sampled(traceparent):
            return
        self._tracer.begin(
            f"process {record.topic}",
            "consumer",
            parent=traceparent,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.consumer.group.name": self._group,
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "referrals.milestone.threshold": milestone.milestone_threshold,
                "referrals.badges.decisions": [f"{reason}={number}" for reason, number in sorted(reasons.items())],
                "referrals.badges.awarded": [badge for badge in badges if badge],
            },
            started_ns=self._began_ns,
        ).end()

    def flush(self) -> None:
        """Send what is left."""
        self._tracer.flush()
