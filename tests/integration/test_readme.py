"""README.md is followed to the letter: every block of it that a person would paste, in its order, exit codes asserted.

Only what names the reader's own machines is replaced: the addresses in "On your own cluster".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest

from local.parts import Parts
from process.settings import Settings
from tests.commands_running import wait_until
from tests.contract import ROOT, blocks
from tests.terminal import Terminal

pytestmark = pytest.mark.integration

README: Final = "README.md"
TRY, USE, CLUSTER = "Try it", "Use it", "On your own cluster"
KAFKA: Final = "kafka:9092"
POSTGRES: Final = "postgresql://referrals:secret@postgres:5432/referrals?sslmode=disable"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Give a terminal of somebody who has set nothing but where data is kept."""
    return Terminal(tmp_path, REFERRALS_DATA_DIR=str(tmp_path / "data"))


def test_no_block_is_left_out() -> None:
    """What the tests below run is all that there is; CONTRACT.md has nothing to paste."""
    everything = [text for file in (README, "CONTRACT.md") for text in fenced(file)]
    assert everything == [block for heading in (TRY, USE, CLUSTER) for block in blocks(README, heading, "sh")]


def fenced(file: str) -> list[str]:
    """Return the blocks of shell commands in a file."""
    return re.findall(r"^```sh\n(.*?)^```$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """Return the lines of a block of which each is a command, without what is said of it."""
    return [line.partition("#")[0].strip() for line in block.splitlines()]


def test_first_commands(terminal: Terminal) -> None:
    """The demo verifies itself. The other command is the one that runs this test."""
    (block,) = blocks(README, TRY, "sh")
    demo, test = commands(block)
    assert test == "./referrals test"
    assert "verified: " in terminal.paste(demo)


def test_an_installation_is_used(terminal: Terminal) -> None:
    """From an organisation to a member confirmed by a signed webhook; events from a file; the oracle agrees."""
    up, member, events = blocks(README, USE, "sh")
    (command,) = commands(up)
    with terminal.running(command) as (process, log):

        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()
            return "data and logs are in" in log.read_text()

        wait_until(is_ready)
        names = ("CODE", "MENTOR", "ORG", "TOKEN", "WEB")
        printed = terminal.paste(member, events, *(f'echo "${name}"' for name in names))
        assert "302 Found" in printed
        assert printed.count("202 Accepted") == 2  # the onboarding screen's, and the webhook
        assert "published 2 lines (clicks.v1 1, registrations.v1 1)" in printed
        assert re.search(r"^clean: \d+ source records", printed, re.MULTILINE), printed
        _, mentor_id, org_id, token, web = printed.splitlines()[-len(names) :]
        headers = {"Authorization": f"Bearer {token}"}
        path = f"{web}/v1/orgs/{org_id}/mentors/{mentor_id}"

        def counts() -> tuple[int, int, int]:
            answer = httpx.get(f"{path}/attribution-counts", headers=headers).json()
            return answer["totalClicks"], answer["pendingAttributions"], answer["confirmedAttributions"]

        wait_until(lambda: counts() == (2, 1, 1))
        wait_until(lambda: len(httpx.get(f"{path}/awards", headers=headers).json()["awards"]) == 1)
        assert (terminal.directory / "data" / "keys.json").stat().st_mode & 0o777 == 0o600


def test_on_somebodys_own_cluster(terminal: Terminal, parts: Parts, settings: Settings) -> None:
    """Topics, tables, every component; an organisation, its mentors, and where its members are listed."""
    set_up, components, organisation = blocks(README, CLUSTER, "sh")
    assert KAFKA in set_up
    assert POSTGRES in set_up
    set_up = set_up.replace(KAFKA, parts.bootstrap_servers).replace(POSTGRES, settings.database_url)
    terminal.env |= own_names(settings)
    printed = terminal.paste(set_up, "env")
    terminal.env |= dict(re.findall(r"^(REFERRALS_\w+)=(.*)$", printed, re.MULTILINE))
    assert {"REFERRALS_SECRET_KEYS", "REFERRALS_JWT_SECRET"} <= terminal.env.keys()
    with ExitStack() as stack:
        web: Path | None = None
        for command in commands(components):
            _, log = stack.enter_context(terminal.running(command))
            web = log if command.endswith("web") else web
        assert web is not None
        wait_until(lambda: "http://" in web.read_text())
        printed = terminal.paste(organisation, "./referrals verify")
        assert "1 new" in printed or "1 mentor" in printed, printed
        assert re.search(r"^clean: 1 source records", printed, re.MULTILINE), printed


def own_names(settings: Settings) -> Mapping[str, str]:
    """Return the settings by which this installation does not meet those of other tests on the same servers."""
    return {
        "REFERRALS_TOPIC_PREFIX": settings.topic_prefix,
        "REFERRALS_APP_ID": settings.app_id,
        "REFERRALS_PARTITIONS": str(settings.partitions),
        "REFERRALS_WEB_PORT": "0",
    }
