"""The history takes each record once: not what lies in a wrong partition, nor a copy that was moved before."""

from __future__ import annotations

import pytest

from models.events import Click, Registration
from models.outgoing import AGAIN, MOVED_FROM
from models.partition_changes import Homes
from sinks.history import happened
from sinks.records import Record
from tests.factories import CLICKS_TOPIC, REGISTRATIONS_TOPIC, encode, make_click

ORIGIN = (MOVED_FROM, f"{CLICKS_TOPIC}/7/3".encode())
ONCE_MORE = (AGAIN, b"1")
REFUSED = ("__connect.errors.topic", CLICKS_TOPIC.encode())


@pytest.mark.parametrize(
    ("headers", "clicks"),
    [
        ((), 1),
        ((ORIGIN,), 1),
        ((ORIGIN, ONCE_MORE), 0),
        ((ONCE_MORE, ORIGIN), 0),
        ((ONCE_MORE,), 1),
        ((ORIGIN, ONCE_MORE, REFUSED), 1),
        ((REFUSED, ORIGIN, ONCE_MORE), 0),
    ],
)
def test_a_copy_that_was_moved_before_counts_no_more(
    headers: tuple[tuple[str, bytes | None], ...], clicks: int
) -> None:
    """A rebuild moves it again, and says so; a dead letter that is replayed is a record of its own."""
    record = Record(topic=CLICKS_TOPIC, partition=0, offset=9, key=None, value=encode(make_click()), headers=headers)
    kinds: dict[str, type[Click | Registration]] = {CLICKS_TOPIC: Click, REGISTRATIONS_TOPIC: Registration}
    assert happened([record], kinds, Homes((), 1)).clicks.total() == clicks
