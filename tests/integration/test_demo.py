"""`referrals demo` as a user runs it, without a terminal."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import httpx
import jwt
import pytest

from tests.commands_running import RunningCommand, command, wait_until

pytestmark = pytest.mark.integration

SMALL = ("demo", "--mentors=60", "--events-per-second=300")
STOPPED_BY_SIGTERM = 143


def data_dir_of(demo: RunningCommand) -> Path:
    """Return the demo's temporary directory, which it names when the servers run."""
    found = re.search(r"logs in (\S+)/logs", demo.line_with("logs in "))
    assert found
    return Path(found[1])


def lines_of(data_dir: Path) -> list[str]:
    """Return what the components have logged so far."""
    return [line for log in (data_dir / "logs").glob("*.log") for line in log.read_text().splitlines()]


@pytest.mark.long
def test_demo_verifies_itself_and_leaves_nothing() -> None:
    """A demo shows milestones and awards, the oracle agrees, and no process and no file is left."""
    with command(*SMALL, "--seconds=4") as demo:
        data_dir = data_dir_of(demo)
        demo.line_with("the first award is there")
        assert not [line for line in lines_of(data_dir) if '"level":"error"' in line]
        status, rest = demo.end()
        assert status == 0, rest
        verdict = re.search(
            r"verified: ([\d,]+) events, [1-9]\d mentors, (\d+) milestones, (\d+) awards: .* agrees", rest
        )
        assert verdict, rest
        assert verdict[2] == verdict[3] != "0"
        assert not demo.left_running()
        assert not data_dir.exists()


def test_the_dashboard_shows_what_the_demo_shows_and_ctrl_c_still_verifies() -> None:
    """The printed address leads to a page, and its token to the counts of an organisation that has a name.

    The demo, which was to run for an hour, is interrupted then, and what was sent until then is verified.
    """
    with command(*SMALL, "--seconds=3600") as demo:
        found = re.search(r"dashboard of (\w+): (http://\S+)/dashboard#token=(\S+)", demo.line_with("dashboard of"))
        assert found
        name, web, token = found.groups()
        org_id = jwt.decode(token, options={"verify_signature": False})["org"]
        demo.line_with("the first award is there")
        assert "text/html" in httpx.get(f"{web}/dashboard").headers["content-type"]
        with httpx.Client(base_url=f"{web}/v1/orgs/{org_id}", headers={"Authorization": f"Bearer {token}"}) as told:
            assert told.get("/summary").json()["name"] == name
            wait_until(lambda: told.get("/summary").json()["totalClicks"] > 0)  # counts follow the milestones
        status, rest = demo.send(signal.SIGINT)
        assert status == 0, rest
        assert "everything agrees" in rest
        assert not demo.left_running()


@pytest.mark.long
def test_sigterm_stops_a_demo_in_the_middle() -> None:
    """SIGTERM stops everything at once and in order, without a verdict."""
    with command(*SMALL, "--seconds=3600") as demo:
        data_dir = data_dir_of(demo)
        demo.line_with("processed")
        status, rest = demo.send(signal.SIGTERM)
        assert status == STOPPED_BY_SIGTERM
        assert "agrees" not in rest
        assert not demo.left_running()
        assert not data_dir.exists()
