"""No secret, no token and no member's id is in a log, a metric or a trace, whatever goes wrong with one in hand."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

from process.secrets import INSTEAD, Scrubber, without_ids
from process.settings import load_settings
from tests.canaries import CANARIES, JWT_SECRET, MEMBERS, TOKEN
from tests.component import ROOT

SAID: Final = (
    *("work_failed", "batch_failed", "record_set_aside", "worker_leaves", "sink.batch_failed", "sink.record_failed"),
    *("sink.tend_failed", "request_failed", "Exception in ASGI application", "secret_unreadable", "kafka.error"),
    *("codes.waiting", "filtered_clicks_wait", "landing_not_found", "clicks_wait", "reconciliation_not_planned"),
    *("ended_by_error", "thread_ended_by_error", "error connecting in 'web'", "Task exception was never retrieved"),
    *("mail.gave_up", "mail.put_off", "mail.not_written", "mail.store_away", "row_left_out", "source_asked_again"),
)
"""What must be said all the same."""


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_none_is_logged_or_shown(log_format: str) -> None:
    """Through every path where errors quote what they failed at: fold, sinks, web, registry, mail, libraries."""
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "tests.canaries", log_format],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert len(CANARIES) >= 20
    assert {event for event in SAID if event not in ran.stderr} == set()
    assert {canary for canary in CANARIES if canary in ran.stderr or canary in ran.stdout} == set()
    assert "KeyError at " in ran.stderr  # what it was, and where
    assert "<id>" in ran.stderr
    assert 'referrals_dead_letters_total{reason="BadEvent"} 1.0' in ran.stdout
    assert "referrals.badges.awarded" in ran.stdout  # spans came, those of failures among them
    assert "'error.type': 'KeyError'" in ran.stdout


def test_what_is_no_secret_stays() -> None:
    """Ids of fields, addresses without a password, words."""
    scrub = Scrubber(load_settings(jwt_secret=JWT_SECRET))
    line = f'{{"url":"http://127.0.0.1:9464","milestone_id":"{MEMBERS["chained"]}","to":"a@example.org"}}'
    assert scrub(line) == line
    assert scrub(f'{{"a":"{JWT_SECRET}","b":"{TOKEN}"}}') == f'{{"a":"{INSTEAD}","b":"{INSTEAD}"}}'
    assert without_ids(f"row {MEMBERS['chained']} of partition 12") == "row <id> of partition 12"


def test_a_password_that_is_a_name_leaves_lines_readable() -> None:
    """That of docker-compose.yml's own database is the program's name: topics and remedies are told all the same."""
    scrub = Scrubber(load_settings(database_url="postgresql://referrals:referrals@postgres:5432/referrals"))
    line = '{"remedy":"`referrals db roles apply`","topic":"referrals.milestones.v1","group":"referral-streams"}'
    assert scrub(line) == line
    assert scrub("postgresql://referrals:referrals@postgres:5432/x") == f"postgresql://{INSTEAD}@postgres:5432/x"
    scrub = Scrubber(load_settings(database_url="postgresql://referrals:8char-pw@postgres:5432/referrals"))
    assert scrub("password is 8char-pw") == f"password is {INSTEAD}"
