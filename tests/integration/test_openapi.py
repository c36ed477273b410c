"""The HTTP side attacked from its own description by Schemathesis: no 5xx, and every answer as described.

The description is given the ids of organisations and mentors that exist, so that requests get past 404. The seed is
fixed, the number of examples bounded: what is found once is found again.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, cast

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edges.registry.tokens import Role
from edges.web import organisation
from edges.web.answers.answer import camel
from edges.web.answers.organisation import Channels
from edges.web.openapi import WEBHOOK
from edges.web.posted import PostedRegistration
from edges.web.routes import events
from models.badges import FIRST_RECRUIT
from operations.topics import create_topics
from process.settings import Settings
from schemas.openapi import openapi_document
from schemas.referrals_client import Client, Problem
from tests.mail_server import SENDER
from tests.openapi import fault_of, operations
from tests.two_organisations import LETTER_OF, TwoOrganisations, plant
from tests.web import Web, bearer, running_web, with_tokens

pytestmark = pytest.mark.integration

CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "allow_header_conformance",
    "ignored_auth",
    "missing_required_header",
    "negative_data_rejection",
    "unsupported_method",
)
EXAMPLES: Final = 15
"""For each operation and phase."""
ENDS_SOON: Final = ("--mode", "positive", "--max-examples", "3", "--max-failures", "1", "--no-shrink")
OF_COORDINATORS: Final = {"organisation", "lists", "badges", "dead-letters"}
"""Tags of what mentors are refused."""
OF_A_MENTOR: Final = {
    f"GET /v1/orgs/{{org_id}}/mentors/{{mentor_id}}/{what}" for what in ("standing", "awards/{badge_id}/evidence")
}
"""What coordinators are told of a mentor and he is not."""
SIGN_IN: Final = {"POST /v1/session", "POST /v1/sign-in/mail"}
NOBODY: Final = "00000000-0000-4000-8000-000000000000"
BADGE: Final = "00000000-0000-4000-8000-00000000000b"


@pytest.fixture
async def web(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Web]:
    """Give a running server, whose endless answers end at once."""
    monkeypatch.setattr(events, "LIFETIME_S", 0.0)
    create_topics(settings)
    async with running_web(settings, smtp_host="127.0.0.1", mail_from=SENDER) as web:
        for _ in range(100):
            if (await web.get("/health/ready")).status_code == 200:
                break
            await asyncio.sleep(0.1)
        yield web


@pytest.fixture
async def scene(settings: Settings) -> TwoOrganisations:
    """Give two organisations."""
    return await plant(with_tokens(settings))


def narrowed(document: dict[str, Any], scene: TwoOrganisations) -> dict[str, Any]:
    """Return the description with ids that name something, and some that name nothing, and codes as examples."""
    ours, theirs = scene.ours, scene.theirs
    known = {
        "org_id": {"enum": [ours.org_id, theirs.org_id, NOBODY]},
        "mentor_id": {"enum": [*ours.mentors[:2], theirs.mentors[0], NOBODY]},
        "badge_id": {"enum": [BADGE, FIRST_RECRUIT]},
        "partition": {"enum": [0, 1]},
        "offset": {"enum": [*LETTER_OF.values(), 7]},
        "code": {"examples": [*ours.codes.values()][:3]},  # no enum: there is no code that is not led on
    }
    narrow: dict[str, Any] = json.loads(json.dumps(document))
    for _, _, operation in operations(narrow):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] |= known.get(parameter["name"], {})
    return narrow


async def attack(
    web: Web, description: dict[str, Any], folder: Path, headers: dict[str, str], *more: str
) -> tuple[int, str]:
    """Run Schemathesis as somebody; return its exit code and what it says."""
    file = folder / "openapi.json"
    file.write_text(json.dumps(description))
    arguments = [
        *("run", str(file), "--url", str(web.base_url), "--no-color", "--continue-on-failure", "--warnings", "off"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES)),
        *("--generation-deterministic", "--suppress-health-check", "all", "--max-redirects", "0"),
        *(argument for name, value in headers.items() for argument in ("--header", f"{name}:{value}")),
        *more,
    ]
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", *arguments),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await program.communicate()
    return program.returncode or 0, output.decode()


async def statuses(web: Web) -> dict[str, set[int]]:
    """Return the statuses that each route has answered, as the server counts them."""
    found: dict[str, set[int]] = {}
    for labels in re.findall(r"^referrals_http_requests_total\{(.*)\}", (await web.get("/metrics")).text, re.MULTILINE):
        label = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        found.setdefault(f"{label['method']} {label['route']}", set()).add(int(label["status"]))
    return found


async def test_description_is_the_committed_one(web: Web) -> None:
    """What is served is what `referrals schemas` writes."""
    assert (await web.get("/openapi.json")).json() == openapi_document()


@pytest.mark.parametrize("role", ["org_admin", pytest.param("mentor", marks=pytest.mark.long)])
async def test_nothing_breaks_and_all_is_as_described(
    web: Web, scene: TwoOrganisations, tmp_path: Path, role: Role
) -> None:
    """Whatever an administrator (he may what a coordinator may) or a mentor sends: no 5xx, and answers as described.

    And each route was got through to.
    """
    headers = bearer(role, org_id=scene.ours.org_id, subject=scene.ours.mentors[0])
    description = openapi_document()
    code, said = await attack(web, narrowed(description, scene), tmp_path, headers)
    assert code == 0, said
    answered = await statuses(web)
    assert max(status for found in answered.values() for status in found) < 500
    for method, path, operation in operations(description):
        place, tag = f"{method} {path}", operation["tags"][0]
        if tag == "onboarding" or (role == "mentor" and (tag in OF_COORDINATORS or place in OF_A_MENTOR)):
            assert 403 in answered[place]
        elif place in SIGN_IN:
            assert 403 in answered[place]  # no page of ours sent it
        elif tag == "credentials":
            assert 404 in answered[place]  # this server has no address that others could verify one by
        elif tag != "webhooks":
            assert answered[place] & {200, 204, 302}, place


@pytest.mark.parametrize(
    ("operation", "planted", "found"),
    [
        ("daily", ZeroDivisionError(), "Server error"),
        ("channels", Channels(channels="all"), "Response violates schema"),  # type: ignore[arg-type]  # the fault
    ],
)
async def test_a_planted_fault_is_found(
    web: Web,
    scene: TwoOrganisations,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    planted: object,
    found: str,
) -> None:
    """A route that breaks, and one that answers otherwise than it says, are named."""

    async def answer(*_: object, **__: object) -> object:
        if isinstance(planted, Exception):
            raise planted
        return planted

    monkeypatch.setattr(organisation, operation, answer)
    headers = bearer("coordinator", org_id=scene.ours.org_id)
    description = openapi_document()
    (place,) = description["paths"][f"/v1/orgs/{{org_id}}/{operation}"]["get"]["parameters"][:1]
    place["schema"]["enum"] = [scene.ours.org_id]
    with capture_logs():  # tracebacks
        code, said = await attack(web, description, tmp_path, headers, "--include-operation-id", operation, *ENDS_SOON)
    assert code == 1, said
    assert found in said


async def test_the_client_asks_the_real_server(web: Web, scene: TwoOrganisations) -> None:
    """The generated one, by its types: figures, a list, bytes; and what is refused is a Problem with the fields."""
    org_id, mentor_id = scene.ours.org_id, scene.ours.mentors[0]
    url = str(web.base_url)
    client = Client(url, bearer("coordinator", org_id=org_id)["Authorization"].removeprefix("Bearer "))

    def ask() -> None:
        assert client.ready()["status"] == "ready"
        assert client.summary(org_id)["orgId"] == org_id
        (first,) = client.leaderboard(org_id, limit=1)["entries"]
        assert (first["rank"], first["mentorId"] in scene.ours.mentors) == (1, True)
        assert len(client.daily(org_id, days=7)["days"]) == 7
        assert client.counts(org_id, mentor_id, channel="sms")["channel"] == "sms"
        assert client.issue_code(org_id, mentor_id)["referralCode"] == scene.ours.codes[mentor_id]
        assert b"<svg" in client.qr_code(org_id, mentor_id)
        signed_in = client.who_is_signed_in()
        assert signed_in is not None
        assert (signed_in["orgId"], Client(url).who_is_signed_in()) == (org_id, None)
        for refused, status, fields in (
            (lambda: client.leaderboard(org_id, limit=0), 422, ["limit"]),
            (lambda: client.summary(f"{org_id}/../x?"), 404, []),
            (lambda: Client(url).summary(org_id), 401, []),
        ):
            with pytest.raises(Problem) as problem:
                refused()
            assert problem.value.status == status
            assert [error["field"] for error in problem.value.errors] == fields
            assert problem.value.detail

    await asyncio.to_thread(ask)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES: Final = [camel(name) for name in PostedRegistration.__struct_fields__]
LOWER: Final = {name.lower() for name in NAMES}
spoilt_fields = st.dictionaries(st.sampled_from(NAMES), anything, max_size=1)


async def test_signed_webhooks_are_answered_as_described(web: Web, scene: TwoOrganisations) -> None:
    """Bodies that the description allows, and such with a field put out of place, all signed: 202 or 422, no other."""
    sender = scene.ours.sender
    description = openapi_document()
    operation = description["paths"][WEBHOOK]["post"]
    described = schemathesis.openapi.from_dict(description)[WEBHOOK]["POST"]
    counts: Counter[int] = Counter()

    @hypothesis.settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(described.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE), spoilt_fields)
    def post(case: schemathesis.Case[Any], spoilt: dict[str, Any]) -> None:
        # A name of ours in another case is that field once more; that it may be made up depends on what was imported.
        described_body = cast("dict[str, Any]", case.body)
        posted = {name: value for name, value in described_body.items() if name in NAMES or name.lower() not in LOWER}
        posted["orgId"] = scene.ours.org_id
        if posted.get("occurredAt"):
            # Not ahead of us, and not before there were links.
            posted["occurredAt"] = max("2000-01-03T10:00:00Z", min(posted["occurredAt"], "2026-11-20T10:00:00Z"))
        posted |= spoilt
        content = json.dumps(posted).encode()
        answer = client.post(sender.path, content=content, headers=sender.sign(content))
        counts[answer.status_code] += 1
        assert answer.status_code in ({202, 422} if spoilt else {202}), (posted, answer.text)
        fault = fault_of(description, operation, answer.status_code, answer.headers["content-type"], answer.content)
        assert not fault, fault

    with httpx.Client(base_url=web.base_url, timeout=30.0) as client:
        await asyncio.to_thread(post)
    assert min(counts[202], counts[422]) > 10
