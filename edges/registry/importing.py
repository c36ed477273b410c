"""Mentors from CSV: a header with a column `mentor_id`, and a code for each; names, where it has a `display_name`.

What spreadsheets write is taken as `models.spreadsheets` takes it, columns may be called "Mentor-ID" or "display name"
too, and those of other things do not matter: names are kept only where the header says that they are display names, so
a list that has names for other reasons stays out of it.
What is refused is named by its line and the reason, never by what stands there: that may be somebody's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from edges.registry.naming import Naming, name_mentors
from models.names import read_name
from models.spreadsheets import NOT_UTF8, Table, damage_of
from models.tolerance import read_uuid, trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edges.registry.database import Organisations
    from edges.registry.issuing import CodeRegistry
    from models.spreadsheets import TableRow

COLUMN: Final = "mentor_id"
NAME_COLUMN: Final = "display_name"
GROUP_COLUMNS: Final = ("group", "region")
"""One of them may stand beside the name."""
BATCH_MENTORS: Final = 1_000
"""Mentors of one transaction. What was committed stays when an import is stopped; the next one goes on from there."""


class BadHeader(Exception):  # noqa: N818  read as what it is
    """The first line does not name the columns."""


class MentorLine(NamedTuple):
    """A line that names a mentor."""

    mentor_id: UUID
    naming: Naming | None
    """None: the file has no column of names, and what is kept stays."""


class BadLine(NamedTuple):
    """A line that is left out."""

    number: int
    """Of the record's end, counted from 1."""
    reason: str


@dataclass(slots=True)
class Imported:
    """What came of the lines so far."""

    new: int = 0
    """Mentors who were not known, and got a code."""
    changed: int = 0
    """Lines that gave a mentor who was known another name or group, or erased them."""
    unchanged: int = 0
    """Lines that say what was known."""
    bad: int = 0
    """Lines that are left out."""
    unnamed: bool = False
    """The file has no column of names."""
    undecoded: int = 0
    """Lines that are left out because they are in another encoding."""

    @property
    def mentors(self) -> int:
        """Return the lines that name a mentor."""
        return self.new + self.changed + self.unchanged


async def import_mentors(
    codes: CodeRegistry,
    organisations: Organisations,
    org_id: UUID,
    lines: Iterable[str],
    done: Imported,
    *,
    complain: Callable[[BadLine], None],
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Issue a code to each mentor and keep his name, a batch at a time; `done` tells how far it has come.

    A mentor who stands in the file twice has the name of the later line.

    Raises:
        BadHeader: nothing was written.
        RegistryError: no code can be made.

    """
    batch: list[MentorLine] = []

    async def take() -> None:
        issued = await codes.issue_many(org_id, list(dict.fromkeys(line.mentor_id for line in batch)))
        new = {each.mentor_id for each in issued if each.is_new}
        done.unnamed = batch[0].naming is None
        names = {line.mentor_id: line.naming for line in batch if line.naming is not None}
        changed = await name_mentors(organisations, org_id, names) - new if names else set()
        done.new += len(new)
        done.changed += len(changed)
        done.unchanged += len(batch) - len(new) - len(changed)
        batch.clear()
        progress()

    for read in read_mentors(lines):
        if isinstance(read, BadLine):
            done.bad += 1
            done.undecoded += read.reason.endswith(NOT_UTF8)
            complain(read)
        else:
            batch.append(read)
        if len(batch) == BATCH_MENTORS:
            await take()
    if batch:
        await take()


def read_mentors(lines: Iterable[str]) -> Iterator[MentorLine | BadLine]:
    """Yield the mentor of each record, or what is wrong with it; blank lines are passed over.

    Raises:
        BadHeader: there is no header, none with the column, or two of which one alone can be meant.

    """
    table = Table(lines)
    names = [_OURS.get(_folded(name), name) for name in table.columns]
    if table.fault or names.count(COLUMN) != 1:
        count = names.count(COLUMN)
        found = (
            table.fault
            or f"it has {len(names)} {'column' if len(names) == 1 else 'columns'}, and {count or 'none'} of that name"
        )
        remedy = "" if table.fault or count else f": call the column of their ids so, and {NAME_COLUMN} that of names"
        raise BadHeader(f"the first line must be a header with one column {COLUMN}; {found}{remedy}")
    columns = [names.index(COLUMN)]
    if NAME_COLUMN in names:
        groups = [name for name in names if name in GROUP_COLUMNS]
        if names.count(NAME_COLUMN) > 1 or len(groups) > 1:
            raise BadHeader(
                f"the header has more than one column {NAME_COLUMN}, or of {' and '.join(GROUP_COLUMNS)}; leave one"
            )
        columns += [names.index(name) for name in (NAME_COLUMN, *groups)]
    for row in table.rows():
        yield _read(row, columns, names)


def _folded(name: str) -> str:
    """Return what is the same of Mentor-ID, "mentor id" and mentor_id."""
    return "".join(filter(str.isalnum, name)).lower()


_OURS: Final = {_folded(name): name for name in (COLUMN, NAME_COLUMN, *GROUP_COLUMNS)}


def _read(row: TableRow, columns: list[int], names: list[str]) -> MentorLine | BadLine:
    """Return what a record says in these columns: the mentor's id, and then his name and his group if there are any."""
    if row.fault:
        return BadLine(row.line, row.fault)
    missing = next((column for column in columns if column >= len(row.cells)), None)
    if missing is not None:
        return BadLine(row.line, f"has {len(row.cells)} cells, and {names[missing]} is column {missing + 1}")
    identifier, *others = (row.cells[column] for column in columns)
    mentor = read_uuid(identifier)
    if mentor is None:
        damage = damage_of(identifier) if trimmed(identifier) else "is empty"
        return BadLine(row.line, f"{COLUMN} {damage or 'is not a UUID'}")
    texts = []
    for column, cell in zip(columns[1:], others, strict=True):
        text, fault = read_name(cell)
        if fault:
            return BadLine(row.line, f"{names[column]} {fault}")
        texts.append(text)
    return MentorLine(UUID(mentor), Naming(*texts) if texts else None)
