"""Mentors from CSV: one column named `mentor_id`, a header first, everything else ignored; and a code for each.

What spreadsheets write is taken as `models.spreadsheets` takes it, and columns of other things do not matter. What is
refused is named by its line and the reason, never by what stands there: that may be somebody's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from models.spreadsheets import Table, damage_of
from models.tolerance import read_uuid, trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edges.registry.issuing import CodeRegistry

COLUMN: Final = "mentor_id"
BATCH_MENTORS: Final = 1_000
"""Mentors of one transaction. What was committed stays when an import is stopped; the next one goes on from there."""


class BadHeader(Exception):  # noqa: N818  read as what it is
    """The first line does not name the column."""


class BadLine(NamedTuple):
    """A line that names no mentor."""

    number: int
    """Of the record's end, counted from 1."""
    reason: str


@dataclass(slots=True)
class Imported:
    """What came of the lines so far."""

    new: int = 0
    """Mentors who got a code."""
    known: int = 0
    """Mentors who had one."""
    bad: int = 0
    """Lines that name no mentor."""

    @property
    def mentors(self) -> int:
        """Return the lines that name a mentor."""
        return self.new + self.known


async def import_mentors(
    codes: CodeRegistry,
    org_id: UUID,
    lines: Iterable[str],
    done: Imported,
    *,
    complain: Callable[[BadLine], None],
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Issue a code to each mentor, a batch in a transaction; `done` tells how far it has come.

    Raises:
        BadHeader: nothing was written.
        RegistryError: no code can be made.

    """
    batch: list[UUID] = []

    async def issue() -> None:
        issued = await codes.issue_many(org_id, list(dict.fromkeys(batch)))
        new = sum(each.is_new for each in issued)
        done.new += new
        done.known += len(batch) - new
        batch.clear()
        progress()

    for read in read_mentors(lines):
        if isinstance(read, BadLine):
            done.bad += 1
            complain(read)
        else:
            batch.append(read)
        if len(batch) == BATCH_MENTORS:
            await issue()
    if batch:
        await issue()


def read_mentors(lines: Iterable[str]) -> Iterator[UUID | BadLine]:
    """Yield the mentor of each record, or what is wrong with it; blank lines are passed over.

    Raises:
        BadHeader: there is no header, or none with the column.

    """
    table = Table(lines)
    names = [name.lower() for name in table.columns]
    if table.fault or names.count(COLUMN) != 1:
        found = table.fault or f"it has {len(names)} columns, and {names.count(COLUMN)} of that name"
        raise BadHeader(f"the first line must be a header with one column {COLUMN}; {found}")
    column = names.index(COLUMN)
    for row in table.rows():
        if row.fault:
            yield BadLine(row.line, row.fault)
        elif column >= len(row.cells):
            yield BadLine(row.line, f"has {len(row.cells)} cells, and {COLUMN} is column {column + 1}")
        elif (mentor := read_uuid(row.cells[column])) is not None:
            yield UUID(mentor)
        else:
            damage = "is empty" if not trimmed(row.cells[column]) else damage_of(row.cells[column])
            yield BadLine(row.line, f"{COLUMN} {damage or 'is not a UUID'}")
