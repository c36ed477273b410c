"""The same job as a plain Faust app, as Faust's documentation would have it written: the baseline.

    faust -A bench.plain_faust worker

Records with validation, a table for each kind of state, an agent for each topic, `topic.send` for what goes out. No
setting is touched for its speed, neither up nor down: at_least_once, a commit every 2.8 s, a stream buffer of 4,096 and
memory tables are Faust's defaults. It does less than the product: identifiers are any text, codes are not normalised,
records in the wrong partition are not moved, unusable input is left to Faust. And it counts wrong after a crash.

Module-level app and decorators are the documentation's style, unlike everywhere else in this project.
"""

from __future__ import annotations

from datetime import datetime
from typing import Dict, List, Optional  # noqa: UP035  Faust reads annotations and knows these forms
from uuid import UUID, uuid5

import faust
from faust.types import StreamT

from process.settings import load_settings

THRESHOLDS = (1, 5, 10, 25)
CHANNELS_MAX = 16
CHANNEL_LENGTH_MAX = 32
WAITING_MAX = 1_000  # for each code
NAMESPACE = UUID("6f8a3c52-7d0e-5b1f-9c64-2e1d8b7a4f03")

settings = load_settings()
prefix = settings.topic_prefix

app = faust.App(
    settings.app_id,
    broker=[f"kafka://{address}" for address in settings.bootstrap_servers.split(",")],
    topic_partitions=settings.partitions,
    topic_replication_factor=settings.replication_factor,
    store="memory://",
    web_enabled=False,
)


class DeviceMetadata(faust.Record, validation=True):
    """What the device told."""

    share_channel: Optional[str] = None  # noqa: UP045


class CodeIssued(faust.Record, validation=True, isodates=True):
    """A referral code was issued."""

    referral_code: str
    org_id: str
    mentor_id: str
    issued_at: datetime


class Click(faust.Record, validation=True, isodates=True):
    """A link was opened."""

    click_id: str
    referral_code: str
    occurred_at: datetime
    org_id: Optional[str] = None  # noqa: UP045
    device_metadata: Optional[DeviceMetadata] = None  # noqa: UP045


class Registration(faust.Record, validation=True, isodates=True):
    """A member registered, was confirmed or withdrew."""

    attribution_id: str
    referral_code: str
    new_member_id: str
    status: str
    occurred_at: datetime
    org_id: Optional[str] = None  # noqa: UP045
    device_metadata: Optional[DeviceMetadata] = None  # noqa: UP045


class ChannelCounts(faust.Record, include_metadata=False):
    """Counts in one channel."""

    clicks: int = 0
    pending: int = 0
    confirmed: int = 0


class MentorCounts(faust.Record, include_metadata=False, isodates=True):
    """The row of a mentor, as published."""

    org_id: str
    mentor_id: str
    referral_code: str
    by_channel: Dict[str, ChannelCounts]  # noqa: UP006
    milestones: List[int]  # noqa: UP006
    last_event_at: datetime
    total_clicks: int = 0
    pending_attributions: int = 0
    confirmed_attributions: int = 0
    conversion_rate: float = 0.0


class Member(faust.Record, include_metadata=False, isodates=True):
    """The state of a pair of code and member."""

    status: str
    occurred_at: datetime
    channel: str


class Waiting(faust.Record, include_metadata=False):
    """Activity of a code not issued yet."""

    clicks: List[Click]  # noqa: UP006
    registrations: List[Registration]  # noqa: UP006


class MilestoneReached(faust.Record, include_metadata=False):
    """A threshold was reached for the first time."""

    milestone_id: str
    event_type: str
    org_id: str
    mentor_id: str
    milestone_threshold: int
    confirmed_count: int
    attribution_id: str
    reached_at: datetime


Event = Click | Registration

code_topic = app.topic(prefix + "codes.v1", key_type=str, value_type=CodeIssued)
click_topic = app.topic(prefix + "clicks.v1", key_type=str, value_type=Click)
registration_topic = app.topic(prefix + "registrations.v1", key_type=str, value_type=Registration)
count_topic = app.topic(prefix + "mentor-counts.v1", key_type=str, value_type=MentorCounts)
milestone_topic = app.topic(prefix + "milestones.v1", key_type=str, value_type=MilestoneReached)
dead_letter_topic = app.topic(prefix + "dead-letters.v1", key_type=str, value_serializer="json")

codes = app.Table("codes", key_type=str, value_type=CodeIssued)
counts = app.Table("counts", key_type=str, value_type=MentorCounts)
members = app.Table("members", key_type=str, value_type=Member)
waiting = app.Table("waiting", key_type=str, value_type=Waiting)


@app.agent(code_topic)
async def issue_codes(stream: StreamT[CodeIssued]) -> None:
    """Note the mentor of a code, and count what waited for it."""
    async for issued in stream:
        if issued.referral_code in codes:
            continue
        codes[issued.referral_code] = issued
        waited = waiting.pop(issued.referral_code, None)
        if waited is not None:
            for click in waited.clicks:
                await count_click(click, issued)
            for registration in waited.registrations:
                await count_registration(registration, issued)


@app.agent(click_topic)
async def count_clicks(stream: StreamT[Click]) -> None:
    """Count each click."""
    async for click in stream:
        issued = codes.get(click.referral_code)
        if issued is None:
            waited = waiting.get(click.referral_code) or Waiting(clicks=[], registrations=[])
            if len(waited.clicks) < WAITING_MAX:
                waited.clicks.append(click)
                waiting[click.referral_code] = waited
        else:
            await count_click(click, issued)


@app.agent(registration_topic)
async def count_registrations(stream: StreamT[Registration]) -> None:
    """Count each registration."""
    async for registration in stream:
        issued = codes.get(registration.referral_code)
        if issued is None:
            waited = waiting.get(registration.referral_code) or Waiting(clicks=[], registrations=[])
            if len(waited.registrations) < WAITING_MAX:
                waited.registrations.append(registration)
                waiting[registration.referral_code] = waited
        else:
            await count_registration(registration, issued)


async def count_click(click: Click, issued: CodeIssued) -> None:
    """Count a click of an issued code."""
    if click.org_id is not None and click.org_id != issued.org_id:
        await dead_letter_topic.send(key=click.referral_code, value=click)
        return
    row = mentor_row(click, issued)
    channel_counts(row, channel_of(click)).clicks += 1
    row.total_clicks += 1
    await save(row)


async def count_registration(registration: Registration, issued: CodeIssued) -> None:
    """Count a registration of an issued code: rules 1 and 2."""
    if registration.org_id is not None and registration.org_id != issued.org_id:
        await dead_letter_topic.send(key=registration.referral_code, value=registration)
        return
    key = f"{registration.referral_code}:{registration.new_member_id}"
    before = members.get(key)
    if before is not None and not supersedes(registration, before):
        return
    row = mentor_row(registration, issued)
    channel = channel_of(registration) if before is None else before.channel
    members[key] = Member(status=registration.status, occurred_at=registration.occurred_at, channel=channel)
    if before is not None:
        add(row, channel, before.status, -1)
    add(row, channel, registration.status, 1)
    reached = [at for at in THRESHOLDS if at <= row.confirmed_attributions and at not in row.milestones]
    row.milestones = sorted(row.milestones + reached)
    await save(row)
    for threshold in reached:
        await emit_milestone(row, threshold, registration)


def supersedes(registration: Registration, before: Member) -> bool:
    """Tell whether the registration changes what is known of the member."""
    if registration.status == "pending_signup":
        return False
    if before.status == "pending_signup":
        return True
    # at the same instant withdrawn wins, which is also the later word
    return (registration.occurred_at, registration.status) > (before.occurred_at, before.status)


def mentor_row(event: Event, issued: CodeIssued) -> MentorCounts:
    """Return the mentor's row, a new one for his first event."""
    row: MentorCounts | None = counts.get(event.referral_code)
    if row is None:
        return MentorCounts(
            org_id=issued.org_id,
            mentor_id=issued.mentor_id,
            referral_code=issued.referral_code,
            by_channel={},
            milestones=[],
            last_event_at=event.occurred_at,
        )
    row.last_event_at = max(row.last_event_at, event.occurred_at)
    return row


def channel_of(event: Event) -> str:
    """Return the channel that an event names."""
    if event.device_metadata is None or event.device_metadata.share_channel is None:
        return "unknown"
    return event.device_metadata.share_channel.strip().lower()[:CHANNEL_LENGTH_MAX] or "unknown"


def channel_counts(row: MentorCounts, channel: str) -> ChannelCounts:
    """Return the counts of a channel; past 16 channels those of `other`."""
    if channel not in row.by_channel and len(row.by_channel) >= CHANNELS_MAX:
        channel = "other"
    return row.by_channel.setdefault(channel, ChannelCounts())


def add(row: MentorCounts, channel: str, status: str, number: int) -> None:
    """Add to the counts that a status belongs to."""
    place = channel_counts(row, channel)
    if status == "pending_signup":
        place.pending += number
        row.pending_attributions += number
    elif status == "confirmed":
        place.confirmed += number
        row.confirmed_attributions += number


async def save(row: MentorCounts) -> None:
    """Keep the row and publish it."""
    if row.total_clicks:
        row.conversion_rate = min(row.confirmed_attributions / row.total_clicks, 1.0)
    counts[row.referral_code] = row
    await count_topic.send(key=f"{row.org_id}:{row.mentor_id}", value=row)


async def emit_milestone(row: MentorCounts, threshold: int, registration: Registration) -> None:
    """Publish a milestone."""
    await milestone_topic.send(
        key=f"{row.org_id}:{row.mentor_id}",
        value=MilestoneReached(
            milestone_id=str(uuid5(NAMESPACE, f"{row.org_id}:{row.mentor_id}:{threshold}")),
            event_type="recruitment_milestone_reached",
            org_id=row.org_id,
            mentor_id=row.mentor_id,
            milestone_threshold=threshold,
            confirmed_count=row.confirmed_attributions,
            attribution_id=registration.attribution_id,
            reached_at=registration.occurred_at,
        ),
    )
