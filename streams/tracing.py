"""Spans of the stream app: from a registration that crossed a threshold to its milestone, committed.

Only what is committed is shown, once, whatever was thrown away before; the milestone's own id in the trace is settled
by the fold (`models/traces.py`), so that it says the same when another worker makes it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.badges import decode_milestone
from models.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from process.tracing import Tracer
    from streams.engine.batch import OutgoingRecord

NS_OF_MS: Final = 1_000_000


class MilestoneSpans:
    """Shows what was sent because of records that belong to traces."""

    def __init__(self, tracer: Tracer, *, group: str) -> None:
        """Show it by a tracer; `group` is the consumer group's name."""
        self._tracer = tracer
        self._group = group

    def __call__(self, sent: Sequence[OutgoingRecord]) -> None:
        """Take what was committed just now."""
        for record in sent:
            if not isinstance(record, Outgoing) or (step := record.step) is None:
                continue
            milestone = decode_milestone(record.value)
            self._tracer.begin(
                f"process {step.topic}",
                "consumer",
                parent=step.parent,
                attributes={
                    "messaging.system": "kafka",
                    "messaging.operation.name": "process",
                    "messaging.operation.type": "process",
                    "messaging.consumer.group.name": self._group,
                    "messaging.destination.name": step.topic,
                    "messaging.destination.partition.id": str(step.partition),
                    "messaging.kafka.offset": step.offset,
                    "referrals.milestone.threshold": milestone.milestone_threshold,
                },
                started_ns=step.at_ms * NS_OF_MS,
                traceparent=step.traceparent,
            ).end()
