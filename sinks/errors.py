"""What can go wrong in a sink.

ReferralError
├── BadInput                (models.errors)  the record cannot be used: a dead letter
│   ├── SecondCode          the mentor has a code already
│   └── RecordRefused       whatever else the record alone caused in the sink
└── StoreUnavailable        what keeps the records cannot be used now: wait and try again
"""

from __future__ import annotations

from models.errors import BadInput, ReferralError


class SecondCode(BadInput):
    """The mentor has another referral code in this organisation already; the first issue stands."""


class RecordRefused(BadInput):
    """The record was decoded, but made the sink fail, also by itself; the text names the failure."""


class StoreUnavailable(ReferralError):  # noqa: N818 - named like its siblings
    """The store is away, restarting, not migrated, or refuses us: nothing is wrong with the records."""
