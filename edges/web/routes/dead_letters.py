"""An organisation's dead letters for its administrators: counted, looked at, and sent again.

What belongs to no organisation, because neither its code nor its event names one, is the installation's: the command
`referrals dead-letters` has it.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, QueryParameter, SkipValidation
from msgspec import Meta

from edges.web.answers.answer import FieldError
from edges.web.answers.dead_letters import DeadLetterListed, DeadLetters, DeadLettersReplayed
from edges.web.bodies import decoded, read_plain_body
from edges.web.caching import UNCHANGED, kept
from edges.web.cursors import BadCursor, read_place
from edges.web.dead_letters import Asked, LetterPlace, find_letter, list_letters, own_letters
from edges.web.erased import erased_pairs_of
from edges.web.identity import BEARER, administrators_of_org
from edges.web.problems import Problem, bad_fields, problem_answers, unavailable
from edges.web.replays import LETTERS_MAX, PostedReplay, ReplayUnavailable
from edges.web.services import Opened
from models.errors import BadCode
from models.identifiers import canonical_uuid
from models.tolerance import read_code
from models.topics import CLICKS, CODES, MENTOR_COUNTS, MILESTONES, REGISTRATIONS

AnyRequest = Request[Any, Any, Any]

_LETTERS: Final = "/v1/orgs/{org_id:str}/dead-letters"
_OF_ADMINISTRATORS: Final[dict[str, Any]] = {
    "guards": [administrators_of_org], "security": BEARER, "tags": ["dead-letters"]
}  # fmt: skip
_LOOK: Final = _OF_ADMINISTRATORS | {"responses": UNCHANGED | problem_answers(401, 403, 404, 422, 503)}
_TOPICS: Final = {
    "codes": CODES,
    "clicks": CLICKS,
    "registrations": REGISTRATIONS,
    "mentor-counts": MENTOR_COUNTS,
    "milestones": MILESTONES,
}
_Topic = Annotated[
    Literal["any", "codes", "clicks", "registrations", "mentor-counts", "milestones"],
    QueryParameter(description="Read from there."),
]
_Reason = Annotated[
    str | None,
    QueryParameter(pattern="^[A-Za-z]{1,100}$", description="The kind of fault: `BadEvent`, `WaitedTooLong`, ..."),
]
_Code = Annotated[str | None, QueryParameter(max_length=100, description="Of this referral code.")]
_Since = Annotated[
    str | None, QueryParameter(max_length=40, description="Written since then, such as 2026-11-20T10:30:00Z.")
]
_Until = Annotated[str | None, QueryParameter(max_length=40, description="Written before, the same.")]
_Show = Annotated[Literal["all", "open"], QueryParameter(description="`open`: those alone that were not sent again.")]
_Limit = Annotated[int, QueryParameter(ge=1, le=LETTERS_MAX, description="The most that are listed.")]
_After = Annotated[str | None, QueryParameter(max_length=300, description="`next` of the page before.")]

log = structlog.get_logger("web")


_decode: Final = msgspec.json.Decoder(PostedReplay).decode


class Wanted(NamedTuple):
    """Which a request asks for, not looked at yet."""

    reason: str | None
    topic: str
    code: str | None
    since: str | None
    until: str | None
    show: str

    def asked(self, prefix: str) -> Asked:
        """Return it as the tables have it; raises the 422 that names the parameter at fault."""
        return Asked(
            reason=self.reason,
            topic=None if self.topic == "any" else _TOPICS[self.topic].full_name(prefix),
            code=None if self.code is None else _read_code(self.code),
            since=_read_time(self.since, "since"),
            until=_read_time(self.until, "until"),
            is_open=self.show == "open",
        )


_Wanted: TypeAlias = NamedDependency[SkipValidation[Wanted]]


def _wanted(
    reason: _Reason = None,
    topic: _Topic = "any",
    code: _Code = None,
    since: _Since = None,
    until: _Until = None,
    show: _Show = "all",
) -> Wanted:
    return Wanted(reason, topic, code, since, until, show)


@get(
    _LETTERS,
    summary="An organisation's dead letters",
    dependencies={"wanted": Provide(_wanted, sync_to_thread=False)},
    **_LOOK,
)
async def dead_letters(
    request: AnyRequest,
    services: Opened,
    org_id: FromPath[str],
    wanted: _Wanted,
    limit: _Limit = 20,
    after: _After = None,
) -> Response[DeadLetters]:
    """Answer with how many there are by reason and topic, and a page of them, the latest first.

    It takes a token of the role `org_admin`. Of a code that nobody has, a dead letter is whose the event says; of one
    that says nothing it is the installation's, and not here.
    """
    prefix = services.settings.topic_prefix
    org_id, place = canonical_uuid(org_id), None if after is None else _place(after)
    found = await list_letters(services.database, org_id, prefix, wanted.asked(prefix), limit=limit, after=place)
    return kept(request, found)


@get(f"{_LETTERS}/{{partition:int}}/{{offset:int}}", summary="One dead letter", **_LOOK)
async def dead_letter(
    request: AnyRequest, services: Opened, org_id: FromPath[str], partition: FromPath[int], offset: FromPath[int]
) -> Response[DeadLetterListed]:
    """Answer with the dead letter that stands there, if it is the organisation's."""
    found = None
    if 0 <= partition < 2**31 and 0 <= offset < 2**63:
        prefix = services.settings.topic_prefix
        found = await find_letter(services.database, canonical_uuid(org_id), prefix, partition, offset)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, "the organisation has no such dead letter")
    return kept(request, found)


@post(
    f"{_LETTERS}/replays",
    summary="Send dead letters again",
    status_code=200,
    responses=problem_answers(401, 403, 404, 413, 415, 422, 503),
    **_OF_ADMINISTRATORS,
)
async def replay_dead_letters(request: AnyRequest, services: Opened, org_id: FromPath[str]) -> DeadLettersReplayed:
    """Send these through the front door, each record once, however often it is asked; or say what would become of them.

    It takes a token of the role `org_admin`. What would be a dead letter again is refused, with why. What is not the
    organisation's is `gone`, as what is not there.
    """
    posted = decoded(await read_plain_body(request), _decode)
    org_id = canonical_uuid(org_id)
    asked = list(dict.fromkeys(_read_letter(name) for name in posted.letters))
    own = await own_letters(services.database, org_id, asked)
    erased = await erased_pairs_of(services.database, org_id)
    if (await services.pipeline.look()).state == "unreachable":
        raise unavailable("Kafka does not answer, so nothing can be sent again now")
    try:
        verdicts = await services.replays.replay(own, asked, erased, dry_run=posted.dry_run)
    except ReplayUnavailable as error:
        log.warning("dead_letters_not_replayed", reason=str(error))
        raise unavailable("nothing more can be sent again now; the server's log says why") from None
    if not posted.dry_run:
        sent = sum(each.verdict == "sent" for each in verdicts)
        log.info("dead_letters_replayed", org_id=str(UUID(org_id)), asked=len(asked), sent=sent)
    return DeadLettersReplayed(dry_run=posted.dry_run, verdicts=verdicts)


def _read_letter(name: str) -> tuple[int, int]:
    partition, _, offset = name.partition("/")
    return int(partition), int(offset)


def _read_code(typed: str) -> str:
    try:
        return read_code(typed)
    except BadCode:
        raise bad_fields(FieldError(field="code", message="is no referral code")) from None


def _read_time(typed: str | None, field: str) -> datetime | None:
    if typed is None:
        return None
    try:
        return msgspec.convert(typed, Annotated[datetime, Meta(tz=True)])  # type: ignore[no-any-return]  # a datetime
    except msgspec.ValidationError:
        raise bad_fields(
            FieldError(field=field, message="is no time with its offset: 2026-11-20T10:30:00Z is")
        ) from None


def _place(cursor: str) -> LetterPlace:
    try:
        place: LetterPlace = read_place(cursor, LetterPlace)
    except BadCursor:
        raise bad_fields(FieldError(field="after", message="is not the `next` of a page")) from None
    return place


HANDLERS: Final = [dead_letters, dead_letter, replay_dead_letters]
