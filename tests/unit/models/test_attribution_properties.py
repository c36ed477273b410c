"""The fold as a whole: what its outcome must not depend on, and a second opinion on what it must be."""

from __future__ import annotations

import copy
import itertools
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.attribution import Rules
from models.outgoing import RECORDS
from streams.engine.batch import SourceRecord
from tests.factories import REGISTRATIONS_TOPIC, by_channel, make_batch, make_erasure, make_record, uuid
from tests.unit.models.rules import expect
from tests.unit.models.stream import Stream, everything, headers_of, outcome
from tests.unit.models.traffic import CODES, Traffic, corrupt_records, erasing_traffic, interleaved, traffic

RULES = Rules(thresholds=(1, 2, 3))
PARTITIONS = 3

bounded = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def after(records: list[SourceRecord], rules: Rules = RULES) -> Stream:
    """Return the stream that folded the records, each in a batch of its own."""
    stream = Stream(rules)
    stream.take_each(records)
    return stream


def refused(stream: Stream) -> int:
    """Return for how many records the dead letters stand."""
    return sum(int(headers_of(letter).get(RECORDS, b"1")) for letter in stream.dead_letters)


@bounded
@given(erasing_traffic, st.data())
def test_the_outcome_is_what_the_contract_says(happened: Traffic, data: st.DataObject) -> None:
    """Counts, milestones, dead letters and what waits agree with the rules written a second time."""
    stream = Stream(RULES)
    stream.take_runs(data.draw(interleaved(happened.records())))

    expected = expect(happened.codes, happened.clicks, happened.registrations, [1, 2, 3])
    assert {code: _times_read(counts) for code, counts in stream.all_counts.items()} == expected.counts
    emitted = [
        (
            each["org_id"],
            each["mentor_id"],
            each["milestone_threshold"],
            each["confirmed_count"],
            each["attribution_id"],
        )
        for each in stream.milestones
    ]
    assert sorted(emitted) == sorted(expected.milestones)
    assert refused(stream) == expected.refused
    assert stream.waiting_total().records == expected.waiting


def _times_read(counts: dict[str, Any]) -> dict[str, Any]:
    return counts | {"last_event_at": datetime.fromisoformat(counts["last_event_at"])}


@bounded
@given(erasing_traffic, st.data())
def test_no_interleaving_of_the_topics_matters(happened: Traffic, data: st.DataObject) -> None:
    """Codes first or last or between: the same counts, the same set of milestones (rule 3)."""
    topics = happened.records()
    codes_first = after([record for records in topics for record in records])
    codes_last = after([record for records in reversed(topics) for record in records])
    mixed = after(data.draw(interleaved(topics)))

    assert outcome(mixed) == outcome(codes_first) == outcome(codes_last)
    assert refused(mixed) == refused(codes_first) == refused(codes_last)


@bounded
@given(erasing_traffic, st.lists(corrupt_records, max_size=4), st.data())
def test_no_split_into_batches_matters(happened: Traffic, corrupt: list[SourceRecord], data: st.DataObject) -> None:
    """The fast gear and the slow one agree, corrupt records between the others or not."""
    mixed = data.draw(interleaved([*happened.records(), corrupt]))
    one_by_one, in_runs, cut = after(mixed), Stream(RULES), Stream(RULES)
    in_runs.take_runs(mixed)
    at = data.draw(st.integers(0, len(mixed)))
    cut.take_runs(mixed[:at])
    cut.take_runs(mixed[at:])

    assert everything(one_by_one) == everything(in_runs) == everything(cut)
    for value in corrupt:
        assert value.value in [letter.value for letter in one_by_one.dead_letters]


@bounded
@given(erasing_traffic, st.lists(corrupt_records, max_size=4), st.data())
def test_no_cut_into_folds_matters(happened: Traffic, corrupt: list[SourceRecord], data: st.DataObject) -> None:
    """Changes taken after each record, after all of them, or anywhere between: the same rows, the same records sent."""
    mixed = data.draw(interleaved([*happened.records(), corrupt]))
    one_by_one, as_one, cut = after(mixed), Stream(RULES), Stream(RULES)
    as_one.take_as_one(mixed)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(mixed)), max_size=5)))
    for start, end in itertools.pairwise([0, *cuts, len(mixed)]):
        cut.take_as_one(mixed[start:end])

    assert everything(one_by_one) == everything(as_one) == everything(cut)


@bounded
@given(traffic, st.data())
def test_neither_order_nor_number_of_registrations_matters(happened: Traffic, data: st.DataObject) -> None:
    """Shuffled and repeated they end in the same totals and rates, and in the same channels where a member has one."""
    for event in happened.registrations:
        event.update(by_channel(event["new_member_id"][-1]))
    codes, clicks, registrations = happened.records()
    repeated = data.draw(st.lists(st.sampled_from(registrations), max_size=4)) if registrations else []
    shuffled = data.draw(st.permutations(registrations + repeated))

    in_order, out_of_order = after(codes + clicks + registrations), after(codes + clicks + shuffled)

    without = {"milestones"}  # reached is what was reached on the way, and the way is another one
    assert _without(without, in_order) == _without(without, out_of_order)


def _without(fields: set[str], stream: Stream) -> dict[str, dict[str, Any]]:
    return {
        code: {name: value for name, value in counts.items() if name not in fields}
        for code, counts in stream.all_counts.items()
    }


@bounded
@given(traffic, st.data())
def test_replaying_everything_adds_only_clicks(happened: Traffic, data: st.DataObject) -> None:
    """Codes and registrations seen before change nothing and emit nothing that was emitted."""
    codes, clicks, registrations = happened.records()
    stream = after(data.draw(interleaved([codes, clicks, registrations])))
    before = copy.deepcopy((stream.rows, stream.published, stream.milestones))
    owned = [record for record in codes if _owns(stream, record)]
    counted = [record for record in registrations if _is_counted(stream, record)]

    stream.take_each([*owned, *counted])

    assert (stream.rows, stream.published, stream.milestones) == before


def _owns(stream: Stream, record: SourceRecord) -> bool:
    changes = stream.attribution.fold(stream.rows[0], make_batch(record), now_ms=0)
    return not changes.outgoing


def _is_counted(stream: Stream, record: SourceRecord) -> bool:
    changes = stream.attribution.fold(stream.rows[0], make_batch(record), now_ms=0)
    return not changes.outgoing and "waiting" not in changes.rows


@bounded
@given(erasing_traffic, st.lists(corrupt_records, max_size=2), st.data())
def test_folding_changes_none_of_its_inputs(
    happened: Traffic, corrupt: list[SourceRecord], data: st.DataObject
) -> None:
    """Rows and records are the same after a fold and after an expiry: a running commit may still hold them."""
    stream = Stream(Rules(waiting_age_ms=0))
    for record in data.draw(interleaved([*happened.records(), corrupt])):
        batch = make_batch(record)
        rows_before, batch_before = copy.deepcopy(stream.rows), copy.deepcopy(batch)
        stream.attribution.fold(stream.rows[0], batch, now_ms=0)
        stream.now_ms += 1
        stream.expired()
        assert (stream.rows, batch) == (rows_before, batch_before)
        stream.take(record)


@bounded
@given(traffic, st.data())
def test_channels_sum_to_the_totals(happened: Traffic, data: st.DataObject) -> None:
    """In every value ever published, and none of it names a member."""
    stream = Stream(RULES)
    stream.take_runs(data.draw(interleaved(happened.records())))

    for _, value in stream.publications:
        counts = json.loads(value)
        channels = counts["by_channel"].values()
        totals = counts["total_clicks"], counts["pending_attributions"], counts["confirmed_attributions"]
        assert totals == tuple(sum(each[name] for each in channels) for name in ("clicks", "pending", "confirmed"))
        assert min(totals) >= 0
        assert all(event["new_member_id"].encode() not in value for event in happened.registrations)


@bounded
@given(traffic, st.data())
def test_wherever_a_record_was_put_it_counts_once(happened: Traffic, data: st.DataObject) -> None:
    """Any partition, any key: after the moved copies are folded the counts are as if each had been put right."""
    right, wrong = Stream(RULES, partitions=PARTITIONS), Stream(RULES, partitions=PARTITIONS)
    in_order = happened.registrations
    for event in in_order:
        event.update(by_channel(event["new_member_id"][-1]))  # a pair's first event is another one when some are moved
    for offset, event in enumerate((*happened.clicks, *in_order, *happened.codes[:1])):
        code = event["referral_code"].upper().replace("-", "").replace("O", "0").replace("I", "1").replace("L", "1")
        right.take(make_record(event, key=code.encode(), partitions=PARTITIONS))
        wrong.take(make_record(event, key=None, partition=data.draw(st.integers(0, PARTITIONS - 1)), offset=offset))
    wrong.take_moved()

    assert _without({"milestones"}, wrong) == _without({"milestones"}, right)
    assert refused(wrong) == refused(right)


@bounded
@given(erasing_traffic, st.data())
def test_waiting_rows_add_up(happened: Traffic, data: st.DataObject) -> None:
    """At any time the totals row is what waits, and after a last expiry it is zero and alone."""
    stream = Stream(Rules(waiting_age_ms=3, waiting_records_max=5))
    for record in data.draw(interleaved(happened.records())):
        stream.now_ms += data.draw(st.integers(0, 2))
        stream.take(record)
        if data.draw(st.booleans()):
            stream.expire()
        waiting = [key for key in stream.waiting_keys() if b"/" in key]
        assert stream.waiting_total().records == len(waiting) <= 5
    stream.now_ms += 4
    stream.expire()

    assert stream.waiting_keys() == set()
    assert (stream.waiting_total().records, stream.waiting_total().bytes) == (0, 0)


@bounded
@given(erasing_traffic, st.data())
def test_after_an_erasure_nothing_that_is_kept_or_sent_names_the_member(happened: Traffic, data: st.DataObject) -> None:
    """Rows, counts, dead letters of what waited: and none of it changes when his events come once more."""
    stream = Stream(Rules(thresholds=(1, 2, 3), waiting_age_ms=0))
    mixed = data.draw(interleaved(happened.records()))
    stream.take_runs(mixed)
    stream.outgoing.clear()  # what was sent before is in topics, and goes as these are kept
    member = data.draw(st.integers(1, 4))
    stream.take_each([make_record(make_erasure(member, code), partition=0) for code in CODES])
    before = copy.deepcopy((stream.rows, stream.published, stream.outgoing))

    again = [event for event in happened.registrations if event.get("new_member_id") == uuid(member)]
    stream.take_each([make_record(event, partition=0) for event in again])
    assert (stream.rows, stream.published, stream.outgoing) == before
    stream.now_ms += 1
    stream.expire()

    kept = repr((stream.rows, stream.published, stream.outgoing)).lower()
    assert uuid(member) not in kept
    assert repr(UUID(uuid(member)).bytes)[2:-1].lower() not in kept


@bounded
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_no_bytes_stop_the_fold(values: list[bytes]) -> None:
    """What is no event is a dead letter, each by itself, its bytes untouched."""
    stream = Stream()
    stream.take(*[make_record(value, topic=REGISTRATIONS_TOPIC) for value in values])

    assert [letter.value for letter in stream.dead_letters] == values
