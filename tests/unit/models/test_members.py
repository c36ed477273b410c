"""Rule 1: a pair's state follows from its events, not from their order or number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import reduce
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.members import (
    CONFIRMED,
    PENDING,
    WITHDRAWN,
    Pair,
    microseconds,
    pack_pair,
    pair_after,
    pair_key,
    pair_keys,
    unpack_pair,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
STATUSES = ("pending_signup", "confirmed", "withdrawn")
PairEvent = tuple[str, datetime]

some_time = st.sampled_from([NOON + timedelta(microseconds=offset) for offset in (-1, 0, 1)]) | st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))])
)
pair_events = st.lists(st.tuples(st.sampled_from(STATUSES), some_time), min_size=1, max_size=7)


def after(*events: PairEvent) -> int:
    """Return the state of a pair after its events, folded in this order."""

    def fold(pair: Pair, event: PairEvent) -> Pair:
        return unpack_pair(pack_pair(pair_after(pair, *event)))

    return reduce(fold, events, Pair(PENDING, 0, "sms")).state


def by_the_contract(*events: PairEvent) -> int:
    """Return the state that rule 1 gives to all of a pair's events together."""
    decisive = [(at, status == "withdrawn") for status, at in events if status != "pending_signup"]
    if not decisive:
        return PENDING
    _, withdrawn = max(decisive)
    return WITHDRAWN if withdrawn else CONFIRMED


@settings(max_examples=100, deadline=None)
@given(pair_events, st.data())
def test_neither_order_nor_number_decides(events: list[PairEvent], data: st.DataObject) -> None:
    """Any permutation with any repetitions ends in the state that the rule gives to the whole."""
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=5))
    shuffled = data.draw(st.permutations(events + repeated))

    assert after(*shuffled) == by_the_contract(*events)


def test_every_order_of_every_small_history() -> None:
    """All histories of three events at three instants, in all their orders."""
    instants = [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(days=1)]
    for statuses in product(STATUSES, repeat=3):
        for times in product(instants, repeat=3):
            events = list(zip(statuses, times, strict=True))
            expected = by_the_contract(*events)
            assert all(after(*order) == expected for order in permutations(events)), events


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([("pending_signup", 0)], PENDING),
        ([("confirmed", 0)], CONFIRMED),
        ([("withdrawn", 0)], WITHDRAWN),
        ([("withdrawn", 0), ("pending_signup", 1)], WITHDRAWN),
        ([("confirmed", 0), ("pending_signup", 1)], CONFIRMED),
        ([("confirmed", 0), ("withdrawn", 0)], WITHDRAWN),
        ([("withdrawn", 0), ("confirmed", 0)], WITHDRAWN),
        ([("withdrawn", 0), ("confirmed", 1)], CONFIRMED),
        ([("confirmed", 1), ("withdrawn", 0)], CONFIRMED),
    ],
)
def test_the_latest_decision_wins(events: list[tuple[str, int]], state: int) -> None:
    """Of confirmed and withdrawn the later one, at the same instant withdrawn; pending when there is neither."""
    assert after(*[(status, NOON + timedelta(microseconds=offset)) for status, offset in events]) == state


@pytest.mark.parametrize(
    "before_1970", [datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=12)))]
)
def test_a_decision_before_1970_counts(before_1970: datetime) -> None:
    """Its microseconds are negative, and still it is a decision, which pending is not."""
    assert after(("confirmed", before_1970)) == CONFIRMED
    assert after(("confirmed", before_1970), ("withdrawn", before_1970)) == WITHDRAWN


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([PENDING, CONFIRMED, WITHDRAWN]), some_time, st.text(min_size=1, max_size=32))
def test_a_row_holds_a_pair(state: int, instant: datetime, channel: str) -> None:
    """What is packed is unpacked, whatever the channel's letters and the year."""
    pair = Pair(state, microseconds(instant), channel)

    assert unpack_pair(pack_pair(pair)) == pair


def test_a_members_id_has_no_case() -> None:
    """The same member in upper case is the same member."""
    member = "0c000000-0000-4000-8000-00000000abcd"

    assert pair_key("ANNA000001", member) == pair_key("ANNA000001", member.upper())


def test_pairs_have_keys_of_their_own() -> None:
    """Of codes of any length, one the beginning of the other among them."""
    members = ["41000000-0000-4000-8000-000000000001", "42000000-0000-4000-8000-000000000041"]
    pairs = [(code, member) for code in ("ABCDEFGH", "ABCDEFGHA", "ABCDEFGHAB") for member in members]
    keys = {pair_key(*pair) for pair in pairs}

    assert len(keys) == 6
    assert pair_keys(pairs) == [pair_key(*pair) for pair in pairs]
    assert pair_keys([]) == []


@given(some_time)
def test_instants_are_exact_to_the_microsecond(instant: datetime) -> None:
    """As a division of what has passed would be, before 1970 too."""
    assert microseconds(instant) == (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
