"""Dataverse from `reconcile configure` to the member in the topic: the secret sealed, changes asked for, peace kept."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from edges.reconciliation.errors import BadSource
from process.settings import Settings
from tests.dataverse import CLIENT_ID, SECRET, Dataverse, Refusal, running_dataverse
from tests.membership_system import MembershipSystem, running_membership_system
from tests.reconciliation_scene import CODE, Scene, at, member_id
from tests.registry import SECRET_KEYS
from tests.snippets import Snippet, run_by

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

MAPPING = [
    "--field", "member_id=contactid", "--field", "referral_code=cr4f1_referralcode", "--field", "status=statecode",
    "--field", "confirmed_at=cr4f1_memberon", "--status", "0=confirmed", "--status", "1=withdrawn",
    "--mark", "merged=withdrawn", "--mark", "deleted=withdrawn",
]  # fmt: skip


@pytest.fixture
def system() -> Iterator[MembershipSystem]:
    """Give a membership system that nobody asks."""
    with running_membership_system() as running:
        yield running


@pytest.fixture
def dataverse() -> Iterator[Dataverse]:
    """Give an environment with three contacts in pages of two, one of them deactivated."""
    with running_dataverse() as running:
        running.rows = [contact(1), contact(2, statecode=1), contact(3)]
        running.page_rows_max = 2
        yield running


@pytest.fixture
def scene(settings: Settings, system: MembershipSystem) -> Scene:
    """Give two organisations, and keys that secrets are sealed with."""
    return Scene(settings.model_copy(update={"partitions": 2, "secret_keys": SecretStr(SECRET_KEYS)}), system)


def contact(number: int, **changed: object) -> dict[str, Any]:
    """Return a contact as Dataverse gives it."""
    row = {
        "@odata.etag": f'W/"{number}"', "contactid": member_id(number), "cr4f1_referralcode": CODE, "statecode": 0,
        "cr4f1_memberon": at(number), "modifiedon": at(number), "merged": False,
    }  # fmt: skip
    return row | changed


def configured(scene: Scene, dataverse: Dataverse, *more: str, url: str | None = None, secret: str = SECRET) -> str:
    """Run `reconcile configure` as docs/dynamics.md has it, and return what it says."""
    status, output, errors = scene.run(
        "configure", "--org", scene.org_id, "--kind", "odata",
        "--url", url or f"{dataverse.url}?$filter=modifiedon ge {{since}}",
        "--client-id", CLIENT_ID, "--client-secret-from-env", "DYNAMICS_SECRET", "--token-url", dataverse.token_url,
        "--scope", f"{dataverse.origin}/.default", *MAPPING, *more, DYNAMICS_SECRET=secret,
    )  # fmt: skip
    assert status == 0, errors
    return output


def test_from_the_client_to_the_member(scene: Scene, dataverse: Dataverse) -> None:
    """A preview, every page, a token renewed on the way; the deactivated are withdrawn, the secret is nowhere."""
    scene.registration(2, minute=1)
    output = configured(scene, dataverse)
    assert "1 confirmed, 1 withdrawn" in output
    dataverse.token_uses = 1
    status, output, errors = scene.run("--json")
    assert status == 0, errors
    (run,) = json.loads(output)["runs"]
    assert (run["back_filled"], run["withdrawn"], run["complete"]) == (2, 1, True)
    assert sorted(scene.statuses()) == [(1, "confirmed"), (2, "confirmed"), (2, "withdrawn"), (3, "confirmed")]
    kept = scene.query("SELECT source::text FROM membership_sources AS source") + scene.query(
        "SELECT encode(sealed, 'escape') FROM organisation_secrets"
    )
    assert SECRET not in str(kept) + output + errors
    assert member_id(1) not in errors + str(scene.runs())


def test_what_the_page_says_goes_from_a_preview_to_the_members(scene: Scene, dataverse: Dataverse) -> None:
    """Word for word, but for where Dataverse and its tokens are; then the same without `--preview`."""
    scene.registration(2, minute=1)
    configure, reconcile = run_by("tests/integration/test_reconciliation_dataverse.py", "docs/dynamics.md")
    (words,) = commands_of(configure, scene)
    place = words.index("--url") + 1
    words[place] = words[place].replace(words[place].partition("?")[0], dataverse.url)
    place = words.index("--tenant")
    words[place : place + 2] = ["--token-url", dataverse.token_url, "--scope", f"{dataverse.origin}/.default"]
    words[words.index("CLIENT_ID")] = CLIENT_ID
    for arguments in (words, [word for word in words if word != "--preview"]):
        assert scene.query("SELECT FROM membership_sources") == []
        status, output, errors = scene.run(*arguments, DYNAMICS_SECRET=SECRET)
        assert status == 0, errors
        assert "1 confirmed, 1 withdrawn" in output
    for arguments in commands_of(reconcile, scene):
        status, output, errors = scene.run(*arguments)
        assert status == 0, output + errors
    assert sorted(scene.statuses()) == [(1, "confirmed"), (2, "confirmed"), (2, "withdrawn"), (3, "confirmed")]


def commands_of(snippet: Snippet, scene: Scene) -> list[list[str]]:
    """Return the words of each `referrals reconcile ...` of a block, without these two."""
    text = snippet.text.replace("\\\n", " ").replace("$ORG", scene.org_id)
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words[2:] for words in lines if words[:2] == ["referrals", "reconcile"]]


def test_a_wrong_secret_saves_nothing(scene: Scene, dataverse: Dataverse) -> None:
    """The preview is refused before anything is kept."""
    with pytest.raises(AssertionError, match="AADSTS7000215"):
        configured(scene, dataverse, secret="wrong")  # noqa: S106  it opens nothing
    assert scene.query("SELECT FROM membership_sources") == []
    assert scene.query("SELECT FROM organisation_secrets") == []


def test_changes_alone_are_asked_for(scene: Scene, dataverse: Dataverse) -> None:
    """The first run reads all, the next what has changed; a link that is no longer kept begins again with all."""
    configured(scene, dataverse, "--delta", url=dataverse.url)
    (first,) = scene.reconcile()
    assert (first.error, first.counts.back_filled) == (None, 2)
    deleted = {"@odata.context": "x/$metadata#contacts/$deletedEntity", "id": member_id(3), "reason": "deleted"}
    dataverse.changes = [contact(4), deleted]
    dataverse.asked.clear()
    (second,) = scene.reconcile()
    assert (second.error, second.counts.members_read, second.counts.back_filled, second.counts.withdrawn) == (
        None,
        2,
        1,
        1,
    )
    assert [asked.partition("?")[2][:12] for asked in dataverse.asked] == ["$deltatoken="]

    dataverse.is_delta_kept = False
    dataverse.rows.append(contact(5))
    (third,) = scene.reconcile()
    assert (third.error, third.counts.members_read, third.counts.back_filled) == (None, 4, 1)
    dataverse.is_delta_kept = True
    dataverse.changes = []
    (fourth,) = scene.reconcile()
    assert (fourth.error, fourth.counts.members_read) == (None, 0)


def test_five_minutes_of_peace_are_kept(scene: Scene, dataverse: Dataverse) -> None:
    """The run waits, and goes on with the page that was refused."""
    configured(scene, dataverse)
    dataverse.asked.clear()
    dataverse.refusals = {2: Refusal(429, {"Retry-After": "300"})}
    pauses: list[float] = []
    (run,) = scene.reconcile(sleep=pauses.append)
    assert (run.error, run.counts.members_read) == (None, 3)
    assert len(pauses) == 1
    assert 290 < pauses[0] <= 300


def test_a_client_secret_goes_where_it_was_given_for(scene: Scene, dataverse: Dataverse) -> None:
    """Neither another environment nor another grantor of tokens gets the secret that is kept."""
    configured(scene, dataverse)
    (client,) = scene.query("SELECT client FROM membership_sources")[0]
    with pytest.raises(BadSource, match="another origin"):
        scene.configure("https://evil.example/api/data/v9.2/contacts")
    with running_dataverse() as other:
        status, _, errors = scene.run(
            "configure", "--org", scene.org_id, "--kind", "odata", "--url", dataverse.url, "--client-id", CLIENT_ID,
            "--token-url", other.token_url, "--scope", "x", *MAPPING,
        )  # fmt: skip
        assert status == 1
        assert "the client has no secret" in errors
        assert other.granted == 0
    assert scene.query("SELECT client FROM membership_sources") == [(client,)]
