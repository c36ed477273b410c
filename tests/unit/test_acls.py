"""What `acls` gives each component, without a cluster; tests/integration/test_secured.py tries it on a real one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from itertools import pairwise

import pytest
from click.testing import CliRunner

from commands.acls import command
from operations.acls import Component

WRITES = {
    "referrals.codes.v1": {"stream", "web", "registry", "publish", "dead-letters"},
    "referrals.clicks.v1": {"stream", "web", "publish", "dead-letters"},
    "referrals.registrations.v1": {"stream", "web", "reconcile", "publish", "dead-letters", "erase-member"},
    "referrals.mentor-counts.v1": {"stream"},
    "referrals.milestones.v1": {"stream"},
    "referrals.dead-letters.v1": {"stream", "badges", "counts"},
    "referral-streams-mentors-changelog": {"stream"},
}
"""The app moves records within its sources, and a replay writes to them as `publish` does."""


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRALS_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("REFERRALS_SECURITY_PROTOCOL", "PLAINTEXT")


def printed(*arguments: str, code: int = 0) -> str:
    """Return what `acls print` says."""
    done = CliRunner().invoke(command, ["print", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def acls(*arguments: str) -> list[dict[str, str]]:
    """Return what it prints, ACL by ACL."""
    return [json.loads(line) for line in printed(*arguments, "--json").splitlines()]


def who(found: Iterable[dict[str, str]], operation: str, name: str) -> set[str]:
    """Return the components that have a right."""
    return {acl["component"] for acl in found if (acl["operation"], acl["name"]) == (operation, name)}


def test_who_writes_what() -> None:
    """As the contract's table of topics says; and only one fences workers, or makes topics of the contract."""
    found = acls()
    assert {name: who(found, "Write", name) for name in WRITES} == WRITES
    assert who(found, "Write", "referral-streams-") == {"stream"}
    assert {acl["component"] for acl in found if acl["operation"] == "AlterConfigs"} == {"topics"}
    assert {acl["component"] for acl in found if acl["operation"] == "Create"} == {
        *("topics", "dead-letters"),
        "web",  # which replays too: the notes
    }
    assert {acl["component"] for acl in found} == set(Component)


def test_names_follow_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two prefixes have no name in common, users included."""
    default = {(acl["resource"], acl["name"]) for acl in acls()} | {acl["principal"] for acl in acls()}
    monkeypatch.setenv("REFERRALS_TOPIC_PREFIX", "birch.")
    other = acls()
    assert all(acl["name"].startswith("birch.") for acl in other)
    assert default.isdisjoint({(acl["resource"], acl["name"]) for acl in other} | {acl["principal"] for acl in other})


def test_a_command_gives_what_a_line_says() -> None:
    """Operations and names of each kafka-acls command, multiplied, are the same ACLs; a subject needs no quoting."""
    given = set()
    for line in printed("--component", "web", "--principal", "web=User:CN=web 1,O=Birch").splitlines()[1:]:
        words = shlex.split(line)
        assert words[words.index("--allow-principal") + 1] == "User:CN=web 1,O=Birch"
        pairs = list(pairwise(words))
        pattern = "prefixed" if ("--resource-pattern-type", "prefixed") in pairs else "literal"
        for kind in ("topic", "group", "transactional-id"):
            names = [value for option, value in pairs if option == f"--{kind}"]
            operations = [value for option, value in pairs if option == "--operation"]
            given |= {(kind.replace("-", "_"), name, pattern, each) for name in names for each in operations}
    fields = ("resource", "name", "pattern", "operation")
    assert given == {tuple(acl[field] for field in fields) for acl in acls("--component", "web")}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--principal", "stram=User:x"), "'stram' is no component: give one of stream, badges"),
        (("--principal", "stream=x"), "'x' is no principal: it begins with User:"),
        (("--principals", "{component}"), "a principal begins with User:"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], says: str) -> None:
    """With what would be right."""
    assert says in " ".join(printed(*arguments, code=2).replace("│", "").split())
