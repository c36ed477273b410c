"""What a check has found right, kept for the next one: from there on it can prove what retention has removed since.

A file of one installation. Of each partition it has the offset up to which clicks were counted, and how many each code
had by channel. The next check adds what came after it and need not believe what is published. It holds of a partition
as long as the clicks topic is the same one, has lost nothing after that offset, and the stream app's rows were not
begun anew since; else only bounds can be checked there (removed.py).

Registrations are not in it: a state would have to be kept of each member, and the topic is kept for ten years.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from proof.verify.reading import Span
from proof.verify.records import NOTHING_BEFORE, Before, Tally


class CheckedCode(msgspec.Struct, array_like=True):
    """One code's clicks."""

    clicks: dict[str, int]
    """By channel."""
    last_event_at: datetime | None = None


class CheckedPartition(msgspec.Struct):
    """One partition's clicks."""

    end: int
    """Offset of the first click that is not among them."""
    since: int
    """Offset from which on the stream app's rows had counted."""
    codes: dict[str, CheckedCode]
    unproven: int
    """How many of the clicks were gone already, and taken as they were published."""
    waiting: list[str]
    """Codes of which activity waited: what of it counted later is not known."""


class Checkpoint(msgspec.Struct):
    """One installation's clicks, as they were found right."""

    topic_id: str
    """The broker's identity of the clicks topic."""
    partitions: dict[str, CheckedPartition]

    def before(self, partition: int, topic_id: str, span: Span, since: int) -> Before:
        """Return what is known of a partition whose clicks have this span now; nothing where it does not hold."""
        kept = self.partitions.get(str(partition))
        if kept is None or self.topic_id != topic_id or kept.since != since or not span.first <= kept.end <= span.end:
            return NOTHING_BEFORE
        return Before(
            kept.end,
            {code: checked.clicks for code, checked in kept.codes.items()},
            {code: checked.last_event_at for code, checked in kept.codes.items() if checked.last_event_at is not None},
            frozenset(kept.waiting),
            kept.unproven,
        )


def together(befores: Mapping[int, Before]) -> Before:
    """Return what is known of a class of partitions, by what is known of each."""
    if len(befores) == 1:
        return next(iter(befores.values()))
    offsets = {number: before.offset for number, before in befores.items()}
    return Before(
        max(offsets.values()),
        {code: clicks for before in befores.values() for code, clicks in before.clicks.items()},
        {code: at for before in befores.values() for code, at in before.last_event_at.items()},
        frozenset().union(*(before.waiting for before in befores.values())),
        sum(before.unproven for before in befores.values()),
        offsets,
    )


def checked(
    tallies: Iterable[Tally], span: Span, since: int, waiting: Iterable[str], unproven: int
) -> CheckedPartition:
    """Return what a check has found right in a partition."""
    codes = {
        tally.code: CheckedCode(
            {name: channel.clicks for name, channel in tally.channels.items() if channel.clicks}, tally.last_event_at
        )
        for tally in tallies
        if tally.last_event_at is not None
    }
    return CheckedPartition(span.end, since, codes, unproven, sorted(waiting))


def load(path: Path) -> Checkpoint | None:
    """Return the checkpoint in a file; None where there is none that can be used."""
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(path.read_bytes(), type=Checkpoint)
    return None


def save(path: Path, topic_id: str, partitions: Mapping[int, CheckedPartition]) -> None:
    """Replace a file as a whole; raises OSError."""
    kept: dict[str, Any] = {str(number): partition for number, partition in partitions.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    try:
        new.write_bytes(msgspec.json.encode(Checkpoint(topic_id, kept)))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
