"""What the fold counts: each record once, by what became of it, however records are cut into batches."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from models.attribution import Rules
from models.counted import DEAD_LETTERS, MILESTONES, RECORDS, Disposition, Name
from models.outgoing import MOVED_FROM
from models.topics import CLICKS, CODES, REGISTRATIONS
from streams.engine.batch import SourceRecord
from tests.factories import CODE, make_click, make_code_issued, make_record, make_registration
from tests.unit.models.stream import Stream, runs_of

PREFIX = Rules().topic_prefix
OTHER_ORG = "0a000000-0000-4000-8000-00000000000f"


def counted(*batches: list[SourceRecord]) -> Counter[Name]:
    """Return what is counted of batches, one after the other."""
    stream = Stream(Rules(waiting_records_max=1))
    total: Counter[Name] = Counter()
    for batch in batches:
        total.update(stream.take(*batch).counted)
    return total


def of(topic: str, disposition: Disposition) -> Name:
    """Return the name of a disposition."""
    return (RECORDS, topic, disposition)


def test_each_disposition_has_its_name() -> None:
    """Counted and unchanged, waiting, a dead letter for each reason, moved; and the milestone."""
    clicks, codes, registrations = (topic.full_name(PREFIX) for topic in (CLICKS, CODES, REGISTRATIONS))
    again = make_record(make_click(), headers=[(MOVED_FROM, f"{clicks}/1/7".encode())])
    found = counted(
        [make_record(make_click()), make_record(make_click())],  # one waits, and there is no room for another
        [make_record(make_code_issued()), make_record(b"{", topic=codes)],
        [make_record(make_click()), make_record(make_click(org_id=OTHER_ORG)), make_record(b"{")],
        [make_record(make_registration()), make_record(make_registration())],
        [again, again],
    )
    assert found == {
        of(clicks, Disposition.WAITING): 1,
        of(clicks, Disposition.DEAD_LETTER): 3,
        of(clicks, Disposition.COUNTED): 2,
        of(clicks, Disposition.MOVED_BEFORE): 1,
        of(codes, Disposition.COUNTED): 1,
        of(codes, Disposition.DEAD_LETTER): 1,
        of(registrations, Disposition.COUNTED): 1,
        of(registrations, Disposition.UNCHANGED): 1,
        (DEAD_LETTERS, "WaitingFull"): 1,
        (DEAD_LETTERS, "OtherOrganisation"): 1,
        (DEAD_LETTERS, "BadEvent"): 2,
        (MILESTONES, "1"): 1,
    }


RECORDS_OF_ALL_KINDS = st.lists(
    st.sampled_from(
        [
            make_record(make_click()),
            make_record(make_click(org_id=OTHER_ORG)),
            make_record(make_click(code="N0TISSVED0"), key=b"N0TISSVED0"),
            make_record(b"{"),
            make_record(make_code_issued()),
            make_record(make_registration(member=1)),
            make_record(make_registration(member=2)),
            make_record(make_registration(code=CODE.lower(), member=3)),
        ]
    ),
    max_size=20,
)


@settings(deadline=None)
@given(RECORDS_OF_ALL_KINDS)
def test_each_record_is_counted_once_however_they_are_cut(records: list[SourceRecord]) -> None:
    """The sum of the dispositions is the number of records; alone and in runs the same."""
    in_runs = counted(*runs_of(records))
    assert in_runs == counted(*([record] for record in records))
    assert sum(count for name, count in in_runs.items() if name[0] == RECORDS) == len(records)
