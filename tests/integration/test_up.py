"""`referrals up` as a user runs it: the whole program, with data that is kept."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import yaml

from tests.commands_running import ROOT, RunningCommand, command, wait_until
from tests.mail_server import mail_server
from tests.monitoring import ask, scrape

pytestmark = pytest.mark.integration

ORG, MENTOR = str(uuid4()), str(uuid4())
CODE = "ABCDEFGH"
AT = "2026-11-20T10:00:00Z"


def addresses_of(up: RunningCommand) -> dict[str, Any]:
    """Return what `up --json` prints when it is ready."""
    addresses = json.loads(up.line_with("bootstrap_servers"))
    assert isinstance(addresses, dict)
    return addresses


def publish(addresses: dict[str, Any], *events: tuple[str, dict[str, Any]]) -> None:
    """Publish events by the command."""
    lines = "\n".join(json.dumps({"topic": topic, "value": value}) for topic, value in events)
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "commands", "publish", "-"],
        cwd=ROOT,
        env={**os.environ, "REFERRALS_BOOTSTRAP_SERVERS": addresses["bootstrap_servers"]},
        input=lines,
        text=True,
        check=False,
        capture_output=True,
    )
    assert ended.returncode == 0, ended.stderr  # why, and not only that


def confirmation() -> tuple[str, dict[str, Any]]:
    """Return a confirmed registration of a new member with the mentor's code."""
    return "registrations", {
        "attribution_id": str(uuid4()),
        "referral_code": CODE,
        "new_member_id": str(uuid4()),
        "status": "confirmed",
        "occurred_at": AT,
    }


def awards(addresses: dict[str, Any]) -> list[str]:
    """Return the names of the mentor's badges."""
    with psycopg.connect(addresses["database_url"]) as connection:
        rows = connection.execute(
            "SELECT name FROM badge_awards JOIN badge_definitions USING (badge_id) WHERE mentor_id = %s", [MENTOR]
        ).fetchall()
    return [name for (name,) in rows]


def assert_each_has_its_login(addresses: dict[str, Any]) -> None:
    """See that no component comes to Postgres as the owner of the tables."""
    with psycopg.connect(addresses["database_url"]) as connection:
        rows = connection.execute(
            "SELECT DISTINCT application_name, usename FROM pg_stat_activity WHERE application_name ~ '^referrals ' "
            "AND usename IS NOT NULL"
        ).fetchall()
    found = {(name.split()[1], login) for name, login in rows}
    wanted = {("badges", "badges"), ("counts", "counts"), ("history", "counts"), ("letters", "counts")}
    assert {(name, f"referrals.{login}") for name, login in wanted} <= found
    assert "referrals" not in {login for _, login in found}


def be_told(addresses: dict[str, Any], address: str) -> None:
    """Let the mentor be told of his badges at an address that he has confirmed."""
    with psycopg.connect(addresses["database_url"]) as connection:
        connection.execute(
            "INSERT INTO mail_subscriptions VALUES "
            "(%s, gen_random_uuid(), %s, 'mentor', 'badges', %s, 'nb', sha256('a'), now(), now())",
            [ORG, MENTOR, address],
        )


def assert_all_is_seen(urls: dict[str, str]) -> None:
    """See that each component says that it is well, and that alerts and dashboard ask for nothing that none exports."""
    assert urls.keys() == {"stream", "badges", "counts", "mail", "web"}
    for component, url in urls.items():
        wait_until(lambda url=url: ask(url, "/health/ready").status == 200)  # type: ignore[misc]  # it has a default
        assert ask(url, "/health/live").status == 200, component
    found = {component: scrape(url) for component, url in urls.items()}
    assert found["badges"].of("referrals_badge_decisions_total", decision="awarded") == 1
    assert found["stream"].of("referrals_milestones_total", threshold="5") == 1
    assert found["mail"].of("referrals_mails_total", kind="badge", outcome="sent") == 1
    assert found["web"].of("referrals_outbox_codes") == found["counts"].of("referrals_dead_letters_total") == 0
    exported = set().union(*(each.names for each in found.values()))
    operate = ROOT / "docs" / "operate"
    asked = [rule["expr"] for group in yaml.safe_load((operate / "alerts.yaml").read_text())["groups"] for rule in
             group["rules"]]  # fmt: skip
    asked += re.findall(r'"expr": "((?:[^"\\]|\\.)*)"', (operate / "dashboard.json").read_text())
    named = {name for each in asked for name in re.findall(r"\b(?:stream|referrals|process)_[a-z_]+\b", each)}
    assert named - exported == set()
    everything = " ".join(str(each) for each in found.values())
    assert [each for each in (ORG, MENTOR, CODE) if each in everything] == []


ISSUED = ("codes", {"referral_code": CODE, "org_id": ORG, "mentor_id": MENTOR, "issued_at": AT})


def test_up_runs_every_component_until_sigterm(tmp_path: Path) -> None:
    """A component and Kafka are killed, what is then published becomes an award; SIGTERM stops everything with 0.

    Meanwhile its data directory is in use: another start on it is refused, with the process that uses it.
    """
    with command("up", "--json", f"--data-dir={tmp_path}") as up:
        addresses = addresses_of(up)
        assert addresses.keys() == {"bootstrap_servers", "database_url", "web_url", "monitoring_urls"}
        second = subprocess.run(
            [sys.executable, "-P", "-m", "commands", "up", f"--data-dir={tmp_path}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        assert f"in use by process {up.process.pid}" in second.stderr
        up.component("badges").kill()
        up.kafka().kill()
        publish(addresses, ISSUED, confirmation())
        wait_until(lambda: awards(addresses) == ["First recruit"])
        status, rest = up.send(signal.SIGTERM)
        assert (status, rest) == (0, "")
        assert not up.left_running()


def test_the_start_after_a_sigkill_goes_on(tmp_path: Path) -> None:
    """An `up` that was killed leaves no process behind, and the next one goes on with its data.

    The second one is told of a mail server, and tells of a badge; the first one is not, and runs no `mail`.
    """
    with command("up", "--json", f"--data-dir={tmp_path}") as up, mail_server() as post:
        addresses = addresses_of(up)
        assert "mail" not in addresses["monitoring_urls"]
        publish(addresses, ISSUED, *(confirmation() for _ in range(4)))
        wait_until(lambda: awards(addresses) == ["First recruit"])
        assert up.send(signal.SIGKILL)[0] == -signal.SIGKILL
        with command("up", "--json", f"--data-dir={tmp_path}", **post.settings()) as again:
            addresses = addresses_of(again)
            assert not up.left_running()
            be_told(addresses, "kari@example.org")
            publish(addresses, confirmation())
            wait_until(lambda: sorted(awards(addresses)) == ["First recruit", "Five recruits"])
            wait_until(lambda: len(post.post.taken) == 1)
            assert post.post.to("kari@example.org")[0]["Subject"] == "Et nytt merke: Fem vervinger"
            assert_all_is_seen(addresses["monitoring_urls"])
            assert_each_has_its_login(addresses)
            assert again.send(signal.SIGTERM)[0] == 0
            assert not again.left_running()
