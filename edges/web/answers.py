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
    """What is missing and why, by part: `kafka`, `postgres`, `clicks`, `codes`."""


class SignInWays(Answer, frozen=True, kw_only=True):
    """How people sign in here, beside links that sign in once."""

    provider: str | None
    """What the identity provider is called; null: there is none."""
    by_mail: bool
    """Whether who has confirmed a mail address can have a link sent there."""


class Asked(Answer, frozen=True, kw_only=True):
    """What was asked for is done if it can be; whether it could is told to nobody who is not signed in."""

    address: str
    """As it was understood."""


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


class MailWish(Answer, frozen=True, kw_only=True):
    """What somebody is told by mail, and where."""

    is_sent: bool
    """Whether this installation sends mail."""
    topic: Literal["summary", "badges"]
    """What he can be told: a mentor of his badges, others each week of the organisation."""
    address: str | None
    """Where; null: he is told nothing."""
    language: str | None
    """Of the mails: en, nb."""
    asked_at: datetime | None
    confirmed_at: datetime | None
    """When somebody pressed the button that the first mail leads to; null: nothing is sent before."""
    refused_at: datetime | None
    """When a mail server said that there is no such address; null: none has."""


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


Picture = Literal["medal", "star", "trophy", "rocket", "heart", "sprout", "mountain", "crown"]
"""How a badge looks: symbols of the pages (models/badges.py; a unit test compares the two)."""


class NextBadge(Answer, frozen=True, kw_only=True):
    """The badge that a mentor earns next: one that is on, and that a milestone brings."""

    name: str
    picture: Picture
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
    """Null: he holds every badge that can come."""
    display_name: str | None
    """What his organisation calls him; null: nothing but his pseudonym."""
    group: str | None
    """His group or region, where his organisation has given one."""


class MentorFound(Answer, frozen=True, kw_only=True):
    """A mentor who was looked for."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None


class MentorsFound(Answer, frozen=True, kw_only=True):
    """The mentors who were looked for: those with this code or id by id, then those with this name by name."""

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
    picture: Picture
    confirmed_count: int
    """The count of the milestone that earned it; of a back-fill before that was announced, what was confirmed then."""
    awarded_at: datetime


class Milestones(Answer, frozen=True, kw_only=True):
    """A mentor's milestones, the lowest threshold first."""

    milestones: list[Milestone]


class Awards(Answer, frozen=True, kw_only=True):
    """A mentor's badges, the lowest threshold first."""

    awards: list[Award]
    can_be_taken_along: bool
    """Whether each can be had as an Open Badges credential here, at `/awards/{badge_id}/credential`."""


class Activity(Answer, frozen=True, kw_only=True):
    """An organisation's latest milestones and awards, the latest first."""

    milestones: list[Milestone]
    awards: list[Award]
    names: dict[str, str]
    """What mentors among them are called, by id; who is not here is known by his pseudonym alone."""


class MentorListed(Answer, frozen=True, kw_only=True):
    """A mentor who may need help."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    last_active_on: date | None
    """The day, in UTC, on which something of his was counted last; null: nothing ever was."""
    pending_since: date | None
    """Since when, at least, his oldest pending registration waits; null: none does."""
    pending_for_long: int
    """How many of them, at least, have waited as long as was asked for; in the other lists, how many are pending."""


class MentorsListed(Answer, frozen=True, kw_only=True):
    """A page of mentors who may need help."""

    mentors: list[MentorListed]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Groups(Answer, frozen=True, kw_only=True):
    """What an organisation's groups and regions are called."""

    groups: list[str]
    """By name, 200 at most; none where mentors were imported without."""


class MentorClose(Answer, frozen=True, kw_only=True):
    """A mentor who is close to his next badge."""

    mentor_id: str
    referral_code: str
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    total_clicks: int
    pending_attributions: int
    confirmed_attributions: int
    remaining: int
    """Registrations that still have to be confirmed."""
    badge_name: str


class MentorsClose(Answer, frozen=True, kw_only=True):
    """A page of mentors who are close to their next badge."""

    mentors: list[MentorClose]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Reached(Answer, frozen=True, kw_only=True):
    """A milestone that a mentor reached, and what it brought him."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    threshold: int
    confirmed_count: int
    """The count when it was reached."""
    reached_at: datetime
    """When the registration occurred that reached it."""
    recorded_at: datetime
    """When we heard of it."""
    badges: list[str]
    """The names of the badges that it brought."""
    thanked_at: datetime | None
    """When a coordinator marked him as thanked for it; null: nobody has."""


class JustReached(Answer, frozen=True, kw_only=True):
    """A page of milestones with their badges, by when we heard of them."""

    reached: list[Reached]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Rank(Answer, frozen=True, kw_only=True):
    """A mentor's place among the others by confirmed registrations; those with as many have the same."""

    rank: int
    """1 for the first."""
    shared_with: int
    """Others with as many."""
    mentors: int
    """All who have counts."""


class BadgeDecision(Answer, frozen=True, kw_only=True):
    """Why a milestone did or did not bring a badge."""

    threshold: int
    """The milestone's."""
    badge_name: str | None
    """Null: it was decided about the milestone as a whole."""
    reason: Literal[
        "awarded", "already_held", "below_threshold", "no_definitions", "unknown_mentor", "forged_organisation"
    ]
    confirmed_count: int
    """The count when the milestone was reached."""
    reached_at: datetime | None
    """When the registration occurred that reached it; null: the milestone is not known here any more."""
    decided_at: datetime


class Happened(Answer, frozen=True, kw_only=True):
    """Something in a mentor's history."""

    kind: Literal["code", "registrations", "milestone", "badge", "thanked", "disabled"]
    """`code`: his code was issued; `registrations`: they changed on that day; `disabled`: his link was."""
    day: date
    """In UTC."""
    at: datetime | None
    """Null: it is of the whole day."""
    threshold: int | None
    """Of a milestone, and of the one that a badge is defined at."""
    badge_name: str | None
    pending: int | None
    """By how many the pending registrations changed."""
    confirmed: int | None
    """By how many the confirmed registrations changed."""


class Standing(Answer, frozen=True, kw_only=True):
    """Where a mentor stands, for the coordinators of his organisation; no member's id, and no single event of one."""

    org_id: str
    mentor_id: str
    rank: Rank | None
    """Null: nothing of his was counted yet."""
    last_active_on: date | None
    """The day, in UTC, on which something of his was counted last; null: nothing ever was."""
    total_clicks: int
    pending_attributions: int
    pending_since: date | None
    """Since when, at least, the oldest of them waits."""
    pending_for_long: int
    """How many of them, at least, have waited for more than 30 days."""
    confirmed_attributions: int
    channels: list[Channel]
    """The busiest first."""
    decisions: list[BadgeDecision]
    """By threshold."""
    history: list[Happened]
    """The latest first, 200 at most."""


class RegistrationCounted(Answer, frozen=True, kw_only=True):
    """A member who was confirmed; nothing says who."""

    registered_at: datetime
    """When he was pending or confirmed first."""
    confirmed_at: datetime
    """When he was confirmed first."""
    withdrawn_at: datetime | None
    """When he withdrew since; null: he has not."""
    channel: str
    partition: int | None
    """Where the record that confirmed him stands in the registrations topic; null: it was read before this was kept."""
    offset: int | None
    crossed: bool
    """It is the registration by which the milestone was reached."""


class MilestoneEvidence(Answer, frozen=True, kw_only=True):
    """The milestone that brought an award."""

    milestone_id: str
    threshold: int
    reached_at: datetime
    """When the registration occurred that reached it."""
    recorded_at: datetime
    """When we heard of it."""


class ClicksOfChannel(Answer, frozen=True, kw_only=True):
    """How often a link was opened in a channel."""

    channel: str
    clicks: int


class AwardEvidence(Answer, frozen=True, kw_only=True):
    """What an award came of, as far as the tables keep it; `referrals explain` reads the topics too."""

    badge_id: str
    badge_name: str
    threshold: int
    """Confirmed registrations at which the badge is earned."""
    confirmed_count: int
    """The count of the milestone that earned it; of a back-fill before that was announced, what was confirmed then."""
    awarded_at: datetime
    is_back_filled: bool
    """Somebody had it awarded to those who had reached it before."""
    milestone: MilestoneEvidence | None
    """Null: none was announced, and it was back-filled by what was confirmed."""
    referral_code: str | None
    """Null: none is known."""
    topic: str
    """Full name of the topic in which the registrations stand."""
    registrations: list[RegistrationCounted]
    """Those confirmed until the milestone was reached, or where there is none until the award was made; by when it
    happened, the latest first, 100 at most."""
    has_more: bool
    """There are older ones."""
    total_clicks: int
    """Of his link, until now: which of them came before is not kept, and none of them belongs to one registration."""
    clicks_by_channel: list[ClicksOfChannel]
    """Of the same, the channels with most first; without those that nobody has come by."""


class Thanked(Answer, frozen=True, kw_only=True):
    """Whether a mentor was thanked for a milestone."""

    thanked_at: datetime | None
    """Since when he is marked as thanked; null: he is not."""


class BadgeListed(Answer, frozen=True, kw_only=True):
    """A badge that an organisation has, whether mentors can earn it or not."""

    badge_id: str
    badge_name: str
    picture: Picture
    is_own: bool
    """The organisation made it; else every organisation has it, and it cannot be changed for one."""
    threshold: int
    """Confirmed registrations at which it is earned."""
    comes_at: int | None
    """The count at which a milestone brings it while it is on; another than the threshold, or null (none does), where
    thresholds were changed since it was made."""
    off_since: datetime | None
    """Since when it is switched off: nobody is awarded it, and who holds it keeps it. Null: it is on."""
    made_by: str | None
    """Who made it; null: it was there from the beginning."""
    made_at: datetime | None
    back_filled_at: datetime | None
    """When somebody last had it awarded to those who had reached it before; null: nobody has."""
    back_filled: int
    """How many it was awarded to by that, all times together."""


class BadgesListed(Answer, frozen=True, kw_only=True):
    """An organisation's badges, its own and everybody's, the lowest threshold first."""

    badges: list[BadgeListed]
    thresholds: list[int]
    """The counts at which milestones are announced, and so badges can be made."""


class BadgeSaved(Answer, frozen=True, kw_only=True):
    """A badge is as it was posted."""

    badge_id: str
    is_new: bool
    """It was made now; else it was there, and has this name and picture now."""


class MentorDue(Answer, frozen=True, kw_only=True):
    """A mentor who has reached a badge and does not hold it."""

    mentor_id: str
    referral_code: str | None
    """Null: no code has been issued to him."""
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    confirmed_attributions: int
    """As they are counted now: fewer than the badge needs where members have withdrawn since."""


class BadgePreview(Answer, frozen=True, kw_only=True):
    """Who would be awarded a badge at once, by a back-fill."""

    threshold: int
    is_announced: bool
    """Milestones are announced at it; else no badge can be made at it, because nobody could be promised it."""
    due: int
    """How many have reached it, and do not hold the badge."""
    held: int
    """How many hold the badge, of one that is there."""
    mentors: list[MentorDue]
    """The first of those who have reached it, who has most confirmed first."""


class BadgeBackFilled(Answer, frozen=True, kw_only=True):
    """A badge was awarded to those who had reached it."""

    awarded: int
    """To how many, now; 0: everybody who has reached it held it already."""
    at: datetime
    """When it was last done for somebody."""


class DeadLetterListed(Answer, frozen=True, kw_only=True):
    """A record that could not be used; nothing that stood in it but its code."""

    letter: str
    """Where it stands in the dead letters topic: partition/offset."""
    written_at: datetime
    reason: str
    """The kind of fault, as the contract lists them."""
    message: str
    """What is wrong, without what stood in the event."""
    stage: str
    """Who could not use it: `attribution` is the stream app, else the component's name."""
    topic: str | None
    """The topic that the record was read from, without the installation's prefix; null: nothing says it."""
    partition: int
    """Where it was read, as is offset; -1 where nothing says it."""
    offset: int
    referral_code: str | None
    records: int
    """How many records it stands for; only the first is in it."""
    bytes: int
    """Of the record's value."""
    again: bool
    """A rebuild has sent it once more."""
    replayed_at: datetime | None
    """When its record was sent again; null: it was not."""


class DeadLetterCount(Answer, frozen=True, kw_only=True):
    """How many dead letters of a reason came from a topic."""

    reason: str
    topic: str | None
    open: int
    """Not sent again."""
    replayed: int


class DeadLetters(Answer, frozen=True, kw_only=True):
    """An organisation's dead letters: counted, and a page of them, the latest first."""

    counts: list[DeadLetterCount]
    """Of all that were asked for, by reason and topic."""
    letters: list[DeadLetterListed]
    next: str | None
    """`after` of the next page; null: this is the last."""
    listed_max: int
    """So many of an organisation are listed at most, the latest."""
    listed_days: int
    """And of so many days."""


class ReplayVerdict(Answer, frozen=True, kw_only=True):
    """What becomes of a dead letter that is to be sent again."""

    letter: str
    verdict: Literal["ready", "sent", "before", "refused", "gone"]
    """`ready`: it would be sent; `before`: its record was sent before; `gone`: it is not in the topic any more."""
    why: str | None
    """Why it is refused."""


class DeadLettersReplayed(Answer, frozen=True, kw_only=True):
    """What has come of dead letters that were to be sent again, or would."""

    dry_run: bool
    """Nothing was sent."""
    verdicts: list[ReplayVerdict]
    """One for each, in the order in which they were named."""


class RowLeft(Answer, frozen=True, kw_only=True):
    """A row of the membership system that was left: somebody has to look at it."""

    place: str
    reason: str
    """What is wrong with it, in English; nothing that it says."""
    code: str | None
    """The same as a code, which stays the same when the words change; null: a version before this one noted it."""
    values: dict[str, str]
    """What the code is said of, by name: a column, a number, a pattern of the configuration."""


class Fault(Answer, frozen=True, kw_only=True):
    """Why a membership system could not be read, or not to its end, as a code that each language has words for."""

    code: str
    """Stays the same when the words change."""
    values: dict[str, str]
    """What it is said of, by name: an address without its query, a number, a column; nothing that a row says."""


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
    fault: Fault | None
    """The error as a code, else why it is not complete; null: neither, or what others say of it, as Kafka does."""
    ask_again_at: datetime | None
    rows_left: list[RowLeft]
    """The first of them."""


class Reconciliation(Answer, frozen=True, kw_only=True):
    """The latest runs of reconciliation, the latest first."""

    runs: list[ReconciliationRun]


class PeriodCounts(Answer, frozen=True, kw_only=True):
    """What happened, by when it occurred; never less than nothing."""

    clicks: int
    registered: int
    """Members who registered, whatever became of them."""
    confirmed: int
    """Members who were confirmed, also where they withdrew later."""
    withdrawn: int
    """Members who withdrew, where that stands."""


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
    happened: PeriodCounts
    """Since the beginning, as `history` adds it up; what is pending or confirmed now is above."""
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
    display_name: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None


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


class HistoryDay(PeriodCounts, frozen=True, kw_only=True):
    """What happened on a day."""

    day: date


class ConfirmationTime(Answer, frozen=True, kw_only=True):
    """How long those confirmed in a period had been pending."""

    measured: int
    """How many: those of whom both times are known."""
    median_hours: int | None
    """Whole hours, from three days on whole days; null: nobody was measured."""
    p90_hours: int | None
    """Nine of ten were confirmed within this time; the same."""


class PeriodSums(PeriodCounts, frozen=True, kw_only=True):
    """What happened from a day to a day, both included."""

    from_: date = field(name="from")
    to: date
    confirmation_time: ConfirmationTime


class ChannelHistory(PeriodCounts, frozen=True, kw_only=True):
    """What happened in a channel, and in the period before."""

    channel: str
    before: PeriodCounts
    parts: list[PeriodCounts]
    """The period in parts of `partDays` days, the first first; the last may be shorter."""


class History(Answer, frozen=True, kw_only=True):
    """What happened in a period, by day and by channel, beside the period before."""

    org_id: str
    time_zone: str
    """In whose days it is told, such as Europe/Oslo; a day may have 23 or 25 hours."""
    today: date
    """Which day it is there; it is not over yet."""
    period: PeriodSums
    before: PeriodSums
    """A quarter has the quarter before; any other period as many days right before it."""
    days: list[HistoryDay]
    """Every day of the period, none left out."""
    part_days: int
    channels: list[ChannelHistory]
    """Those by which anything came in the period or before it; past 32 of an organisation the rest is `other`."""


class Changed(Answer, frozen=True, kw_only=True):
    """An organisation's figures changed; the data of the event `changed`."""

    at: datetime
    summary: Summary
