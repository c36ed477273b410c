"""Mentors from CSV: one column named `mentor_id`, a header first, everything else ignored; and a code for each.

What spreadsheets write is taken as it comes: a byte order mark, semicolons or tabs instead of commas, blank lines,
columns of other things in whatever encoding.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from models.identifiers import is_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from edges.registry.issuing import CodeRegistry

COLUMN: Final = "mentor_id"
SEPARATORS: Final = ",;\t"

SHOWN_LENGTH_MAX: Final = 40


BATCH_MENTORS: Final = 1_000
"""Mentors of one transaction. What was committed stays when an import is stopped; the next one goes on from there."""


class BadHeader(Exception):  # noqa: N818  read as what it is
    """The first line does not name the column."""


class BadLine(NamedTuple):
    """A line that names no mentor."""

    number: int
    """Of the record's first line, counted from 1."""
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
    lines = iter(lines)
    header = next(lines, "").removeprefix("\ufeff")
    separator = max(SEPARATORS, key=header.count)
    names = [name.strip().strip('"').lower() for name in header.split(separator)]
    if names.count(COLUMN) != 1:
        raise BadHeader(f"the first line must be a header with one column {COLUMN}; it is {_shown(header)}")
    column = names.index(COLUMN)
    reader = csv.reader(lines, delimiter=separator, strict=True)  # strict: else a lost quote swallows the rest unseen
    first = 2
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            yield BadLine(first, f"{fault}; read up to line {reader.line_num + 1}")
        else:
            if any(record):
                yield _mentor_of(record, column) or BadLine(first, _fault_of(record, column))
        first = reader.line_num + 2


def _mentor_of(record: Sequence[str], column: int) -> UUID | None:
    text = record[column].strip() if column < len(record) else ""
    return UUID(text) if is_uuid(text) else None


def _fault_of(record: Sequence[str], column: int) -> str:
    if column >= len(record):
        return f"has {len(record)} columns, and {COLUMN} is column {column + 1}"
    return f"{COLUMN} {_shown(record[column])} is not a UUID"


def _shown(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= SHOWN_LENGTH_MAX else f"{text[:SHOWN_LENGTH_MAX]}...")
