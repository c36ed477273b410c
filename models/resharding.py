"""Rows of a partition under another number of partitions: which stay, and which belong to another one.

What a row is of is in its key: the code of a mentor, of a pair, of an erasure, of a record that waits. What is a
partition's as a whole is made for each: how much waits there, that there are erased pairs, and what was moved there.
The last goes along whole: each new partition takes from one former one alone (models/partition_changes.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.changes import MEMBERS, MENTORS, MOVES, TABLES, WAITING
from models.erasures import PSEUDONYM_BYTES, marker_of
from models.partitioning import partition_of
from models.waiting import total_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Rows = dict[str, dict[bytes, bytes]]
"""Table -> key -> row."""

_CODE_BYTES_MAX: Final = 12
_SEPARATOR: Final = b"/"


def code_of(table: str, key: bytes) -> bytes | None:
    """Return the code that a row is of; None: it is the partition's as a whole."""
    if table == MENTORS:
        return key
    if table == WAITING:
        return key.partition(_SEPARATOR)[0] or None
    if table == MEMBERS:
        pair = PSEUDONYM_BYTES if len(key) > _CODE_BYTES_MAX + len(_SEPARATOR) else 0
        return key[: len(key) - pair].removesuffix(_SEPARATOR) or None
    return None


def spread(rows: Mapping[str, Mapping[bytes, bytes]], number: int, *, former: int, partitions: int) -> dict[int, Rows]:
    """Return the rows of a partition as they belong under another number of partitions: partition -> its rows.

    Args:
        rows: of partition `number`; not changed.
        number: of `former` partitions.
        former: how many there are.
        partitions: how many there will be; a multiple of `former`.

    Raises ValueError where a row was not in its partition.

    """
    homes: dict[bytes, int] = {}
    found: dict[int, Rows] = {
        home: {table: dict(rows[table]) if table == MOVES else {} for table in TABLES}
        for home in range(number, partitions, former)
    }
    for table, kept in rows.items():
        for key, row in kept.items():
            code = code_of(table, key)
            if code is None:
                continue
            home = homes.get(code)
            if home is None:
                home = homes[code] = partition_of(code, partitions)
            if home not in found:
                raise ValueError(f"partition {number} has a row of table {table} that belongs in another one")
            found[home][table][key] = row
    for belonging in found.values():
        belonging[WAITING].update(total_of(belonging[WAITING]))
        belonging[MEMBERS].update(marker_of(belonging[MEMBERS]))
    return found
