"""A trace that comes with a registration goes on with the milestone, whatever way the registration takes."""

from __future__ import annotations

import logging

import pytest
from structlog.testing import capture_logs

from models.outgoing import Headers
from models.traces import TRACEPARENT, trace_id_of, traceparent_of
from sinks.badge_awarder import LOG, BadgeAwarder
from sinks.badge_repository import MemoryBadgeRepository
from sinks.records import Record
from tests.factories import make_code_issued, make_record, make_registration
from tests.milestones import MENTOR, ORG
from tests.unit.models.stream import Stream, headers_of

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01".encode()
TRACED: Headers = [(TRACEPARENT, PARENT)]


@pytest.mark.parametrize("way", ["at once", "one by one", "after it waited"])
def test_a_milestone_belongs_to_the_trace_of_what_crossed(way: str) -> None:
    """Counted with its batch, looked at alone, or kept until its code came."""
    stream = Stream()
    code = make_record(make_code_issued())
    crossing = make_registration(member=1)
    if way == "one by one":  # a code that is not in its one form needs a closer look
        crossing["referral_code"] = str(crossing["referral_code"]).lower()
    before = [] if way == "after it waited" else [code]
    for record in (*before, make_record(crossing, headers=TRACED), make_record(make_registration(member=2)), code):
        stream.take(record)
    (milestone,) = stream._sent_to(stream.attribution.milestones)  # noqa: SLF001 - with its headers
    assert headers_of(milestone)[TRACEPARENT] == PARENT
    assert headers_of(milestone)["ce_type"] == b"recruitment_milestone_reached"


def test_without_a_trace_nothing_is_carried() -> None:
    """Nor what has not W3C's form: it would be anybody's text in every log."""
    for headers in ([], [(TRACEPARENT, b"of my own making")], [(TRACEPARENT, None)]):
        stream = Stream()
        stream.take(make_record(make_code_issued()))
        stream.take(make_record(make_registration(), headers=headers))
        (milestone,) = stream._sent_to(stream.attribution.milestones)  # noqa: SLF001 - the same
        assert TRACEPARENT not in headers_of(milestone)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        f"00-{TRACE_ID}-{'0' * 16}-01".encode(),
        f"01-{TRACE_ID}-00f067aa0ba902b7-01".encode(),
        PARENT.upper(),
        PARENT + b"\n",
        PARENT + b"-more",
    ],
)
def test_what_is_no_traceparent(value: bytes) -> None:
    """By https://www.w3.org/TR/trace-context/: version 00, neither id all zeros, small letters."""
    assert traceparent_of([(TRACEPARENT, value)]) is None
    assert trace_id_of([(TRACEPARENT, value), *TRACED]) == TRACE_ID


def test_the_award_s_line_names_the_trace(caplog: pytest.LogCaptureFixture) -> None:
    """And so does the milestone's."""
    caplog.set_level(logging.INFO, LOG)
    repository = MemoryBadgeRepository()
    repository.add_mentor(ORG, MENTOR)
    stream = Stream()
    stream.take(make_record(make_code_issued(org_id=ORG, mentor_id=MENTOR)))
    stream.take(make_record(make_registration(), headers=TRACED))
    (sent,) = stream._sent_to(stream.attribution.milestones)  # noqa: SLF001 - the same
    record = Record(topic=sent.topic, partition=0, offset=7, key=sent.key, value=sent.value, headers=(*sent.headers,))
    with capture_logs() as logs:
        BadgeAwarder(repository).put([record])
    said = {log["event"]: log for log in logs}
    for event in ("badges.milestone_handled", "badges.awarded"):
        assert (said[event]["trace_id"], said[event]["offset"], said[event]["log_level"]) == (TRACE_ID, 7, "info")
