"""The HTTP API of Referral Streams 0.1.0, typed. `referrals schemas` writes it: copy it, do not edit it.

    client = Client("https://refer.example.org", token)
    for entry in client.leaderboard(org_id, limit=10)["entries"]:
        print(entry["rank"], entry["mentorId"], entry["confirmedAttributions"])

It needs nothing but Python 3.11. An answer other than the one asked for is a Problem; a server that cannot be reached
is an OSError, as urllib raises it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen


class Accepted(TypedDict):
    """A registration is in its topic."""

    attributionId: str


class Activity(TypedDict):
    """An organisation's latest milestones and awards, the latest first."""

    milestones: list[Milestone]
    awards: list[Award]
    names: dict[str, str]
    """What mentors among them are called, by id; who is not here is known by his pseudonym alone."""


class Asked(TypedDict):
    """What was asked for is done if it can be; whether it could is told to nobody who is not signed in."""

    address: str
    """As it was understood."""


class AttributionCounts(TypedDict):
    """A mentor's counts."""

    orgId: str
    mentorId: str
    channel: str | None
    """The channel that is counted; null: all together."""
    totalClicks: int
    pendingAttributions: int
    confirmedAttributions: int
    conversionRate: float
    """Confirmed by clicks: 0 without clicks, at most 1."""
    updatedAt: str | None
    """When the stream counted this; null: nothing yet."""


class Award(TypedDict):
    """A badge that a mentor holds."""

    mentorId: str
    badgeId: str
    badgeName: str
    picture: Literal["medal", "star", "trophy", "rocket", "heart", "sprout", "mountain", "crown"]
    confirmedCount: int
    """The count of the milestone that earned it; of a back-fill before that was announced, what was confirmed then."""
    awardedAt: str


class AwardEvidence(TypedDict):
    """What an award came of, as far as the tables keep it; `referrals explain` reads the topics too."""

    badgeId: str
    badgeName: str
    threshold: int
    """Confirmed registrations at which the badge is earned."""
    confirmedCount: int
    """The count of the milestone that earned it; of a back-fill before that was announced, what was confirmed then."""
    awardedAt: str
    isBackFilled: bool
    """Somebody had it awarded to those who had reached it before."""
    milestone: MilestoneEvidence | None
    """Null: none was announced, and it was back-filled by what was confirmed."""
    referralCode: str | None
    """Null: none is known."""
    topic: str
    """Full name of the topic in which the registrations stand."""
    registrations: list[RegistrationCounted]
    """Those confirmed until the milestone was reached, or where there is none until the award was made; by when it
    happened, the latest first, 100 at most."""
    hasMore: bool
    """There are older ones."""
    totalClicks: int
    """Of his link, until now: which of them came before is not kept, and none of them belongs to one registration."""
    clicksByChannel: list[ClicksOfChannel]
    """Of the same, the channels with most first; without those that nobody has come by."""


class Awards(TypedDict):
    """A mentor's badges, the lowest threshold first."""

    awards: list[Award]
    canBeTakenAlong: bool
    """Whether each can be had as an Open Badges credential here, at `/awards/{badge_id}/credential`."""


class BadgeBackFilled(TypedDict):
    """A badge was awarded to those who had reached it."""

    awarded: int
    """To how many, now; 0: everybody who has reached it held it already."""
    at: str
    """When it was last done for somebody."""


class BadgeDecision(TypedDict):
    """Why a milestone did or did not bring a badge."""

    threshold: int
    """The milestone's."""
    badgeName: str | None
    """Null: it was decided about the milestone as a whole."""
    reason: Literal[
        "awarded", "already_held", "below_threshold", "no_definitions", "unknown_mentor", "forged_organisation"
    ]
    confirmedCount: int
    """The count when the milestone was reached."""
    reachedAt: str | None
    """When the registration occurred that reached it; null: the milestone is not known here any more."""
    decidedAt: str


class BadgeListed(TypedDict):
    """A badge that an organisation has, whether mentors can earn it or not."""

    badgeId: str
    badgeName: str
    picture: Literal["medal", "star", "trophy", "rocket", "heart", "sprout", "mountain", "crown"]
    isOwn: bool
    """The organisation made it; else every organisation has it, and it cannot be changed for one."""
    threshold: int
    """Confirmed registrations at which it is earned."""
    comesAt: int | None
    """The count at which a milestone brings it while it is on; another than the threshold, or null (none does),
    where thresholds were changed since it was made."""
    offSince: str | None
    """Since when it is switched off: nobody is awarded it, and who holds it keeps it. Null: it is on."""
    madeBy: str | None
    """Who made it; null: it was there from the beginning."""
    madeAt: str | None
    backFilledAt: str | None
    """When somebody last had it awarded to those who had reached it before; null: nobody has."""
    backFilled: int
    """How many it was awarded to by that, all times together."""


class BadgePreview(TypedDict):
    """Who would be awarded a badge at once, by a back-fill."""

    threshold: int
    isAnnounced: bool
    """Milestones are announced at it; else no badge can be made at it, because nobody could be promised it."""
    due: int
    """How many have reached it, and do not hold the badge."""
    held: int
    """How many hold the badge, of one that is there."""
    mentors: list[MentorDue]
    """The first of those who have reached it, who has most confirmed first."""


class BadgeSaved(TypedDict):
    """A badge is as it was posted."""

    badgeId: str
    isNew: bool
    """It was made now; else it was there, and has this name and picture now."""


class BadgesListed(TypedDict):
    """An organisation's badges, its own and everybody's, the lowest threshold first."""

    badges: list[BadgeListed]
    thresholds: list[int]
    """The counts at which milestones are announced, and so badges can be made."""


class Channel(TypedDict):
    """The counts of one channel."""

    channel: str
    clicks: int
    pending: int
    confirmed: int


class ChannelHistory(TypedDict):
    """What happened in a channel, and in the period before."""

    clicks: int
    registered: int
    confirmed: int
    withdrawn: int
    channel: str
    before: PeriodCounts
    parts: list[PeriodCounts]
    """The period in parts of `partDays` days, the first first; the last may be shorter."""


class Channels(TypedDict):
    """The counts by channel, the busiest first; past 100 channels the rest is `other`."""

    channels: list[Channel]


class ClicksOfChannel(TypedDict):
    """How often a link was opened in a channel."""

    channel: str
    clicks: int


class ComponentLag(TypedDict):
    """What waits for one component."""

    name: str
    """`stream`, `badges` or `counts`."""
    lag: int
    """Records."""


class ConfirmationTime(TypedDict):
    """How long those confirmed in a period had been pending."""

    measured: int
    """How many: those of whom both times are known."""
    medianHours: int | None
    """Whole hours, from three days on whole days; null: nobody was measured."""
    p90Hours: int | None
    """Nine of ten were confirmed within this time; the same."""


class Day(TypedDict):
    """By how much the counts changed on a day; less than nothing where more registrations left a count than came."""

    day: str
    clicks: int
    pending: int
    confirmed: int


class DeadLetterCount(TypedDict):
    """How many dead letters of a reason came from a topic."""

    reason: str
    topic: str | None
    open: int
    """Not sent again."""
    replayed: int


class DeadLetterListed(TypedDict):
    """A record that could not be used; nothing that stood in it but its code."""

    letter: str
    """Where it stands in the dead letters topic: partition/offset."""
    writtenAt: str
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
    referralCode: str | None
    records: int
    """How many records it stands for; only the first is in it."""
    bytes: int
    """Of the record's value."""
    again: bool
    """A rebuild has sent it once more."""
    replayedAt: str | None
    """When its record was sent again; null: it was not."""


class DeadLetters(TypedDict):
    """An organisation's dead letters: counted, and a page of them, the latest first."""

    counts: list[DeadLetterCount]
    """Of all that were asked for, by reason and topic."""
    letters: list[DeadLetterListed]
    next: str | None
    """`after` of the next page; null: this is the last."""
    listedMax: int
    """So many of an organisation are listed at most, the latest."""
    listedDays: int
    """And of so many days."""


class DeadLettersReplayed(TypedDict):
    """What has come of dead letters that were to be sent again, or would."""

    dryRun: bool
    """Nothing was sent."""
    verdicts: list[ReplayVerdict]
    """One for each, in the order in which they were named."""


class DeviceMetadata(TypedDict):
    """What the device told; of it only the share channel is ours, the rest stays out of our outputs."""

    shareChannel: NotRequired[str | None]


class Fault(TypedDict):
    """Why a membership system could not be read, or not to its end, as a code that each language has words for."""

    code: str
    """Stays the same when the words change."""
    values: dict[str, str]
    """What it is said of, by name: an address without its query, a number, a column; nothing that a row says."""


class FieldError(TypedDict):
    """A field of the request that cannot be used."""

    field: str
    """As the request names it."""
    message: str


class Groups(TypedDict):
    """What an organisation's groups and regions are called."""

    groups: list[str]
    """By name, 200 at most; none where mentors were imported without."""


class Happened(TypedDict):
    """Something in a mentor's history."""

    kind: Literal["code", "registrations", "milestone", "badge", "thanked", "disabled"]
    """`code`: his code was issued; `registrations`: they changed on that day; `disabled`: his link was."""
    day: str
    """In UTC."""
    at: str | None
    """Null: it is of the whole day."""
    threshold: int | None
    """Of a milestone, and of the one that a badge is defined at."""
    badgeName: str | None
    pending: int | None
    """By how many the pending registrations changed."""
    confirmed: int | None
    """By how many the confirmed registrations changed."""


class History(TypedDict):
    """What happened in a period, by day and by channel, beside the period before."""

    orgId: str
    timeZone: str
    """In whose days it is told, such as Europe/Oslo; a day may have 23 or 25 hours."""
    today: str
    """Which day it is there; it is not over yet."""
    period: PeriodSums
    before: PeriodSums
    """A quarter has the quarter before; any other period as many days right before it."""
    days: list[HistoryDay]
    """Every day of the period, none left out."""
    partDays: int
    channels: list[ChannelHistory]
    """Those by which anything came in the period or before it; past 32 of an organisation the rest is `other`."""


class HistoryDay(TypedDict):
    """What happened on a day."""

    clicks: int
    registered: int
    confirmed: int
    withdrawn: int
    day: str


class JustReached(TypedDict):
    """A page of milestones with their badges, by when we heard of them."""

    reached: list[Reached]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Leaderboard(TypedDict):
    """A page of the mentors by confirmed registrations."""

    entries: list[LeaderboardEntry]
    next: str | None
    """`after` of the next page; null: this is the last."""


class LeaderboardEntry(TypedDict):
    """A mentor's counts and his place among the others."""

    rank: int
    """1 for the first; mentors with as many confirmed registrations follow each other by id."""
    mentorId: str
    referralCode: str
    totalClicks: int
    pendingAttributions: int
    confirmedAttributions: int
    conversionRate: float
    displayName: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None


class Liveness(TypedDict):
    """The process answers."""

    status: str


class MailWish(TypedDict):
    """What somebody is told by mail, and where."""

    isSent: bool
    """Whether this installation sends mail."""
    topic: Literal["summary", "badges"]
    """What he can be told: a mentor of his badges, others each week of the organisation."""
    address: str | None
    """Where; null: he is told nothing."""
    language: str | None
    """Of the mails: en, nb."""
    askedAt: str | None
    confirmedAt: str | None
    """When somebody pressed the button that the first mail leads to; null: nothing is sent before."""
    refusedAt: str | None
    """When a mail server said that there is no such address; null: none has."""


class MentorClose(TypedDict):
    """A mentor who is close to his next badge."""

    mentorId: str
    referralCode: str
    displayName: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    totalClicks: int
    pendingAttributions: int
    confirmedAttributions: int
    remaining: int
    """Registrations that still have to be confirmed."""
    badgeName: str


class MentorDue(TypedDict):
    """A mentor who has reached a badge and does not hold it."""

    mentorId: str
    referralCode: str | None
    """Null: no code has been issued to him."""
    displayName: str | None
    """Null: he is known by his pseudonym alone."""
    confirmedAttributions: int
    """As they are counted now: fewer than the badge needs where members have withdrawn since."""


class MentorFound(TypedDict):
    """A mentor who was looked for."""

    mentorId: str
    referralCode: str | None
    """Null: no code has been issued to him."""
    displayName: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None


class MentorListed(TypedDict):
    """A mentor who may need help."""

    mentorId: str
    referralCode: str | None
    """Null: no code has been issued to him."""
    displayName: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    totalClicks: int
    pendingAttributions: int
    confirmedAttributions: int
    lastActiveOn: str | None
    """The day, in UTC, on which something of his was counted last; null: nothing ever was."""
    pendingSince: str | None
    """Since when, at least, his oldest pending registration waits; null: none does."""
    pendingForLong: int
    """How many of them, at least, have waited as long as was asked for; in the other lists, how many are pending."""


class MentorProfile(TypedDict):
    """What a mentor shares, and what he earns next."""

    orgId: str
    mentorId: str
    referralCode: str | None
    """Null: no code has been issued to him."""
    shareUrl: str | None
    linkDisabledAt: str | None
    """Since when the link leads nowhere: the mentor has left, or it was misused. Null: it works."""
    nextBadge: NextBadge | None
    """Null: he holds every badge that can come."""
    displayName: str | None
    """What his organisation calls him; null: nothing but his pseudonym."""
    group: str | None
    """His group or region, where his organisation has given one."""


class MentorsClose(TypedDict):
    """A page of mentors who are close to their next badge."""

    mentors: list[MentorClose]
    next: str | None
    """`after` of the next page; null: this is the last."""


class MentorsFound(TypedDict):
    """The mentors who were looked for: those with this code or id by id, then those with this name by name."""

    mentors: list[MentorFound]


class MentorsListed(TypedDict):
    """A page of mentors who may need help."""

    mentors: list[MentorListed]
    next: str | None
    """`after` of the next page; null: this is the last."""


class Milestone(TypedDict):
    """A mentor's confirmed count reached a threshold."""

    mentorId: str
    threshold: int
    confirmedCount: int
    """The count when it was reached."""
    reachedAt: str
    """When the registration occurred that reached it."""
    recordedAt: str
    """When we heard of it."""


class MilestoneEvidence(TypedDict):
    """The milestone that brought an award."""

    milestoneId: str
    threshold: int
    reachedAt: str
    """When the registration occurred that reached it."""
    recordedAt: str
    """When we heard of it."""


class Milestones(TypedDict):
    """A mentor's milestones, the lowest threshold first."""

    milestones: list[Milestone]


class NextBadge(TypedDict):
    """The badge that a mentor earns next: one that is on, and that a milestone brings."""

    name: str
    picture: Literal["medal", "star", "trophy", "rocket", "heart", "sprout", "mountain", "crown"]
    threshold: int
    remaining: int
    """Registrations that still have to be confirmed."""


class PeriodCounts(TypedDict):
    """What happened, by when it occurred; never less than nothing."""

    clicks: int
    registered: int
    """Members who registered, whatever became of them."""
    confirmed: int
    """Members who were confirmed, also where they withdrew later."""
    withdrawn: int
    """Members who withdrew, where that stands."""


class PipelineState(TypedDict):
    """How far the components are; of the whole installation, whose organisations share them."""

    components: list[ComponentLag]
    deadLetters: int
    """Records that could not be used, of whichever organisation."""
    state: Literal["ok", "behind", "unreachable"]
    """`behind`: a record has waited for more than ten seconds; `unreachable`: Kafka is, and the numbers are old."""
    checkedAt: str


class PostedBadge(TypedDict):
    """A badge as it is to be."""

    name: str
    """One line of text."""
    threshold: int
    """Confirmed registrations at which it is earned: one of the counts at which milestones are announced. It stands."""
    picture: NotRequired[Literal["crown", "heart", "medal", "mountain", "rocket", "sprout", "star", "trophy"]]
    isOff: NotRequired[bool]
    """Nobody is awarded it any more; who holds it keeps it."""


class PostedMailAddress(TypedDict):
    """Where a link that signs in is wanted."""

    address: str
    """A mail address that was confirmed on a page."""


class PostedMailWish(TypedDict):
    """Where somebody wants to be told, and in which language."""

    address: str
    """One mail address, without a name beside it."""
    language: NotRequired[Literal["en", "nb"]]
    """Of the mails: English, or Norwegian Bokmål."""


class PostedReplay(TypedDict):
    """Which dead letters are to be sent again."""

    letters: list[str]
    """By where they stand: partition/offset, as they are listed."""
    dryRun: NotRequired[bool]
    """Send nothing; say what would be."""


class PostedSignIn(TypedDict):
    """What somebody signs in with: one of the two."""

    link: NotRequired[str | None]
    """What stands behind `#link=` in a link of `referrals sign-in-link`; good once."""
    token: NotRequired[str | None]
    """A bearer token; the session ends when it does, if not before."""


class PostedSignup(TypedDict):
    """A member who is coming, as the onboarding screen posts him: it is no confirmation and cannot be one."""

    referralCode: str
    newMemberId: str
    status: NotRequired[Literal["pending_signup"]]
    attributionId: NotRequired[str | None]
    """Without it: derived from organisation, code and member, so that it is the same when it is posted again."""
    occurredAt: NotRequired[str | None]
    """When it happened. Without it: when it was first posted."""
    orgId: NotRequired[str | None]
    """If it is given, the organisation of the address."""
    deviceMetadata: NotRequired[DeviceMetadata | None]


class Rank(TypedDict):
    """A mentor's place among the others by confirmed registrations; those with as many have the same."""

    rank: int
    """1 for the first."""
    sharedWith: int
    """Others with as many."""
    mentors: int
    """All who have counts."""


class Reached(TypedDict):
    """A milestone that a mentor reached, and what it brought him."""

    mentorId: str
    referralCode: str | None
    """Null: no code has been issued to him."""
    displayName: str | None
    """Null: he is known by his pseudonym alone."""
    group: str | None
    threshold: int
    confirmedCount: int
    """The count when it was reached."""
    reachedAt: str
    """When the registration occurred that reached it."""
    recordedAt: str
    """When we heard of it."""
    badges: list[str]
    """The names of the badges that it brought."""
    thankedAt: str | None
    """When a coordinator marked him as thanked for it; null: nobody has."""


class Readiness(TypedDict):
    """Whether everything that the HTTP side needs is there."""

    status: str
    """`ready`, or `waiting`, then with 503."""
    missing: dict[str, str]
    """What is missing and why, by part: `kafka`, `postgres`, `clicks`, `codes`."""


class Reconciliation(TypedDict):
    """The latest runs of reconciliation, the latest first."""

    runs: list[ReconciliationRun]


class ReconciliationRun(TypedDict):
    """A run of reconciliation; every row that was read is in one of the counts."""

    source: str
    startedAt: str
    finishedAt: str | None
    """Null: it runs, or did not come to its end."""
    membersRead: int
    matched: int
    """Were in the topic already."""
    backFilled: int
    """Confirmations that never came."""
    withdrawn: int
    """Withdrawals that never came."""
    unchanged: int
    """Nothing was to be said of them: no code, not confirmed, another organisation's code."""
    unclear: int
    badRows: int
    complete: bool
    """Whether everything that the membership system has was seen."""
    incomplete: str | None
    """Why not, where it did not fail."""
    error: str | None
    fault: Fault | None
    """The error as a code, else why it is not complete; null: neither, or what others say of it, as Kafka does."""
    askAgainAt: str | None
    rowsLeft: list[RowLeft]
    """The first of them."""


class ReferralCode(TypedDict):
    """A mentor's referral code, as it is stored."""

    referralCode: str
    orgId: str
    mentorId: str
    issuedAt: str
    shareUrl: str
    """The link to share."""
    disabledAt: str | None
    """Since when the link leads nowhere: the mentor has left, or it was misused. Null: it works."""


class RegistrationCounted(TypedDict):
    """A member who was confirmed; nothing says who."""

    registeredAt: str
    """When he was pending or confirmed first."""
    confirmedAt: str
    """When he was confirmed first."""
    withdrawnAt: str | None
    """When he withdrew since; null: he has not."""
    channel: str
    partition: int | None
    """Where the record that confirmed him stands in the registrations topic; null: it was read before this was kept."""
    offset: int | None
    crossed: bool
    """It is the registration by which the milestone was reached."""


class ReplayVerdict(TypedDict):
    """What becomes of a dead letter that is to be sent again."""

    letter: str
    verdict: Literal["ready", "sent", "before", "refused", "gone"]
    """`ready`: it would be sent; `before`: its record was sent before; `gone`: it is not in the topic any more."""
    why: str | None
    """Why it is refused."""


class RowLeft(TypedDict):
    """A row of the membership system that was left: somebody has to look at it."""

    place: str
    reason: str
    """What is wrong with it, in English; nothing that it says."""
    code: str | None
    """The same as a code, which stays the same when the words change; null: a version before this one noted it."""
    values: dict[str, str]
    """What the code is said of, by name: a column, a number, a pattern of the configuration."""


class SignInWays(TypedDict):
    """How people sign in here, beside links that sign in once."""

    provider: str | None
    """What the identity provider is called; null: there is none."""
    byMail: bool
    """Whether who has confirmed a mail address can have a link sent there."""


class SignedIn(TypedDict):
    """Who is signed in."""

    orgId: str
    subject: str
    """Of a mentor his id; of others what the provider, the link or the token calls them."""
    role: Literal["mentor", "coordinator", "org_admin", "onboarding"]
    expiresAt: str
    """When it ends."""
    bySession: bool
    """False: a bearer token came with the request."""


class Standing(TypedDict):
    """Where a mentor stands, for the coordinators of his organisation; no member's id, and no single event of one."""

    orgId: str
    mentorId: str
    rank: Rank | None
    """Null: nothing of his was counted yet."""
    lastActiveOn: str | None
    """The day, in UTC, on which something of his was counted last; null: nothing ever was."""
    totalClicks: int
    pendingAttributions: int
    pendingSince: str | None
    """Since when, at least, the oldest of them waits."""
    pendingForLong: int
    """How many of them, at least, have waited for more than 30 days."""
    confirmedAttributions: int
    channels: list[Channel]
    """The busiest first."""
    decisions: list[BadgeDecision]
    """By threshold."""
    history: list[Happened]
    """The latest first, 200 at most."""


class Summary(TypedDict):
    """An organisation's sums."""

    orgId: str
    name: str | None
    """Null: nobody has named it."""
    mentors: int
    """Those who have a code."""
    activeMentors: int
    """Those with a click, a pending or a confirmed registration."""
    totalClicks: int
    pendingAttributions: int
    confirmedAttributions: int
    conversionRate: float
    """Confirmed by clicks: 0 without clicks, at most 1."""
    milestones: int
    awards: int
    filteredClicks: int
    """Clicks that were not people's, of link previews and robots; in no other count."""
    happened: PeriodCounts
    """Since the beginning, as `history` adds it up; what is pending or confirmed now is above."""
    updatedAt: str | None
    """When the stream counted last; null: nothing yet."""


class Thanked(TypedDict):
    """Whether a mentor was thanked for a milestone."""

    thankedAt: str | None
    """Since when he is marked as thanked; null: he is not."""


Daily = TypedDict(
    "Daily",
    {
        "from": str,
        "to": str,
        "days": list[Day],
    },
)
"""Days in UTC, each by when the stream counted, the oldest first, none left out."""


PeriodSums = TypedDict(
    "PeriodSums",
    {
        "clicks": int,
        "registered": int,
        "confirmed": int,
        "withdrawn": int,
        "from": str,
        "to": str,
        "confirmationTime": ConfirmationTime,
    },
)
"""What happened from a day to a day, both included."""


Parameters = Mapping[str, str | int | float | bool | None]
NONE: Parameters = {}


class Problem(Exception):  # noqa: N818  it is called what it is
    """An answer other than the one asked for (RFC 9457)."""

    def __init__(self, status: int, detail: str, errors: list[FieldError]) -> None:
        """Take the HTTP status, what is wrong, and with 422 the fields at fault."""
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.errors = errors


class Client:
    """Asks one installation, with one token."""

    def __init__(self, url: str, token: str = "", *, timeout_s: float = 30.0) -> None:
        """Take the address without a path, and the token that every request shows."""
        if urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError(f"{url} is not the address of a server; it begins with https:// or http://")
        self._url = url.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s

    def _json(self, method: str, path: str, parameters: Parameters = NONE, body: object = None) -> Any:  # noqa: ANN401
        return json.loads(self._ask(method, path, parameters, body))

    def _json_or_none(self, method: str, path: str) -> Any:  # noqa: ANN401
        return json.loads(self._ask(method, path) or b"null")

    def _ask(self, method: str, path: str, parameters: Parameters = NONE, body: object = None) -> bytes:
        given = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in parameters.items()
            if value is not None
        }
        query = f"?{urlencode(given)}" if given else ""
        headers = {"Accept": "*/*", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._url}{path}{query}", data, headers, method=method)  # noqa: S310  http alone
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310  the same
                return cast("bytes", response.read())
        except HTTPError as fault:
            with fault:
                raise _problem(fault.code, fault.read()) from None

    def live(self) -> Liveness:
        """Whether the process answers.

        Answer, whatever else is away.
        """
        path = "/health/live"
        answer: Liveness = self._json("GET", path)
        return answer

    def ready(self) -> Readiness:
        """Whether everything needed is there.

        Answer 200 where Kafka, its topics and Postgres are there, and clicks and codes get to Kafka; else 503.
        """
        path = "/health/ready"
        answer: Readiness = self._json("GET", path)
        return answer

    def metrics(self) -> bytes:
        """Metrics in Prometheus's form.

        Answer with every counter; the lag of the components, the outbox and reconciliation are looked at for it.
        """
        path = "/metrics"
        return self._ask("GET", path)

    def issuer_document(self, org_id: str) -> dict[str, Any]:
        """The keys that an organisation signs credentials with, as a did:web document.

        Answer with the keys that are good, for whoever verifies a credential; 404 where there is none.
        """
        path = f"/orgs/{_part(org_id)}/did.json"
        answer: dict[str, Any] = self._json("GET", path)
        return answer

    def activity(self, org_id: str, *, limit: int | None = None) -> Activity:
        """The latest milestones and awards.

        Answer with the latest of both, the latest first.
        """
        path = f"/v1/orgs/{_part(org_id)}/activity"
        parameters = {
            "limit": limit,
        }
        answer: Activity = self._json("GET", path, parameters)
        return answer

    def badge_preview(self, org_id: str, threshold: str, *, badge: str | None = None) -> BadgePreview:
        """Who would be awarded a badge.

        Answer with who has reached so many confirmed registrations and would be awarded a badge at once.

        It changes nothing. Of a badge that is not made yet, and of one that is.
        """
        path = f"/v1/orgs/{_part(org_id)}/badge-previews/{_part(threshold)}"
        parameters = {
            "badge": badge,
        }
        answer: BadgePreview = self._json("GET", path, parameters)
        return answer

    def badges(self, org_id: str) -> BadgesListed:
        """An organisation's badges.

        Answer with its own and everybody's, those that are switched off too, and the counts at which one can be
        made.
        """
        path = f"/v1/orgs/{_part(org_id)}/badges"
        answer: BadgesListed = self._json("GET", path)
        return answer

    def put_badge(self, org_id: str, badge_id: str, body: PostedBadge) -> BadgeSaved:
        """Make a badge, or change it.

        Make the organisation's own badge of this id, a UUID that the caller chooses, or give it this name and
        picture.

        It takes a token of the role `org_admin`. Sent again it changes nothing. The badge consumer awards it to
        who has a milestone at its count, and to who reaches it from now on. Its threshold stands; 409 where it
        would change.
        """
        path = f"/v1/orgs/{_part(org_id)}/badges/{_part(badge_id)}"
        answer: BadgeSaved = self._json("PUT", path, body=body)
        return answer

    def back_fill_badge(self, org_id: str, badge_id: str) -> BadgeBackFilled:
        """Award a badge to everybody who has reached it.

        Award it to every mentor of the organisation who has reached it and does not hold it, in one transaction.

        It takes a token of the role `org_admin`. Sent again it awards nobody twice. Who passed the badge's count
        before milestones were announced at it is awarded it by what he has confirmed now. 409 where the badge is
        switched off, or its count is not announced any more.
        """
        path = f"/v1/orgs/{_part(org_id)}/badges/{_part(badge_id)}/back-fill"
        answer: BadgeBackFilled = self._json("POST", path)
        return answer

    def channels(self, org_id: str) -> Channels:
        """An organisation's counts by channel.

        Answer with the channels, the busiest first.
        """
        path = f"/v1/orgs/{_part(org_id)}/channels"
        answer: Channels = self._json("GET", path)
        return answer

    def daily(self, org_id: str, *, days: int | None = None) -> Daily:
        """An organisation's counts by day.

        Answer with by how much the counts changed on each of the last days, in UTC.
        """
        path = f"/v1/orgs/{_part(org_id)}/daily"
        parameters = {
            "days": days,
        }
        answer: Daily = self._json("GET", path, parameters)
        return answer

    def dead_letters(
        self,
        org_id: str,
        *,
        reason: str | None = None,
        topic: Literal["any", "codes", "clicks", "registrations", "mentor-counts", "milestones"] | None = None,
        code: str | None = None,
        since: str | None = None,
        until: str | None = None,
        show: Literal["all", "open"] | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> DeadLetters:
        """An organisation's dead letters.

        Answer with how many there are by reason and topic, and a page of them, the latest first.

        It takes a token of the role `org_admin`. Of a code that nobody has, a dead letter is whose the event
        says; of one that says nothing it is the installation's, and not here.
        """
        path = f"/v1/orgs/{_part(org_id)}/dead-letters"
        parameters = {
            "reason": reason,
            "topic": topic,
            "code": code,
            "since": since,
            "until": until,
            "show": show,
            "limit": limit,
            "after": after,
        }
        answer: DeadLetters = self._json("GET", path, parameters)
        return answer

    def replay_dead_letters(self, org_id: str, body: PostedReplay) -> DeadLettersReplayed:
        """Send dead letters again.

        Send these through the front door, each record once, however often it is asked; or say what would become
        of them.

        It takes a token of the role `org_admin`. What would be a dead letter again is refused, with why. What is
        not the organisation's is `gone`, as what is not there.
        """
        path = f"/v1/orgs/{_part(org_id)}/dead-letters/replays"
        answer: DeadLettersReplayed = self._json("POST", path, body=body)
        return answer

    def dead_letter(self, org_id: str, partition: str, offset: str) -> DeadLetterListed:
        """One dead letter.

        Answer with the dead letter that stands there, if it is the organisation's.
        """
        path = f"/v1/orgs/{_part(org_id)}/dead-letters/{_part(partition)}/{_part(offset)}"
        answer: DeadLetterListed = self._json("GET", path)
        return answer

    def export_csv(self, org_id: str) -> bytes:
        """Mentors and their counts as CSV.

        Answer with a row for each mentor, by id, while it is being read.
        """
        path = f"/v1/orgs/{_part(org_id)}/export.csv"
        return self._ask("GET", path)

    def groups(self, org_id: str) -> Groups:
        """What an organisation's groups are called.

        Answer with the groups and regions that mentors were imported with, by name: what lists can be narrowed
        to.
        """
        path = f"/v1/orgs/{_part(org_id)}/groups"
        answer: Groups = self._json("GET", path)
        return answer

    def history(
        self,
        org_id: str,
        *,
        days: int | None = None,
        quarter: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        order: Literal["asc", "desc"] | None = None,
        sort: Literal["registered", "confirmed", "withdrawn", "clicks", "channel"] | None = None,
    ) -> History:
        """What happened in a period.

        Answer with what happened by day and by channel, each beside the period before, in the organisation's
        days.
        """
        path = f"/v1/orgs/{_part(org_id)}/history"
        parameters = {
            "days": days,
            "quarter": quarter,
            "from": from_,
            "to": to,
            "order": order,
            "sort": sort,
        }
        answer: History = self._json("GET", path, parameters)
        return answer

    def history_csv(
        self,
        org_id: str,
        *,
        days: int | None = None,
        quarter: str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> bytes:
        """What happened in a period, as CSV.

        Answer with a row for each day and channel on which anything happened, by day.
        """
        path = f"/v1/orgs/{_part(org_id)}/history.csv"
        parameters = {
            "days": days,
            "quarter": quarter,
            "from": from_,
            "to": to,
        }
        return self._ask("GET", path, parameters)

    def leaderboard(
        self, org_id: str, *, limit: int | None = None, after: str | None = None, group: str | None = None
    ) -> Leaderboard:
        """Mentors by confirmed registrations.

        Answer with a page; `next` leads to the one after it, and is null on the last. Of a group, ranks are its
        own.
        """
        path = f"/v1/orgs/{_part(org_id)}/leaderboard"
        parameters = {
            "limit": limit,
            "after": after,
            "group": group,
        }
        answer: Leaderboard = self._json("GET", path, parameters)
        return answer

    def clicks_only(
        self,
        org_id: str,
        *,
        clicks: int | None = None,
        order: Literal["most", "least"] | None = None,
        limit: int | None = None,
        after: str | None = None,
        group: str | None = None,
    ) -> MentorsListed:
        """Mentors with clicks and without registrations.

        Answer with those whose link is opened, and who have nobody, neither pending nor confirmed.
        """
        path = f"/v1/orgs/{_part(org_id)}/lists/clicks-only"
        parameters = {
            "clicks": clicks,
            "order": order,
            "limit": limit,
            "after": after,
            "group": group,
        }
        answer: MentorsListed = self._json("GET", path, parameters)
        return answer

    def close_to_badge(
        self,
        org_id: str,
        *,
        within: int | None = None,
        order: Literal["nearest", "highest"] | None = None,
        limit: int | None = None,
        after: str | None = None,
        group: str | None = None,
    ) -> MentorsClose:
        """Mentors close to their next badge.

        Answer with those who have somebody confirmed and miss a few for their next badge.
        """
        path = f"/v1/orgs/{_part(org_id)}/lists/close-to-badge"
        parameters = {
            "within": within,
            "order": order,
            "limit": limit,
            "after": after,
            "group": group,
        }
        answer: MentorsClose = self._json("GET", path, parameters)
        return answer

    def just_reached(
        self,
        org_id: str,
        *,
        show: Literal["all", "open"] | None = None,
        order: Literal["latest", "earliest"] | None = None,
        limit: int | None = None,
        after: str | None = None,
        group: str | None = None,
    ) -> JustReached:
        """Milestones reached, with their badges.

        Answer with what mentors reached, by when we heard of it: a milestone and its badge are one.
        """
        path = f"/v1/orgs/{_part(org_id)}/lists/just-reached"
        parameters = {
            "show": show,
            "order": order,
            "limit": limit,
            "after": after,
            "group": group,
        }
        answer: JustReached = self._json("GET", path, parameters)
        return answer

    def no_activity(
        self,
        org_id: str,
        *,
        days: int | None = None,
        order: Literal["most", "least"] | None = None,
        limit: int | None = None,
        after: str | None = None,
        group: str | None = None,
    ) -> MentorsListed:
        """Mentors without activity.

        Answer with those of whom nothing was counted for so long; who never had anything, since his code was
        issued.
        """
        path = f"/v1/orgs/{_part(org_id)}/lists/no-activity"
        parameters = {
            "days": days,
            "order": order,
            "limit": limit,
            "after": after,
            "group": group,
        }
        answer: MentorsListed = self._json("GET", path, parameters)
        return answer

    def pending(
        self,
        org_id: str,
        *,
        days: int | None = None,
        order: Literal["most", "least"] | None = None,
        limit: int | None = None,
        after: str | None = None,
        group: str | None = None,
    ) -> MentorsListed:
        """Mentors whose registrations have been pending for long.

        Answer with those who have a registration that has been pending for so long.

        By the days on which they were counted. Which of a mentor's registrations was confirmed is not kept: the
        oldest are taken to have been, so nobody is listed too early.
        """
        path = f"/v1/orgs/{_part(org_id)}/lists/pending"
        parameters = {
            "days": days,
            "order": order,
            "limit": limit,
            "after": after,
            "group": group,
        }
        answer: MentorsListed = self._json("GET", path, parameters)
        return answer

    def mail_wish(self, org_id: str) -> MailWish:
        """What you are told by mail.

        Answer with what who asks is told by mail, and at which address; of nobody else.
        """
        path = f"/v1/orgs/{_part(org_id)}/mail"
        answer: MailWish = self._json("GET", path)
        return answer

    def wish_mail(self, org_id: str, body: PostedMailWish) -> MailWish:
        """Be told by mail.

        Send a first mail to an address; what is in it says when the address is confirmed, and nothing comes
        before.
        """
        path = f"/v1/orgs/{_part(org_id)}/mail"
        answer: MailWish = self._json("PUT", path, body=body)
        return answer

    def end_mail(self, org_id: str) -> MailWish:
        """Be told no more.

        Delete the address of who asks.
        """
        path = f"/v1/orgs/{_part(org_id)}/mail"
        answer: MailWish = self._json("DELETE", path)
        return answer

    def mentors(self, org_id: str, *, find: str | None = None, limit: int | None = None) -> MentorsFound:
        """Mentors by name, code or id.

        Answer with those who have this code, whose id it is or begins, and whose name does; with none where none
        is.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors"
        parameters = {
            "find": find,
            "limit": limit,
        }
        answer: MentorsFound = self._json("GET", path, parameters)
        return answer

    def mentor(self, org_id: str, mentor_id: str) -> MentorProfile:
        """A mentor's code, link and next badge.

        Answer with what he shares, and what he earns next.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}"
        answer: MentorProfile = self._json("GET", path)
        return answer

    def counts(self, org_id: str, mentor_id: str, *, channel: str | None = None) -> AttributionCounts:
        """A mentor's clicks and registrations.

        Answer with the counts, of one channel if one is named; zeros where there was nothing.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/attribution-counts"
        parameters = {
            "channel": channel,
        }
        answer: AttributionCounts = self._json("GET", path, parameters)
        return answer

    def awards(self, org_id: str, mentor_id: str) -> Awards:
        """The badges that a mentor holds.

        Answer with his badges, the lowest first.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/awards"
        answer: Awards = self._json("GET", path)
        return answer

    def credential(self, org_id: str, mentor_id: str, badge_id: str) -> bytes:
        """A badge to take along, as an Open Badges 3.0 credential.

        Answer with the signed credential; 404 where the mentor does not hold the badge, or nobody can sign here.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/awards/{_part(badge_id)}/credential"
        return self._ask("GET", path)

    def evidence(self, org_id: str, mentor_id: str, badge_id: str) -> AwardEvidence:
        """What an award came of.

        Answer with the milestone, the registration that crossed and where it stands, and those before it.

        No member's id. The tables do not keep which clicks came before; `referrals explain` reads them from the
        topic.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/awards/{_part(badge_id)}/evidence"
        answer: AwardEvidence = self._json("GET", path)
        return answer

    def milestones(self, org_id: str, mentor_id: str) -> Milestones:
        """A mentor's milestones.

        Answer with the thresholds he has reached, the lowest first.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/milestones"
        answer: Milestones = self._json("GET", path)
        return answer

    def thank(self, org_id: str, mentor_id: str, threshold: str) -> Thanked:
        """Mark a mentor as thanked for a milestone.

        Answer with since when he is; the first mark stands.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/milestones/{_part(threshold)}/thanks"
        answer: Thanked = self._json("POST", path)
        return answer

    def unthank(self, org_id: str, mentor_id: str, threshold: str) -> Thanked:
        """Take the mark back.

        Answer that he is not marked as thanked.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/milestones/{_part(threshold)}/thanks"
        answer: Thanked = self._json("DELETE", path)
        return answer

    def qr_code(self, org_id: str, mentor_id: str) -> bytes:
        """A mentor's share link as a QR code.

        Answer with the picture; 404 where the mentor has no code, or his link is disabled.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/qr.svg"
        return self._ask("GET", path)

    def issue_code(self, org_id: str, mentor_id: str) -> ReferralCode:
        """Return a mentor's referral code; make one if he has none.

        Answer 201 with a code made now, 200 with the one that was stored.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/referral-code"
        answer: ReferralCode = self._json("POST", path)
        return answer

    def mentor_standing(self, org_id: str, mentor_id: str) -> Standing:
        """Where a mentor stands, and why.

        Answer with his rank, his members by state, his channels, why he has each badge or not, and his history.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/standing"
        answer: Standing = self._json("GET", path)
        return answer

    def pipeline_state(self, org_id: str) -> PipelineState:
        """How far the components are.

        Answer with the records that wait for each component, and the dead letters.
        """
        path = f"/v1/orgs/{_part(org_id)}/pipeline"
        answer: PipelineState = self._json("GET", path)
        return answer

    def reconciliation(self, org_id: str, *, limit: int | None = None) -> Reconciliation:
        """The latest runs of reconciliation.

        Answer with the latest runs, the latest first, and what each has left for somebody to look at.
        """
        path = f"/v1/orgs/{_part(org_id)}/reconciliation"
        parameters = {
            "limit": limit,
        }
        answer: Reconciliation = self._json("GET", path, parameters)
        return answer

    def take_signup(self, org_id: str, body: PostedSignup) -> Accepted:
        """Take a member who is coming, from the onboarding screen.

        Publish it as pending, and answer when the brokers have it.

        It takes a token of the role `onboarding`. Posting it again changes nothing, before a confirmation and
        after one.
        """
        path = f"/v1/orgs/{_part(org_id)}/signups"
        answer: Accepted = self._json("POST", path, body=body)
        return answer

    def summary(self, org_id: str) -> Summary:
        """An organisation's sums.

        Answer with the sums over all mentors.
        """
        path = f"/v1/orgs/{_part(org_id)}/summary"
        answer: Summary = self._json("GET", path)
        return answer

    def who_is_signed_in(self) -> SignedIn | None:
        """Return who is signed in.

        Answer with whose the cookie or the token is.
        """
        path = "/v1/session"
        answer: SignedIn | None = self._json_or_none("GET", path)
        return answer

    def sign_in(self, body: PostedSignIn) -> SignedIn:
        """Sign in on a page of this server, by a link or a token.

        Begin a session, and end the one that the browser had.
        """
        path = "/v1/session"
        answer: SignedIn = self._json("POST", path, body=body)
        return answer

    def sign_out(self) -> bytes:
        """Sign out.

        End the browser's session, if it has one, and make it forget the cookie.
        """
        path = "/v1/session"
        return self._ask("DELETE", path)

    def sign_out_everywhere(self) -> bytes:
        """Sign out everywhere.

        End every session of who asks.
        """
        path = "/v1/sessions"
        return self._ask("DELETE", path)

    def ways_to_sign_in(self) -> SignInWays:
        """Return how people sign in here.

        Answer with the provider's name, if there is one.
        """
        path = "/v1/sign-in"
        answer: SignInWays = self._json("GET", path)
        return answer

    def mail_sign_in(self, body: PostedMailAddress) -> Asked:
        """Have a link sent that signs in.

        Answer the same whether anybody has confirmed the address or not, and as soon; what comes of it is a mail.

        One in a minute and five in an hour are sent to an address.
        """
        path = "/v1/sign-in/mail"
        answer: Asked = self._json("POST", path, body=body)
        return answer


def _problem(status: int, content: bytes) -> Problem:
    """Return what an answer says of itself; a proxy before the server may say something else."""
    try:
        said = json.loads(content)
        return Problem(status, str(said["detail"]), said.get("errors", []))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Problem(status, content[:200].decode("utf-8", "replace"), [])


def _part(value: str) -> str:
    """Return a value as a part of a path."""
    return quote(value, safe="")
