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
    confirmedCount: int
    """The count of the milestone that earned it."""
    awardedAt: str


class Awards(TypedDict):
    """A mentor's badges, the lowest threshold first."""

    awards: list[Award]


class Channel(TypedDict):
    """The counts of one channel."""

    channel: str
    clicks: int
    pending: int
    confirmed: int


class Channels(TypedDict):
    """The counts by channel, the busiest first; past 100 channels the rest is `other`."""

    channels: list[Channel]


class ComponentLag(TypedDict):
    """What waits for one component."""

    name: str
    """`stream`, `badges` or `counts`."""
    lag: int
    """Records."""


class Day(TypedDict):
    """By how much the counts changed on a day; less than nothing where more registrations left a count than came."""

    day: str
    clicks: int
    pending: int
    confirmed: int


class DeviceMetadata(TypedDict):
    """What the device told; of it only the share channel is ours, the rest stays out of our outputs."""

    shareChannel: NotRequired[str | None]


class FieldError(TypedDict):
    """A field of the request that cannot be used."""

    field: str
    """As the request names it."""
    message: str


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


class Liveness(TypedDict):
    """The process answers."""

    status: str


class MentorFound(TypedDict):
    """A mentor who was looked for."""

    mentorId: str
    referralCode: str | None
    """Null: no code has been issued to him."""


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
    """Null: he holds every badge there is."""


class MentorsFound(TypedDict):
    """The mentors who were looked for, by id."""

    mentors: list[MentorFound]


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


class Milestones(TypedDict):
    """A mentor's milestones, the lowest threshold first."""

    milestones: list[Milestone]


class NextBadge(TypedDict):
    """The badge that a mentor earns next."""

    name: str
    threshold: int
    remaining: int
    """Registrations that still have to be confirmed."""


class PipelineState(TypedDict):
    """How far the components are; of the whole installation, whose organisations share them."""

    components: list[ComponentLag]
    deadLetters: int
    """Records that could not be used, of whichever organisation."""
    state: Literal["ok", "behind", "unreachable"]
    """`behind`: a record has waited for more than ten seconds; `unreachable`: Kafka is, and the numbers are old."""
    checkedAt: str


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


class Readiness(TypedDict):
    """Whether everything that the HTTP side needs is there."""

    status: str
    """`ready`, or `waiting`, then with 503."""
    missing: dict[str, str]
    """What is missing and why, by part: `kafka`, `postgres`."""


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


class RowLeft(TypedDict):
    """A row of the membership system that was left: somebody has to look at it."""

    place: str
    reason: str
    """What is wrong with it; nothing that it says."""


class SignInWays(TypedDict):
    """How people sign in here, beside links that sign in once."""

    provider: str | None
    """What the identity provider is called; null: there is none."""


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
    updatedAt: str | None
    """When the stream counted last; null: nothing yet."""


Daily = TypedDict(
    "Daily",
    {
        "from": str,
        "to": str,
        "days": list[Day],
    },
)
"""Days in UTC, each by when the stream counted, the oldest first, none left out."""


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

        Answer 200 where Kafka, its topics and Postgres are there, else 503 with what is missing.
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

    def export_csv(self, org_id: str) -> bytes:
        """Mentors and their counts as CSV.

        Answer with a row for each mentor, by id, while it is being read.
        """
        path = f"/v1/orgs/{_part(org_id)}/export.csv"
        return self._ask("GET", path)

    def leaderboard(self, org_id: str, *, limit: int | None = None, after: str | None = None) -> Leaderboard:
        """Mentors by confirmed registrations.

        Answer with a page; `next` leads to the one after it, and is null on the last.
        """
        path = f"/v1/orgs/{_part(org_id)}/leaderboard"
        parameters = {
            "limit": limit,
            "after": after,
        }
        answer: Leaderboard = self._json("GET", path, parameters)
        return answer

    def mentors(self, org_id: str, *, find: str | None = None, limit: int | None = None) -> MentorsFound:
        """Mentors by code or id.

        Answer with those who have this code, or whose id it is or begins, by id; with none where there are none.
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

    def milestones(self, org_id: str, mentor_id: str) -> Milestones:
        """A mentor's milestones.

        Answer with the thresholds he has reached, the lowest first.
        """
        path = f"/v1/orgs/{_part(org_id)}/mentors/{_part(mentor_id)}/milestones"
        answer: Milestones = self._json("GET", path)
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

    def who_is_signed_in(self) -> SignedIn:
        """Return who is signed in.

        Answer with whose the cookie or the token is.
        """
        path = "/v1/session"
        answer: SignedIn = self._json("GET", path)
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
