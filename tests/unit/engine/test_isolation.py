"""One record never stops a partition: what fails is found, set aside in its place, and everything else is folded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.engine.batch import RecordBatch
from streams.engine.errors import NothingFolds
from streams.engine.isolation import IN_A_ROW_MAX, Isolation
from tests.factories import make_batch, make_record
from tests.unit.engine.changes import TOPIC

BAD = b"bad"


class Scene:
    """A place that takes batches and fails at bad records; what it took, what was set aside, and the positions."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.aside: list[tuple[int, str]] = []
        self.positions: list[tuple[int, int]] = []
        self.tries: list[int] = []
        self.isolation = Isolation(self._set_aside)

    def give(self, *values: bytes, offset: int = 0) -> None:
        """Take a batch of these values."""
        records = [
            make_record(value, topic=TOPIC, partition=0, offset=offset + 2 * number)
            for number, value in enumerate(values)
        ]
        self.isolation.take(make_batch(*records), self.take)

    def take(self, batch: RecordBatch) -> None:
        """Take a batch whole, or fail."""
        self.tries += [batch.record(0).offset] if len(batch) == 1 else []
        if BAD in batch.values():
            raise ZeroDivisionError("at a bad one")
        self.taken += [batch.record(index).offset for index in range(len(batch))]
        self.positions.append((batch.covers_from, batch.covers_to))

    def _set_aside(self, part: RecordBatch, error: Exception) -> None:
        self.aside.append((part.first_offset, str(error)))
        self.positions.append((part.covers_from, part.covers_to))


def test_a_good_batch_is_taken_whole() -> None:
    """Once."""
    scene = Scene()
    scene.give(b"1", b"2", b"3")
    assert (scene.taken, scene.aside, len(scene.positions)) == ([0, 2, 4], [], 1)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_one_that_fails_is_set_aside_in_its_place(place: int) -> None:
    """It has failed three times: with its batch, and twice alone. The chain of custody has no hole."""
    scene = Scene()
    values = [b"1", b"2", b"3"]
    values[place] = BAD
    scene.give(*values)
    assert scene.aside == [(2 * place, "at a bad one")]
    assert scene.taken == [offset for offset in (0, 2, 4) if offset != 2 * place]
    assert scene.tries.count(2 * place) == 2
    assert [start for start, _ in scene.positions[1:]] == [end for _, end in scene.positions[:-1]]


def test_a_record_that_came_alone_is_set_aside_too() -> None:
    """A partition with little traffic has batches of one."""
    scene = Scene()
    scene.give(BAD)
    scene.give(b"1", offset=2)
    assert (scene.taken, [offset for offset, _ in scene.aside]) == ([2], [0])


def test_when_nothing_folds_the_worker_leaves() -> None:
    """A broken program would set aside all there is; one good record between them tells that it is them."""
    scene = Scene()
    scene.give(*[BAD] * IN_A_ROW_MAX, b"good", *[BAD] * IN_A_ROW_MAX)
    assert len(scene.aside) == 2 * IN_A_ROW_MAX
    with pytest.raises(NothingFolds, match="in a row"):
        scene.give(BAD, offset=1_000)


def test_what_cannot_be_set_aside_is_raised() -> None:
    """By an application that has no place for it."""

    def refuse(_part: RecordBatch, error: Exception) -> None:
        raise error

    take: Callable[[RecordBatch], None] = Scene().take
    with pytest.raises(ZeroDivisionError):
        Isolation(refuse).take(make_batch(make_record(BAD, topic=TOPIC, partition=0)), take)
