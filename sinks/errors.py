"""What can go wrong in a sink.

ReferralError
├── BadInput                (models.errors)  the record cannot be used: a dead letter
│   ├── SecondCode          the mentor has a code already
│   └── RecordRefused       whatever else the record alone caused in the sink
├── StoreUnavailable        what keeps the records cannot be used now: wait and try again
└── Fenced                  another process has taken partitions over: what was read of them is its to keep
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.errors import BadInput, ReferralError

if TYPE_CHECKING:
    from collections.abc import Collection

    from sinks.positions import Place


class SecondCode(BadInput):
    """The mentor has another referral code in this organisation already; the first issue stands."""


class RecordRefused(BadInput):
    """The record was decoded, but made the sink fail, also by itself; the text names the failure."""


class StoreUnavailable(ReferralError):  # noqa: N818 - named like its siblings
    """The store is away, restarting, locked, of another version, or refuses us: nothing is wrong with the records."""

    def __init__(self, reason: str, *, blocked_by: str | None = None) -> None:
        super().__init__(reason)
        self.blocked_by = blocked_by
        """Whose transaction keeps the rows that are needed; None: nobody's, or it is not known."""


class Fenced(ReferralError):  # noqa: N818 - the same
    """Another process has claimed partitions of ours; nothing of the transaction was kept."""

    def __init__(self, places: Collection[Place]) -> None:
        super().__init__(f"another process has taken over {', '.join(f'{topic}/{n}' for topic, n in sorted(places))}")
        self.places = frozenset(places)
