"""What a load must end in, computed by the contract's rules in the simplest way: the benchmarks' oracle.

A figure of a run whose result is another is void.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from models.topics import CLICKS, CODES
from proof.bench.load import LoadRecord

THRESHOLDS: Final = (1, 5, 10, 25)
FAULTS_SHOWN: Final = 5

_ZERO: Final = {"clicks": 0, "pending": 0, "confirmed": 0}
_COUNTED_AS: Final = {"pending_signup": "pending", "confirmed": "confirmed", "withdrawn": None}


class WrongResult(Exception):  # noqa: N818  read as what it is: a wrong result
    """A run ended in other counts or milestones than it must; the message shows the first differences."""


@dataclass(slots=True)
class _Mentor:
    by_channel: dict[str, dict[str, int]] = field(default_factory=dict)
    confirmed: int = 0
    confirmed_max: int = 0

    def add(self, channel: str, what: str, number: int) -> None:
        self.by_channel.setdefault(channel, dict(_ZERO))[what] += number


class Expected:
    """Takes each published record in its order; knows then what must come out."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        """Records taken, by the topic's name without prefix."""
        self._mentor_of_code: dict[str, str] = {}
        self._mentors: dict[str, _Mentor] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str, str]] = {}

    def take(self, record: LoadRecord) -> None:
        """Count one more record. Codes come before the events that use them, and times are text of one length."""
        self.records[record.topic.name] += 1
        event = orjson.loads(record.value)
        code = event["referral_code"]
        if record.topic is CODES:
            self._mentor_of_code[code] = f"{event['org_id']}:{event['mentor_id']}"
            return
        mentor = self._mentors.setdefault(self._mentor_of_code[code], _Mentor())
        channel = event["device_metadata"]["share_channel"]
        if record.topic is CLICKS:
            mentor.add(channel, "clicks", 1)
            return
        pair, status, at = (code, event["new_member_id"]), event["status"], event["occurred_at"]
        before = self._pairs.get(pair)
        if before is None:
            after = (status, at, channel)
        elif status != "pending_signup" and (before[0] == "pending_signup" or (at, status) > (before[1], before[0])):
            after = (status, at, before[2])
        else:
            return
        self._pairs[pair] = after
        for state, number in ((before, -1), (after, 1)):
            if state is not None and (counted := _COUNTED_AS[state[0]]):
                mentor.add(state[2], counted, number)
                mentor.confirmed += number if counted == "confirmed" else 0
        mentor.confirmed_max = max(mentor.confirmed_max, mentor.confirmed)

    def noting(self, records: Iterable[LoadRecord]) -> Iterator[LoadRecord]:
        """Yield the records, each after it is taken: what is published is what is expected."""
        for record in records:
            self.take(record)
            yield record

    def check(self, counts: Mapping[bytes, bytes], milestones: Iterable[bytes]) -> None:
        """Compare with the last value of each key of the counts topic, and with all values of the milestones topic.

        Raises WrongResult.
        """
        faults = list(self.differences(counts, milestones))
        if faults:
            shown = "; ".join(faults[:FAULTS_SHOWN])
            raise WrongResult(f"{len(faults):,} differences, the figure is void: {shown}")

    def differences(self, counts: Mapping[bytes, bytes], milestones: Iterable[bytes]) -> Iterable[str]:
        """Yield a line for each mentor whose counts differ, and for each milestone that is missing or too much."""
        yield from self._wrong_counts(counts)
        yield from self._wrong_milestones(milestones)

    def _wrong_counts(self, counts: Mapping[bytes, bytes]) -> Iterable[str]:
        if len(counts) != len(self._mentors):
            yield f"counts of {len(counts):,} mentors, expected {len(self._mentors):,}"
        for key, mentor in self._mentors.items():
            value = counts.get(key.encode())
            found = None if value is None else _summary(orjson.loads(value))
            expected = self._expected_counts(mentor)
            if found != expected:
                yield f"mentor {key}: {found}, expected {expected}"

    def _wrong_milestones(self, milestones: Iterable[bytes]) -> Iterable[str]:
        events = map(orjson.loads, milestones)
        found = Counter((f"{e['org_id']}:{e['mentor_id']}", e["milestone_threshold"]) for e in events)
        expected = Counter((key, at) for key, mentor in self._mentors.items() for at in _reached(mentor))
        for what, number in (found - expected).items() | (expected - found).items():
            yield f"milestone {what}: {found[what]} times, expected {expected[what]} (differs by {number})"

    @staticmethod
    def _expected_counts(mentor: _Mentor) -> dict[str, Any]:
        totals = {what: sum(channel[what] for channel in mentor.by_channel.values()) for what in _ZERO}
        return {**totals, "by_channel": mentor.by_channel, "milestones": _reached(mentor)}


def counted(rows: Iterable[bytes]) -> int:
    """Return how many clicks and registrations stand in mentors' counts."""
    counts = map(orjson.loads, rows)
    return sum(each["total_clicks"] + each["pending_attributions"] + each["confirmed_attributions"] for each in counts)


def _reached(mentor: _Mentor) -> list[int]:
    return [at for at in THRESHOLDS if at <= mentor.confirmed_max]


def _summary(counts: dict[str, Any]) -> dict[str, Any]:
    return {
        "clicks": counts["total_clicks"],
        "pending": counts["pending_attributions"],
        "confirmed": counts["confirmed_attributions"],
        "by_channel": counts["by_channel"],
        "milestones": counts["milestones"],
    }
