"""`referrals mail` as a process: what it needs, and that one that hangs ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from commands.mail import command
from edges.mail.metrics import YOUNG_S, MailHealth, MailState
from edges.mail.relay import MailRelay
from process.settings import Settings, SettingsError, load_settings
from tests.mail_server import SENDER, mail_server

ROOT: Final = Path(__file__).resolve().parents[2]
DEADLINE_S: Final = 60.0
HANGS: Final = """
import time
import edges.mail.metrics
import edges.mail.relay
from commands.mail import command

edges.mail.metrics.STANDS_S = 0.3

async def hang(self):
    self._turn()
    time.sleep(60)  # where no other turn can come

edges.mail.relay.MailRelay.run = hang
command([])
"""
WHOLE: Final = {"smtp_host": "127.0.0.1", "mail_from": SENDER, "public_url": "https://refer.example.org"}
IN_THE_CLEAR: Final = {"smtp_host": "mail.example.org", "smtp_security": "none", "smtp_username": "a"}


def test_one_that_hangs_ends_with_its_stacks(tmp_path: Path) -> None:
    """Whoever runs it starts it again."""
    settings = {**WHOLE, "data_dir": str(tmp_path), "monitoring_port": "off"}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")}
    done = subprocess.run(
        [sys.executable, "-c", HANGS],
        cwd=ROOT,
        env=ours | {f"REFERRALS_{name.upper()}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1
    assert "Timeout (0:00:00.3" in done.stderr
    assert "in hang" in done.stderr


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"smtp_host": None}, "REFERRALS_SMTP_HOST: not set"),
        ({"mail_from": None}, "REFERRALS_MAIL_FROM is not"),
        ({"mail_from": "Alder"}, "nobody whom mail can be from"),
        ({"public_url": None}, "REFERRALS_PUBLIC_URL: not set"),
        ({"smtp_password": "canary-password"}, "REFERRALS_SMTP_USERNAME and REFERRALS_SMTP_PASSWORD go together"),
        ({"smtp_ca_location": "/nowhere"}, "REFERRALS_SMTP_CA_LOCATION: /nowhere cannot be read"),
        ({"smtp_port": "465"}, "set REFERRALS_SMTP_SECURITY to tls"),
        (IN_THE_CLEAR | {"smtp_password": "canary-password"}, "a password would cross the network"),
    ],
)
def test_what_it_needs_is_named(changed: dict[str, str | None], named: str) -> None:
    """A mail server, whom mail is from, where the pages are, both halves of a sign-in; never a value that is secret."""
    given = {name: value for name, value in (WHOLE | changed).items() if value is not None}
    load: Callable[..., Settings] = load_settings
    with pytest.raises(SettingsError) as fault:
        MailRelay(load(**given), MailState())
    assert named in str(fault.value)
    assert "canary" not in str(fault.value)


@pytest.mark.parametrize("domain", ["elsewhere.example", SENDER.rpartition("@")[2].rstrip(">")])
def test_an_address_elsewhere_may_be_refused_because_nothing_is_relayed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, domain: str
) -> None:
    """OpenSMTPD says the same of both, so it is said as a possibility; of an address at home it is none."""
    address = f"kari@{domain}"
    with mail_server() as server:
        server.post.refuses = {address: "550 Invalid recipient"}
        for name, value in {**server.settings(), "data_dir": tmp_path}.items():
            if value is not None:
                monkeypatch.setenv(f"REFERRALS_{name.upper()}", str(value))
        result = CliRunner().invoke(command, ["test", address])
    assert result.exit_code == 1
    said = " ".join(result.output.replace("│", " ").split())
    assert "refuses the address: 550" in said
    assert ("does not relay for this installation" in said) is (domain == "elsewhere.example")


def test_a_loop_that_waits_for_an_answer_is_not_ready_before_it_is_dead() -> None:
    """A Postgres that is stopped keeps its connections, so nothing fails: the loop does not turn."""
    state = MailState()
    state.has_looked = True
    assert MailHealth(state).ready() == {}
    state.turned_s -= YOUNG_S
    assert set(MailHealth(state).ready()) == {"loop"}
    assert MailHealth(state).live() == {}
