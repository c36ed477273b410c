"""What a fold changes and sends, and the tables that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from models.outgoing import Outgoing

MENTORS: Final = "mentors"
MEMBERS: Final = "members"
WAITING: Final = "waiting"
MOVES: Final = "moves"
TABLES: Final = (MENTORS, MEMBERS, WAITING, MOVES)


@dataclass(kw_only=True, slots=True)
class Changes:
    """What is to be written and sent."""

    rows: dict[str, dict[bytes, bytes | None]] = field(default_factory=dict)
    """Table -> key -> new row, None: deleted."""
    latest: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    """Topic -> key -> value: sent to compacted topics, of which only the last value of a key matters."""
    outgoing: list[Outgoing] = field(default_factory=list)
    """Sent each, in order."""
    counted: dict[tuple[str, ...], int] = field(default_factory=dict)
    """What is counted when it is committed; the names are in models/counted.py."""
