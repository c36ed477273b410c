"""How far a reader is behind, as looks at positions and ends tell."""

from __future__ import annotations

from process.backlog import LOOKS_MAX, Backlog, Lag

PLACE = ("orders", 0)


def test_the_oldest_that_waits_gives_the_seconds() -> None:
    """What came later than it, and what was read since, change nothing of when it came."""
    backlog = Backlog()
    backlog.look({PLACE: (0, 0)}, 100.0)
    backlog.look({PLACE: (0, 3)}, 101.0)
    backlog.look({PLACE: (0, 5)}, 105.0)
    backlog.look({PLACE: (2, 5)}, 106.0)
    assert backlog.by_topic(107.0) == {"orders": Lag(3, 6.0)}
    backlog.look({PLACE: (3, 5)}, 108.0)  # now the oldest is one that was seen at 105
    assert backlog.by_topic(109.0) == {"orders": Lag(2, 4.0)}
    backlog.look({PLACE: (5, 5)}, 110.0)
    assert backlog.by_topic(200.0) == {"orders": Lag(0, 0.0)}


def test_it_grows_while_nobody_looks() -> None:
    """A loop that stands looks no more, and is asked all the same."""
    backlog = Backlog()
    backlog.look({PLACE: (7, 8)}, 10.0)
    assert [backlog.by_topic(at)["orders"].seconds for at in (10.0, 70.0)] == [0.0, 60.0]


def test_a_topic_is_its_partitions() -> None:
    """The records of all, and the seconds of the worst; one that was given away counts no more."""
    backlog = Backlog()
    places = {PLACE: (0, 4), ("orders", 1): (9, 10), ("codes", 0): (1, 1)}
    backlog.look(places, 0.0)
    backlog.look({**places, ("orders", 1): (10, 10)}, 5.0)
    assert backlog.by_topic(5.0) == {"orders": Lag(4, 5.0), "codes": Lag(0, 0.0)}
    backlog.look({("codes", 0): (1, 1)}, 6.0)
    assert backlog.by_topic(6.0) == {"codes": Lag(0, 0.0)}


def test_a_long_backlog_is_bounded_and_keeps_its_beginning() -> None:
    """Ends are left out in between, and never the first that is not reached."""
    backlog = Backlog()
    for second in range(10 * LOOKS_MAX):
        backlog.look({PLACE: (0, second + 1)}, float(second))
    assert len(backlog._partitions[PLACE]._ends) <= LOOKS_MAX  # noqa: SLF001 - that it is bounded is the point
    assert backlog.by_topic(10.0 * LOOKS_MAX)["orders"] == Lag(10 * LOOKS_MAX, 10.0 * LOOKS_MAX)
