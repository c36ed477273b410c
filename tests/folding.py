"""A fold for tests of the engine: a function of rows and a batch, as small applications have it, made into a work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streams.engine.batch import RecordBatch, Rows, Work


@dataclass(frozen=True)
class Sent:
    """A record that a fold wants sent."""

    topic: str = "receipts"
    key: bytes | None = b"key"
    value: bytes | None = b"value"
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    timestamp_ms: int = 0


@dataclass(frozen=True)
class Changed:
    """What a fold gives back."""

    rows: dict[str, dict[bytes, bytes | None]] = field(default_factory=dict)
    latest: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    outgoing: list[Any] = field(default_factory=list)
    counted: dict[tuple[str, ...], int] = field(default_factory=dict)


Fold = Callable[[Rows, RecordBatch], Changed]


class FunctionWork:
    """Folds each batch by the function, which sees what the ones before it changed."""

    def __init__(self, fold: Fold, rows: Rows) -> None:
        self._fold = fold
        self._rows = {table: dict(each) for table, each in rows.items()}
        self._changed = Changed()

    def fold(self, batch: RecordBatch, *, now_ms: int) -> None:
        """Take a batch."""
        del now_ms
        changes = self._fold(self._rows, batch)
        for table, rows in changes.rows.items():
            self._changed.rows.setdefault(table, {}).update(rows)
            self._rows[table] |= {key: row for key, row in rows.items() if row is not None}
            for key in [key for key, row in rows.items() if row is None]:
                self._rows[table].pop(key, None)
        for topic, values in changes.latest.items():
            self._changed.latest.setdefault(topic, {}).update(values)
        self._changed.outgoing.extend(changes.outgoing)
        self._changed.counted.update(changes.counted)

    def encode(self, rows_max: int) -> bool:
        """Have nothing to do beforehand."""
        del rows_max
        return False

    def changes(self) -> Changed:
        """Return what has come of all."""
        return self._changed

    @property
    def is_urgent(self) -> bool:
        """Whether something is to be sent."""
        return bool(self._changed.outgoing)

    @property
    def touched(self) -> int:
        """How many rows have changed."""
        return sum(map(len, self._changed.rows.values()))

    @property
    def size(self) -> int:
        """A hundred bytes for each."""
        return 100 * (self.touched + len(self._changed.outgoing))


def begins(fold: Fold, *, made: type[FunctionWork] = FunctionWork) -> Callable[[Rows, int], Work]:
    """Return what begins works of the function."""
    return lambda rows, _number: made(fold, rows)
