"""When what happened, recomputed: what counts of a pair and when, and how a row of the table may differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from proof.verify.history import CLICKS_GONE, PAIRS_GONE, UNSURE, Comparison, History, quarter_hour
from proof.verify.pairs import Pair
from proof.verify.removed import Partition, Removed

ORG = "0a000000-0000-4000-8000-000000000001"
AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
NAMED = {(ORG, "sms"), (ORG, "email")}
Row = tuple[str, int, str, int, int, int, int]


def row(quarter: int, channel: str, *numbers: int) -> Row:
    """Return a row of the table, so many quarters of an hour after ten."""
    clicks, registered, confirmed, withdrawn = numbers
    return ORG, quarter_hour(AT) + quarter, channel, clicks, registered, confirmed, withdrawn


def pair(*events: tuple[str, int], channels: tuple[str, ...] = ("sms",)) -> Pair:
    """Return a pair of which these were its events, each so many minutes after ten."""
    made = Pair(channels[0])
    for number, (status, minute) in enumerate(events):
        made.name(channels[min(number, len(channels) - 1)])
        made.take(status, AT + timedelta(minutes=minute))
    return made


def differences(
    history: History, *rows: Row, removed: Removed | None = None, former: dict[Partition, int] | None = None
) -> list[str]:
    """Return what differs, without the organisation."""
    comparison = Comparison(history, NAMED, removed or Removed({}), former or {})
    for each in rows:
        comparison.take(each)
    return [str(each).partition(ORG)[2].strip() for each in comparison.finish().differences]


@pytest.mark.parametrize(
    ("events", "rows"),
    [
        ([("pending_signup", 0), ("confirmed", 20)], [row(0, "sms", 0, 1, 0, 0), row(1, "sms", 0, 0, 1, 0)]),
        ([("confirmed", 20), ("pending_signup", 0)], [row(0, "sms", 0, 1, 0, 0), row(1, "sms", 0, 0, 1, 0)]),
        ([("confirmed", 20), ("confirmed", 5)], [row(0, "sms", 0, 1, 1, 0)]),
        ([("confirmed", 0), ("withdrawn", 31)], [row(0, "sms", 0, 1, 1, 0), row(2, "sms", 0, 0, 0, 1)]),
        ([("confirmed", 0), ("withdrawn", 31), ("confirmed", 45)], [row(0, "sms", 0, 1, 1, 0)]),
        ([("confirmed", 31), ("withdrawn", 31)], [row(2, "sms", 0, 1, 1, 1)]),
        ([("withdrawn", 31)], []),
    ],
)
def test_what_counts_of_a_pair_and_when(events: list[tuple[str, int]], rows: list[Row]) -> None:
    """Registered and confirmed at the earliest; withdrawn at the latest, if nothing confirms later."""
    history = History()
    history.pair(ORG, pair(*events))
    assert differences(history, *rows) == []
    assert bool(differences(history)) is bool(rows)
    assert differences(history, *rows, row(3, "email", 0, 0, 0, 1)) != []


def test_a_pair_of_several_channels_counts_in_one_of_them() -> None:
    """In either, and in one alone."""
    history = History()
    history.pair(ORG, pair(("pending_signup", 0), ("confirmed", 1), channels=("sms", "email")))
    sms, email = row(0, "sms", 0, 1, 1, 0), row(0, "email", 0, 1, 1, 0)
    assert differences(history, sms) == []
    assert differences(history, email) == []
    assert differences(history, sms, email) != []
    assert differences(history) != []
    assert differences(history, row(0, "other", 0, 1, 1, 0)) != []


def test_past_the_channels_that_have_names_the_rest_is_other() -> None:
    """As the table of the channels says."""
    history = History()
    history.click(ORG, "sms", AT)
    history.click(ORG, "qr", AT)
    history.click(ORG, "poster", AT)
    assert differences(history, row(0, "sms", 1, 0, 0, 0), row(0, "other", 2, 0, 0, 0)) == []
    assert differences(history, row(0, "sms", 1, 0, 0, 0), row(0, "other", 1, 0, 0, 0)) == [
        "2026-11-20T10:00Z channel other clicks: found 1, wanted 2"
    ]


def test_what_is_gone_from_the_topics_is_said_and_explains_no_more_than_it_can() -> None:
    """Old clicks as many as there were records; registrations are not compared at all then."""
    history = History()
    history.click(ORG, "sms", AT)
    gone = Removed({("clicks.v1", 0): 2})
    assert differences(history, row(0, "sms", 3, 0, 0, 0), removed=gone) == []
    assert differences(history, row(0, "sms", 4, 0, 0, 0), removed=gone) != []
    assert differences(history, row(0, "sms", 0, 0, 0, 0), removed=gone) != []
    assert differences(history, row(0, "sms", 1, 1, 0, 0), removed=gone) != []
    comparison = Comparison(history, NAMED, gone, {})
    comparison.take(row(0, "sms", 3, 0, 0, 0))
    assert comparison.finish().beyond_proof == {CLICKS_GONE: 2}

    comparison = Comparison(history, NAMED, Removed({("registrations.v1", 0): 2}), {})
    comparison.take(row(0, "sms", 1, 7, 7, 7))
    compared = comparison.finish()
    assert (compared.differences, compared.beyond_proof) == ([], {PAIRS_GONE: 1})


def test_of_a_log_that_is_no_more_the_history_knows_what_it_has_read() -> None:
    """Rows that were begun anew hold less of it; where the history does not know, the rows do; both bound it."""
    history = History()
    five = row(0, "sms", 5, 0, 0, 0)
    place = ("clicks.v1", 0)
    rows_of_one = Removed({}, since={place: -1})
    assert differences(history, five, removed=rows_of_one) != []
    assert differences(history, five, removed=rows_of_one, former={place: 5}) == []
    assert differences(history, five, removed=rows_of_one, former={place: 4}) != []
    assert differences(history, five, former={place: 5}) == []
    assert differences(history, five, removed=Removed({}, since={place: -5}), former={place: 0}) == []
    assert differences(history, five, former={("registrations.v1", 0): 5}) != []


def test_an_organisation_of_which_records_were_given_up_is_said() -> None:
    """Whether they count depends on who was first, the clock or the code."""
    history = History()
    history.unsure.add(ORG)
    comparison = Comparison(history, NAMED, Removed({}), {})
    comparison.take(row(0, "sms", 1, 7, 7, 7))
    assert (comparison.finish().differences, comparison.finish().beyond_proof) == ([], {UNSURE: 1})
