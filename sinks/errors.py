"""What can go wrong in a sink.

ReferralError
├── BadInput                (models.errors)  the record cannot be used: a dead letter
│   ├── SecondCode          the mentor has a code already
│   └── RecordRefused       whatever else the record alone caused in the sink
├── StoreUnavailable        what keeps the records cannot be used now: wait and try again
└── Fenced                  another process has taken partitions over, or the store went back in time beneath us
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
    """The positions are not as we left them; nothing of the transaction was kept, and they must be claimed anew."""

    def __init__(self, places: Collection[Place]) -> None:
        names = ", ".join(f"{topic}/{number}" for topic, number in sorted(places))
        super().__init__(f"claimed by another process, or by an earlier state of the store: {names}")
        self.places = frozenset(places)
