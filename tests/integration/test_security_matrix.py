"""Every cell of the security matrix on the real server, Postgres and Kafka, and that no answer tells more than it may.

The routes are taken from the application: one that is not in `tests/security_matrix.py` fails.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import jwt
import msgspec
import psycopg
import pytest

from edges.registry.secrets import webhook_text
from edges.registry.tokens import Role
from edges.web.app import create_web
from local import parts as real
from models.badges import FIRST_RECRUIT
from operations.topics import create_topics
from process.settings import Settings, load_settings
from tests.openapi import fault_of, operations
from tests.security_matrix import MATRIX, UNDESCRIBED
from tests.two_organisations import LETTER_OF, Party, TwoOrganisations, plant
from tests.web import JWT_SECRET, Web, make_token, running_web, with_tokens

pytestmark = pytest.mark.integration

SOMEBODY: Final = str(uuid.uuid4())
MEMBER: Final = str(uuid.uuid4())
"""The member whom every webhook names."""
UNKNOWN_CODE: Final = "N0W0NDERFX"

REPLAY: Final = b'{"letters": ["0/11", "0/12"], "dryRun": true}'
BADGE: Final = b'{"name": "Lagspiller", "threshold": 5, "picture": "star"}'

REFUSED: Final = {401, 403, 404}
PUBLIC: Final = ("/r", "/orgs/")
"""Of an organisation and for everybody: a share link leads to its page, and its keys prove what it has issued."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one cell was answered."""

    method: str
    path: str
    who: str
    column: str
    borrowed: str
    """The mentor of theirs who was asked for under our organisation; empty in other columns."""
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def cell(self) -> str:
        """The cell, for a message."""
        return f"{self.method} {self.path}, {self.who}, {self.column}"


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The answers to every cell, and what they were asked of."""

    answers: list[Answer]
    scene: TwoOrganisations
    description: dict[str, Any]
    """The OpenAPI description, as it is served."""
    addresses: set[str]
    """Every address of the application."""
    new_codes: int
    """Codes that are stored after the walk and were not before it."""


# -- asking ------------------------------------------------------------------------------------------------------


class Asking:
    """Turns cells into requests."""

    def __init__(self, scene: TwoOrganisations) -> None:
        self._scene = scene
        self._borrowed = itertools.cycle(scene.theirs.mentors[1:])

    def place(self, column: str) -> dict[str, str]:
        """Return the path's parameters for a column."""
        whose = self._scene.theirs if column == "theirs" else self._scene.ours
        first = whose.mentors[0]
        place = {"org_id": whose.org_id, "mentor_id": first, "code": whose.codes[first], "threshold": "1"}
        place |= {"partition": "0", "offset": str(LETTER_OF["Theirs" if column == "theirs" else "Ours"])}
        place["badge_id"] = str(uuid.uuid5(uuid.UUID(whose.org_id), "badge"))
        if column == "colleague":
            place["mentor_id"] = whose.mentors[1]
        elif column == "unknown":
            place["mentor_id"] = str(uuid.uuid4())
        elif column == "borrowed":
            place["mentor_id"] = next(self._borrowed)
        elif column == "nowhere":
            place |= {"org_id": str(uuid.uuid4()), "code": UNKNOWN_CODE}
        return place

    def headers(self, who: str, place: dict[str, str], body: bytes, forge: Callable[[Claims], str]) -> dict[str, str]:
        """Return the headers that say who asks; `forge` makes the one that must not be taken."""
        whose = self._scene.theirs if who.startswith("their ") else self._scene.ours
        role = who.removeprefix("their ")
        if role == "nobody":
            return {}
        if role in {"sender", "forging sender"}:
            return whose.sender.sign(body, secret=None if role == "sender" else webhook_text(b"another secret"))
        if role == "forged":  # of an administrator of whatever organisation is asked for
            return {"Authorization": forge({"role": "org_admin", "org_id": place["org_id"]})}
        subject = whose.mentors[0] if role == "mentor" else SOMEBODY
        return {"Authorization": f"Bearer {make_token(cast('Role', role), org_id=whose.org_id, subject=subject)}"}


Claims = dict[str, Any]


def with_claims(changed: Claims, good: Claims) -> str:
    """Return a token of ours whose claims are not right."""
    return f"Bearer {make_token(**(good | changed))}"


def signed_otherwise(key: str, algorithm: str, good: Claims) -> str:
    """Return a token with the right claims that another has signed."""
    claims = jwt.decode(make_token(**good), JWT_SECRET, ["HS256"], audience="referrals")
    return f"Bearer {jwt.encode(claims, key, algorithm)}"


FORGERIES: Final[tuple[Callable[[Claims], str], ...]] = (
    partial(with_claims, {"exp": int(time.time()) - 60}),
    partial(with_claims, {"exp": None}),
    partial(with_claims, {"aud": "somebody else"}),
    partial(with_claims, {"iss": "somebody else"}),
    partial(with_claims, {"org": None}),
    partial(with_claims, {"role": "owner"}),
    partial(with_claims, {"iat": int(time.time()) + 24 * 60 * 60}),  # long after the suite has ended
    partial(signed_otherwise, "another secret, also long enough for HS256", "HS256"),
    partial(signed_otherwise, "", "none"),
    lambda good: f"Basic {make_token(**good)}",
    lambda good: f"Bearer {make_token(**good)[:-2]}",
    lambda _: "Bearer",
)
"""Headers that must not be taken."""


def registration(whose: Party) -> bytes:
    """Return a webhook's body."""
    code = whose.codes[whose.mentors[0]]
    return msgspec.json.encode({"referral_code": code, "new_member_id": MEMBER, "status": "pending_signup"})


# -- the walk ----------------------------------------------------------------------------------------------------


async def ask(web: Web, method: str, address: str, headers: dict[str, str], body: bytes) -> tuple[int, Any, bytes]:
    """Ask; of an answer without end read until its first event of both kinds."""
    async with web.stream(method, address, headers=headers, content=body or None) as answer:
        content = b""
        async for piece in answer.aiter_bytes():
            content += piece
            if b"event: changed" in content and b"event: pipeline" in content:
                break
        return answer.status_code, answer.headers, content


async def walk_through(settings: Settings) -> Walk:
    """Ask for every cell; those that make something come last."""
    url = settings.database_url
    create_topics(settings)
    scene = await plant(with_tokens(settings))
    asking = Asking(scene)
    answers = []
    async with running_web(settings, public_url="https://refer.example") as web:
        await until_ready(web)
        codes_before = count_codes(url)
        routes = sorted(MATRIX.items(), key=lambda entry: entry[0][0] == "POST")
        # A forgery for each route: its columns are compared, and another forgery is told another reason.
        for ((method, path), cells), forge in zip(routes, itertools.cycle(FORGERIES), strict=False):
            for who, column in cells:
                place = asking.place(column)
                if path.endswith(("/credential", "/evidence")):
                    place["badge_id"] = FIRST_RECRUIT  # each of the mentors holds it
                whose = scene.theirs if column == "theirs" else scene.ours
                body = registration(whose) if path.endswith(("/registrations", "/signups")) else b""
                body = BADGE if method == "PUT" else REPLAY if path.endswith("/replays") else body
                status, headers, content = await ask(
                    web, method, path.format(**place), asking.headers(who, place, body, forge), body
                )
                answer = Answer(
                    method=method,
                    path=path,
                    who=who,
                    column=column,
                    borrowed=place["mentor_id"] if column == "borrowed" else "",
                    status=status,
                    headers=dict(headers),
                    body=content,
                )
                answers.append(answer)
        return Walk(
            answers=answers,
            scene=scene,
            description=(await web.get("/openapi.json")).json(),
            addresses={route.path_format for route in create_web(web.services).routes},
            new_codes=count_codes(url) - codes_before,
        )


async def until_ready(web: Web) -> None:
    """Wait until the server has found what it needs."""
    for _ in range(100):
        if (await web.get("/health/ready")).status_code == 200:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError((await web.get("/health/ready")).text)


def count_codes(url: str) -> int:
    """Return how many codes are stored."""
    with psycopg.connect(url) as connection:
        (row,) = connection.execute("SELECT count(*) FROM referral_codes").fetchall()
    return int(row[0])


@pytest.fixture(scope="module", name="settings")
def settings_of_module(parts: real.Parts, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give the settings of an installation that only this module uses."""
    return load_settings(
        bootstrap_servers=parts.bootstrap_servers,
        database_url=parts.create_database(f"test_{uuid.uuid4().hex}", template=migrated_template),
        topic_prefix=f"test-{uuid.uuid4().hex[:12]}.",
        data_dir=tmp_path_factory.mktemp("matrix"),
    )


@pytest.fixture(scope="module")
def walk(settings: Settings) -> Walk:
    """Give the answers to every cell, asked once for all tests of the module."""
    return asyncio.run(walk_through(settings))


# -- the tests ---------------------------------------------------------------------------------------------------


def test_every_route_has_an_entry_and_every_entry_a_route(walk: Walk) -> None:
    """A route without an entry, or an entry without a route, is named."""
    described = {(method, path) for method, path, _ in operations(walk.description)}
    assert described - set(MATRIX) == set(), "say in tests/security_matrix.py who may do this"
    assert set(MATRIX) - described == set()
    assert walk.addresses - {path for _, path in described} == set(UNDESCRIBED)


def test_every_cell_is_answered_as_the_table_says(walk: Walk) -> None:
    """Each cell's status is the table's."""
    wrong = [
        f"{answer.cell}: {answer.status}, not {expected}"
        for answer in walk.answers
        if answer.status != (expected := MATRIX[answer.method, answer.path][answer.who, answer.column])
    ]
    assert not wrong, "\n".join(wrong)
    assert len(walk.answers) == sum(map(len, MATRIX.values()))
    assert {answer.status for answer in walk.answers} == {200, 201, 202, 204, 302, 401, 403, 404, 409}


def test_every_answer_is_as_described(walk: Walk) -> None:
    """Status, type and body are those of the OpenAPI description."""
    described = {(method, path): operation for method, path, operation in operations(walk.description)}
    wrong = [
        f"{answer.cell}: {fault}"
        for answer in walk.answers
        if (
            fault := fault_of(
                walk.description,
                described[answer.method, answer.path],
                answer.status,
                answer.headers.get("content-type", ""),
                answer.body,
            )
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_no_refusal_tells_anything(walk: Walk) -> None:
    """A 401, 403 or 404 has no trace of anybody; and 401 says what is needed."""
    traces = walk.scene.ours.traces() | walk.scene.theirs.traces()
    for answer in walk.answers:
        if answer.status in REFUSED:
            said = answer.body.decode() + str(answer.headers)
            assert not [trace for trace in traces if trace in said], answer.cell
        if answer.status == 401 and not answer.path.endswith("/registrations"):
            assert answer.headers["www-authenticate"].startswith("Bearer"), answer.cell


@pytest.mark.parametrize(("real_column", "unreal_column"), [("theirs", "nowhere"), ("borrowed", "unknown")])
def test_what_is_not_ones_own_looks_like_nothing(walk: Walk, real_column: str, unreal_column: str) -> None:
    """What another organisation has, and what does not exist at all, get the same answer, but for the date."""

    def answers(column: str) -> dict[tuple[str, str, str], tuple[int, dict[str, str], bytes]]:
        return {
            (answer.method, answer.path, answer.who): (
                answer.status,
                {name: value for name, value in answer.headers.items() if name != "date"},
                answer.body,
            )
            for answer in walk.answers
            if answer.column == column and not answer.who.startswith("their ") and answer.status in REFUSED
            if not answer.path.startswith(PUBLIC)
        }

    refused = answers(real_column)
    assert len(refused) > 20
    assert refused == answers(unreal_column)


def test_no_answer_shows_another_organisation(walk: Walk) -> None:
    """Whatever our people are answered holds nothing of theirs, and the other way round; nor does what is for all."""
    ours, theirs = walk.scene.ours.traces(), walk.scene.theirs.traces()
    shown = 0
    for answer in walk.answers:
        if answer.path.startswith(PUBLIC):
            continue
        mine, others = (theirs, ours) if answer.who.startswith("their ") else (ours, theirs)
        if answer.who in {"nobody", "forged"}:
            mine, others = set(), ours | theirs
        said = answer.body.decode() + str(answer.headers)
        assert not [trace for trace in others - {answer.borrowed} if trace in said], answer.cell
        shown += any(trace in said for trace in mine)
    assert shown > 50, "the traces are found where they may be"


def test_no_answer_names_a_member(walk: Walk) -> None:
    """The member whom the webhooks named is in no answer."""
    assert [answer.cell for answer in walk.answers if MEMBER in answer.body.decode() + str(answer.headers)] == []


def test_what_was_refused_left_nothing(walk: Walk) -> None:
    """Codes were made by the cells that say so, and by no other."""
    assert walk.new_codes == sum(answer.status == 201 for answer in walk.answers)


async def test_other_methods_are_refused_everywhere(settings: Settings) -> None:
    """What an address does not take is 405, with or without a token, and lists what it does take: HEAD where GET is."""
    taken: dict[str, set[str]] = {}
    for method, path in MATRIX:
        taken.setdefault(path, {"OPTIONS"}).update({"GET", "HEAD"} if method == "GET" else {method})
    ids = dict.fromkeys(("org_id", "mentor_id", "badge_id"), SOMEBODY) | {"code": UNKNOWN_CODE, "threshold": "1"}
    ids |= {"partition": "0", "offset": "0"}
    async with running_web(settings) as web:
        token = {"Authorization": f"Bearer {make_token('org_admin', org_id=SOMEBODY)}"}
        for path, methods in taken.items():
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - methods:
                for headers in ({}, token):
                    answer = await web.request(method, path.format(**ids), headers=headers)
                    assert answer.status_code == 405, (method, path)
                    assert {name.strip() for name in answer.headers["allow"].split(",")} == methods, path


def test_forgeries_are_what_they_should_be() -> None:
    """Each is refused for its own reason: the claims that they are made from are good ones."""
    good: Claims = {"role": "org_admin", "org_id": SOMEBODY}
    assert jwt.decode(make_token(**good), JWT_SECRET, ["HS256"], audience="referrals", issuer="referrals")
    headers = [forge(good) for forge in FORGERIES]
    assert len(set(headers)) == len(headers)
    assert f"Bearer {make_token(**good)}" not in headers
