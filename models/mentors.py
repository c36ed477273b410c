"""A mentor's row: his counts as they are published, changed by one event at a time.

The row that is kept, the row of the changelog and the value of the counts topic are the same bytes. That
costs 480 bytes for a mentor with three channels and saves rendering every changed row a second time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import json

from models.events import UNKNOWN_CHANNEL, ChannelCounts, MentorCounts, clean_channel, in_utc
from models.identifiers import UUID_LENGTH
from models.members import CONFIRMED, PENDING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

CHANNELS_MAX: Final = 16
"""Channels of a mentor that have a name of their own; past them the rest is OTHER_CHANNEL (rule 6)."""

OTHER_CHANNEL: Final = "other"

_BEGINS: Final = b'{"org_id":"'
"""Of every row: `org_id` is the first field of MentorCounts, and a UUID."""

_encode: Final = json.Encoder().encode
_decode: Final = json.Decoder(MentorCounts).decode


def decode_mentor(row: bytes) -> MentorCounts:
    """Return a private copy of the counts that a row holds."""
    return _decode(row)


def org_of(row: bytes) -> str:
    """Return the organisation of a row, without opening it where it begins as all do."""
    if row.startswith(_BEGINS):
        return row[len(_BEGINS) : len(_BEGINS) + UUID_LENGTH].decode()
    return decode_mentor(row).org_id


def encode_mentor(counts: MentorCounts) -> bytes:
    """Return the row of these counts, which is also what the counts topic publishes."""
    clicks = pending = confirmed = 0
    for channel in counts.by_channel.values():
        clicks += channel.clicks
        pending += channel.pending
        confirmed += channel.confirmed
    counts.total_clicks = clicks
    counts.pending_attributions = pending
    counts.confirmed_attributions = confirmed
    counts.conversion_rate = min(confirmed / clicks, 1.0) if clicks else 0.0
    # Copied, because the encoder's bytes keep the room it wrote them in: 120 bytes for each row that is kept.
    return b"".join((_encode(counts), b""))


def begun_anew(counts: MentorCounts, announced: Collection[int]) -> MentorCounts:
    """Return a mentor of whom nothing is counted yet, with the thresholds that were announced."""
    return MentorCounts(
        org_id=counts.org_id,
        mentor_id=counts.mentor_id,
        referral_code=counts.referral_code,
        by_channel={},
        milestones=sorted(announced),
    )


def published(rows: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return what these rows publish, by its key in the counts topic: nothing of a mentor who has no events yet."""
    mentors = ((decode_mentor(row), row) for row in rows)
    return {mentor_key(mentor): row for mentor, row in mentors if mentor.last_event_at is not None}


def mentor_key(counts: MentorCounts) -> bytes:
    """Return the key of the mentor's counts and milestones: `org_id:mentor_id`."""
    return f"{counts.org_id}:{counts.mentor_id}".encode()


def place_of_channel(counts: MentorCounts, named: str | None) -> str:
    """Return the channel of these counts that an event's channel falls into, and make its place."""
    if named in counts.by_channel:  # nearly always: what has a place is spelt as the rules spell it
        return named
    return make_place(counts, channel_name(named))


def channel_name(named: str | None) -> str:
    """Return what the rules call a channel that an event names."""
    return UNKNOWN_CHANNEL if named is None else clean_channel(named)


def make_place(counts: MentorCounts, name: str) -> str:
    """Return the channel of these counts that this one's events fall into, and make its place."""
    channels = counts.by_channel
    if name not in channels:
        if len(channels) - (OTHER_CHANNEL in channels) >= CHANNELS_MAX:
            name = OTHER_CHANNEL
        if name not in channels:
            channels[name] = ChannelCounts()
    return name


def add_clicks(counts: MentorCounts, columns: Sequence[tuple[str, Sequence[int]]], place: int, last: datetime) -> None:
    """Count the clicks that stand at a place of named columns, the latest of which occurred then."""
    channels = counts.by_channel
    for name, column in columns:
        if clicks := column[place]:
            channel = channels.get(name)
            if channel is None:
                channel = channels[make_place(counts, name)]
            channel.clicks += clicks
    saw_event(counts, last)


def saw_event(counts: MentorCounts, occurred_at: datetime) -> None:
    """Note when the mentor's latest event occurred: in UTC, so that equal instants look alike."""
    last = counts.last_event_at
    if last is None or occurred_at > last:
        counts.last_event_at = in_utc(occurred_at)


def move_pair(counts: MentorCounts, channel: str, before: int | None, after: int) -> int:
    """Count a pair whose state went from `before` (None: new) to `after`, and return the confirmed count."""
    place = counts.by_channel[channel]
    if before == PENDING:
        place.pending -= 1
        counts.pending_attributions -= 1
    elif before == CONFIRMED:
        place.confirmed -= 1
        counts.confirmed_attributions -= 1
    if after == PENDING:
        place.pending += 1
        counts.pending_attributions += 1
    elif after == CONFIRMED:
        place.confirmed += 1
        counts.confirmed_attributions += 1
    return counts.confirmed_attributions


def newly_reached(counts: MentorCounts, thresholds: list[int]) -> list[int]:
    """Return the thresholds, of ascending ones, that the confirmed count has reached for the first time, and note them.

    Rule 2 of the contract.
    """
    if counts.milestones == thresholds:  # soon so of those who bring many
        return []
    confirmed = counts.confirmed_attributions
    reached: list[int] = []
    for threshold in thresholds:
        if threshold > confirmed:
            break
        if threshold not in counts.milestones:
            reached.append(threshold)
    if reached:
        counts.milestones = sorted([*counts.milestones, *reached])
    return reached
