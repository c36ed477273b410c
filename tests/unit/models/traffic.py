"""Random traffic for property tests: a few mentors and members, so that their events meet."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from streams.engine.batch import SourceRecord
from tests.factories import (
    CLICKS_TOPIC,
    CODES_TOPIC,
    ORG,
    OTHER_ORG,
    REGISTRATIONS_TOPIC,
    Event,
    at,
    by_channel,
    make_click,
    make_code_issued,
    make_erasure,
    make_record,
    make_registration,
    uuid,
)

CODES = ("ANNA000001", "BERT000001", "CARA000001")
SPELLINGS = (*CODES, "anna-000001", "BertOOOOOi", "cara00000L")
ORGS = (ORG, OTHER_ORG, ORG)
TIMES = (at(0), at(1), at(2), "2026-11-20T12:01:00+02:00", "0001-01-01T00:00:00+12:00", "9999-12-31T23:00:00-12:00")
CHANNELS = (None, "sms", " SMS", "email", "E-Mail", "", "x" * 40)
CORRUPT = (b"", b"null", b"{}", b"\xff", b'{"referral_code":"ANNA000001"}', b"[" * 3_000)

organisations = st.sampled_from([None, None, None, ORG, OTHER_ORG, ORG.upper()])
metadata: st.SearchStrategy[Event] = (
    st.sampled_from(CHANNELS).map(by_channel) | st.just({"device_metadata": None}) | st.just({})
)

# A mentor has one code (contract), so a code has its own mentor, or a rival of his in either organisation.
codes_issued = st.builds(
    lambda spelling, org_id, rival: make_code_issued(
        SPELLINGS[spelling],
        org_id=org_id or ORGS[spelling % 3],
        mentor_id=uuid((900 if rival else 800) + spelling % 3),
    ),
    st.integers(0, 5),
    st.sampled_from([None, None, ORG, OTHER_ORG, ORG.upper()]),
    st.sampled_from([False, False, True]),
)

clicks = st.builds(
    lambda code, time, org_id, device: make_click(code, occurred_at=time, org_id=org_id, **device),
    st.sampled_from(SPELLINGS),
    st.sampled_from(TIMES),
    organisations,
    metadata,
)

registrations = st.builds(
    lambda code, member, status, time, org_id, device, number: make_registration(
        member,
        status,
        referral_code=code,
        attribution_id=uuid(1_000_000 + number),  # no member of the traffic has it
        occurred_at=time,
        org_id=org_id,
        **device,
    ),
    st.sampled_from((*SPELLINGS, CODES[0], CODES[0], CODES[0])),  # one mentor has enough of them for milestones
    st.integers(1, 4),
    st.sampled_from(["pending_signup", "confirmed", "confirmed", "withdrawn"]),
    st.sampled_from(TIMES),
    organisations,
    metadata,
    st.integers(0, 99),
)


erasures = st.builds(make_erasure, st.integers(1, 4), st.sampled_from((*CODES, CODES[0], CODES[0])))


@dataclass(frozen=True)
class Traffic:
    """Events of the three topics, each in the order of its topic."""

    codes: list[Event]
    clicks: list[Event]
    registrations: list[Event]

    def records(self) -> list[list[SourceRecord]]:
        """Return each topic's records, in partition 0 of 1."""
        return [
            [make_record(event, offset=offset, partition=0) for offset, event in enumerate(events)]
            for events in (self.codes, self.clicks, self.registrations)
        ]


traffic = st.builds(
    Traffic,
    st.lists(codes_issued, min_size=1, max_size=5),
    st.lists(clicks, max_size=6),
    st.lists(registrations, max_size=14),
)

erasing_traffic = st.builds(
    Traffic,
    st.lists(codes_issued, min_size=1, max_size=5),
    st.lists(clicks, max_size=6),
    st.lists(registrations | registrations | erasures, max_size=14),
)
"""Traffic with members who are erased: when, among the events of their code, decides."""

corrupt_records = st.builds(
    lambda value, topic: make_record(value, topic=topic, partition=0),
    st.sampled_from(CORRUPT),
    st.sampled_from([CODES_TOPIC, CLICKS_TOPIC, REGISTRATIONS_TOPIC]),
)


@st.composite
def interleaved(draw: st.DrawFn, topics: list[list[SourceRecord]]) -> list[SourceRecord]:
    """Return all records in one order that keeps the order inside each topic."""
    labels = [number for number, records in enumerate(topics) for _ in records]
    waiting = [iter(records) for records in topics]
    return [next(waiting[number]) for number in draw(st.permutations(labels))]
