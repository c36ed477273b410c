"""One installation seen through, from a code to an award, each step by the component's own user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx

from tests.least_rights import Brokers, Users
from tests.snippets import run_by
from tests.terminal import Terminal
from tests.web import bearer

AT: Final = "2026-11-20T10:00:00Z"
COUNTS: Final = "SELECT total_clicks, confirmed_attributions FROM mentor_counts WHERE mentor_id = %s"
AT_WORK: Final = ("stream", "badges", "counts", "web")


def with_rights(users: Users[Brokers]) -> Users[Brokers]:
    """Give the components' users the rights of `acls apply`, twice, and let one of them make the topics."""
    who = ("--principals", "User:{component}")
    given = users.run(None, "acls", "apply", *who)
    assert f"added User:stream: Write on transactional-id all that begin with {users.prefix}stream-" in given
    assert users.run(None, "acls", "apply", *who, "--dry-run").startswith("0 to add, ")
    assert "lacks the right Describe on the cluster" in users.run("stream", "acls", "apply", *who, code=1)
    users.run("topics", "topics", "create")
    return users


def see_through(users: Users[Brokers], folder: Path) -> None:
    """Work from a code to an award, a sign-up, a reconciliation, a replay and an erasure, and verify."""
    org = users.told("registry", "orgs", "create", "Ours", "--landing-url", "https://example.org/join")["org_id"]
    mentor, other = str(uuid4()), str(uuid4())
    issued = users.told("registry", "codes", "issue", "--org", org, "--mentor", mentor)
    code = issued["referral_code"]
    with users.at_work(*AT_WORK):
        member = _publish(users, folder, code)
        users.wait_for("SELECT count(*) FROM badge_awards", (1,))
        _through_web(users, org, other, code)
        _reconcile(users, folder, org, code)
        users.wait_for(COUNTS, (2, 2), mentor)
        assert users.told("dead-letters", "dead-letters", "replay", "--all", "--unchecked")["sent"]
        _erase(users, folder, member)
        users.run("verify", "verify", "--wait", "30", "--no-checkpoint")
        users.run("verify", "explain", mentor)
    for name in AT_WORK:
        assert "uthoriz" not in users.log(name)
        assert "topic_caution" not in users.log(name)


def _publish(users: Users[Brokers], folder: Path, code: str) -> str:
    """Let a click and a confirmed member come, and a record that is none; return the member's id."""
    click = {"click_id": str(uuid4()), "referral_code": code, "occurred_at": AT}
    member = {"attribution_id": str(uuid4()), "referral_code": code, "new_member_id": str(uuid4())}
    member |= {"status": "confirmed", "occurred_at": AT}
    lines = [("clicks", click), ("registrations", member), ("clicks", {"referral_code": code})]
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps({"topic": topic, "value": value}) + "\n" for topic, value in lines))
    users.run("publish", "publish", str(file), "--unchecked")
    return str(member["new_member_id"])


def _through_web(users: Users[Brokers], org: str, mentor: str, code: str) -> None:
    """Follow a link, let a code be issued and a member sign up, and look at the pipeline."""
    url = users.web_url()
    headers = bearer("coordinator", org_id=org)
    assert (
        httpx.get(f"{url}/r/{code}", headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/144.0"}).status_code
        == 302
    )
    made = httpx.post(f"{url}/v1/orgs/{org}/mentors/{mentor}/referral-code", headers=headers)
    assert made.is_success, made.text
    signed = httpx.post(
        f"{url}/v1/orgs/{org}/signups",
        headers=bearer("onboarding", org_id=org),
        json={"referralCode": code, "newMemberId": str(uuid4())},
    )
    assert signed.is_success, signed.text
    users.wait_for("SELECT count(*) FROM referral_codes", (2,))
    looked = httpx.get(f"{url}/v1/orgs/{org}/pipeline", headers=headers).json()
    assert looked["state"] in {"ok", "behind"}, looked
    assert looked["deadLetters"] == 1


def _erase(users: Users[Brokers], folder: Path, member: str) -> None:
    """Erase a member as the page says: he is asked about, then named on standard input, then looked for."""
    (folder / "terminal").mkdir(exist_ok=True)
    terminal = Terminal(folder / "terminal", **users.environment("erase-member"), MEMBER=member)
    (snippet,) = run_by("tests/least_rights_at_work.py", "docs/erasure.md")
    said = terminal.paste(f"echo y | {snippet.text}")
    (again,) = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert again["done"]
    assert member not in said


def _reconcile(users: Users[Brokers], folder: Path, org: str, code: str) -> None:
    """Let the membership system have a member who was never confirmed here."""
    file = folder / "members.csv"
    file.write_text(f"member_id,referral_code,status,confirmed_at\n{uuid4()},{code},confirmed,{AT}\n")
    users.run("registry", "reconcile", "configure", "--org", org, "--kind", "csv", "--url", str(file))
    users.run("reconcile", "reconcile")
