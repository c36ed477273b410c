"""Bytes of memory for a row: what a fresh process grows by while the app's fold makes a million of them.

    python -m bench.memory mentors 1000000

prints one line of JSON. The rows lie in a dictionary for each partition, as in the engine.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

import msgspec
import psutil

from models.changes import MEMBERS, MENTORS
from proof.bench.rows import build

BYTES_REQUIRED: Final = {MENTORS: 700, MEMBERS: 250}
"""At most, for a row with its key and its place in the table."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What the rows of a kind take."""

    kind: str
    rows: int
    bytes_per_row: float
    """Growth of the resident set, for each row."""
    key_bytes: float
    """Mean length of a key."""
    row_bytes: float
    """Mean length of a row."""


def measure_memory(kind: str, count: int) -> Footprint:
    """Measure in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "proof.bench.memory", kind, str(count)], stdout=subprocess.PIPE, check=True
    )
    return msgspec.json.decode(done.stdout, type=Footprint)


def measure_here(kind: str, count: int) -> Footprint:
    """Measure in this process, which must have made no rows before: freed memory would be used again unseen."""
    build(kind, 1_000)  # everything is imported and compiled after this
    rss_before = 0

    def note() -> None:
        nonlocal rss_before
        rss_before = _rss_bytes()

    tables = [partition[kind] for partition in build(kind, count, before=note)]
    grown = _rss_bytes() - rss_before
    rows = sum(map(len, tables))
    return Footprint(
        kind=kind,
        rows=rows,
        bytes_per_row=grown / rows,
        key_bytes=sum(len(key) for table in tables for key in table) / rows,
        row_bytes=sum(len(row) for table in tables for row in table.values()) / rows,
    )


def _rss_bytes() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure_here(sys.argv[1], int(sys.argv[2]))))
