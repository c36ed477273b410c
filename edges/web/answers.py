"""What the HTTP side answers, as types: the JSON of every route, and what OpenAPI shows of it.

Fields are written in snake case here and sent in camel case.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field


def camel(name: str) -> str:
    """Return a name in camel case, as requests and answers have it."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


class Answer(Struct, frozen=True, rename="camel"):
    """Base of every answer; each says `frozen=True, kw_only=True` for itself, which is not inherited."""


class FieldError(Answer, frozen=True, kw_only=True):
    """A field of the request that cannot be used."""

    field: str
    """As the request names it."""
    message: str


class ProblemDetails(Answer, frozen=True, kw_only=True):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    """The status in words."""
    status: int
    detail: str
    """What is wrong, and what to do about it."""
    errors: list[FieldError] | UnsetType = UNSET
    """The fields at fault; only with 422."""


class Liveness(Answer, frozen=True, kw_only=True):
    """The process answers."""

    status: str


class Readiness(Answer, frozen=True, kw_only=True):
    """Whether everything that the HTTP side needs is there."""

    status: str
    """`ready`, or `waiting`, then with 503."""
    missing: dict[str, str]
    """What is missing and why, by part: `kafka`, `postgres`."""


class SignInWays(Answer, frozen=True, kw_only=True):
    """How people sign in here, beside links that sign in once."""

    provider: str | None
    """What the identity provider is called; null: there is none."""


class SignedIn(Answer, frozen=True, kw_only=True):
    """Who is signed in."""

    org_id: str
    subject: str
    """Of a mentor his id; of others what the provider, the link or the token calls them."""
    role: Literal["mentor", "coordinator", "org_admin", "onboarding"]
    expires_at: datetime
    """When it ends."""
    by_session: bool
    """False: a bearer token came with the request."""


class Accepted(Answer, frozen=True, kw_only=True):
    """A registration is in its topic."""

    attribution_id: str


class ReferralCode(Answer, frozen=True, kw_only=True):
    """A mentor's referral code, as it is stored."""

    referral_code: str
    org_id: str
    mentor_id: str
    issued_at: datetime
    share_url: str
    """The link to share."""
    disabled_at: datetime | None
    """Since when the link leads nowhere: the mentor has left, or it was misused. Null: it works."""


class ComponentLag(Answer, frozen=True, kw_only=True):
    """What waits for one component."""

    name: str
    """`stream`, `badges` or `counts`."""
    lag: int
    """Records."""


class PipelineState(Answer, frozen=True, kw_only=True):
    """How far the components are; of the whole installation, whose organisations share them."""

    components: list[ComponentLag]
    dead_letters: int
    """Records that could not be used, of whichever organisation."""
    state: Literal["ok", "behind", "unreachable"]
    """`behind`: a record has waited for more than ten seconds; `unreachable`: Kafka is, and the numbers are old."""
    checked_at: datetime


class AttributionCounts(Answer, frozen=True, kw_only=True):
    """A mentor's counts."""

    org_id: str
    mentor_id: str
    channel: str | None
    """The channel that is counted; null: all together."""
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    conversion_rate: float
    """Confirmed by clicks: 0 without clicks, at most 1."""
    updated_at: datetime | None
    """When the stream counted this; null: nothing yet."""


class NextBadge(Answer, frozen=True, kw_only=True):
    """The badge that a mentor earns next."""

    name: str
    threshold: int
    remaining: int
    """Registrations that still have to be confirmed."""


class MentorProfile(Answer, frozen=True, kw_only=True):
    """What a mentor shares, and what he earns next."""

    org_id: str
    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    share_url: str | None
    link_disabled_at: datetime | None
    """Since when the link leads nowhere: the mentor has left, or it was misused. Null: it works."""
    next_badge: NextBadge | None
    """Null: he holds every badge there is."""


class MentorFound(Answer, frozen=True, kw_only=True):
    """A mentor who was looked for."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""


class MentorsFound(Answer, frozen=True, kw_only=True):
    """The mentors who were looked for, by id."""

    mentors: list[MentorFound]


class Milestone(Answer, frozen=True, kw_only=True):
    """A mentor's confirmed count reached a threshold."""

    mentor_id: str
    threshold: int
    confirmed_count: int
    """The count when it was reached."""
    reached_at: datetime
    """When the registration occurred that reached it."""
    recorded_at: datetime
    """When we heard of it."""


class Award(Answer, frozen=True, kw_only=True):
    """A badge that a mentor holds."""

    mentor_id: str
    badge_id: str
    badge_name: str
    confirmed_count: int
    """The count of the milestone that earned it."""
    awarded_at: datetime


class Milestones(Answer, frozen=True, kw_only=True):
    """A mentor's milestones, the lowest threshold first."""

    milestones: list[Milestone]


class Awards(Answer, frozen=True, kw_only=True):
    """A mentor's badges, the lowest threshold first."""

    awards: list[Award]


class Activity(Answer, frozen=True, kw_only=True):
    """An organisation's latest milestones and awards, the latest first."""

    milestones: list[Milestone]
    awards: list[Award]


class RowLeft(Answer, frozen=True, kw_only=True):
    """A row of the membership system that was left: somebody has to look at it."""

    place: str
    reason: str
    """What is wrong with it; nothing that it says."""


class ReconciliationRun(Answer, frozen=True, kw_only=True):
    """A run of reconciliation; every row that was read is in one of the counts."""

    source: str
    started_at: datetime
    finished_at: datetime | None
    """Null: it runs, or did not come to its end."""
    members_read: int
    matched: int
    """Were in the topic already."""
    back_filled: int
    """Confirmations that never came."""
    withdrawn: int
    """Withdrawals that never came."""
    unchanged: int
    """Nothing was to be said of them: no code, not confirmed, another organisation's code."""
    unclear: int
    bad_rows: int
    complete: bool
    """Whether everything that the membership system has was seen."""
    incomplete: str | None
    """Why not, where it did not fail."""
    error: str | None
    ask_again_at: datetime | None
    rows_left: list[RowLeft]
    """The first of them."""


class Reconciliation(Answer, frozen=True, kw_only=True):
    """The latest runs of reconciliation, the latest first."""

    runs: list[ReconciliationRun]


class Summary(Answer, frozen=True, kw_only=True):
    """An organisation's sums."""

    org_id: str
    name: str | None
    """Null: nobody has named it."""
    mentors: int
    """Those who have a code."""
    active_mentors: int
    """Those with a click, a pending or a confirmed registration."""
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    conversion_rate: float
    """Confirmed by clicks: 0 without clicks, at most 1."""
    milestones: int
    awards: int
    filtered_clicks: int
    """Clicks that were not people's, of link previews and robots; in no other count."""
    updated_at: datetime | None
    """When the stream counted last; null: nothing yet."""


class LeaderboardEntry(Answer, frozen=True, kw_only=True):
    """A mentor's counts and his place among the others."""

    rank: int
    """1 for the first; mentors with as many confirmed registrations follow each other by id."""
    mentor_id: str
    referral_code: str
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    conversion_rate: float


class Leaderboard(Answer, frozen=True, kw_only=True):
    """A page of the mentors by confirmed registrations."""

    entries: list[LeaderboardEntry]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Day(Answer, frozen=True, kw_only=True):
    """By how much the counts changed on a day; less than nothing where more registrations left a count than came."""

    day: date
    clicks: int
    pending: int
    confirmed: int


class Daily(Answer, frozen=True, kw_only=True):
    """Days in UTC, each by when the stream counted, the oldest first, none left out."""

    from_: date = field(name="from")
    to: date
    days: list[Day]


class Channel(Answer, frozen=True, kw_only=True):
    """The counts of one channel."""

    channel: str
    clicks: int
    pending: int
    confirmed: int


class Channels(Answer, frozen=True, kw_only=True):
    """The counts by channel, the busiest first; past 100 channels the rest is `other`."""

    channels: list[Channel]


class Changed(Answer, frozen=True, kw_only=True):
    """An organisation's figures changed; the data of the event `changed`."""

    at: datetime
    summary: Summary
