"""What can go wrong in a reconciliation.

ReconciliationError
├── SourceFailed        the membership system cannot be asked, or its answer not be read: tried again by the next run
│   ├── PageGone        the page that a run was to go on from is no longer there: begin from the beginning
│   └── SourceBusy      the membership system asks for peace: it is come back to
├── BadSource           a source, field or status that cannot be configured so
├── StoreFailed         the database is away, not migrated, or refuses us
└── NotPublished        Kafka did not take what was to be back-filled, or cannot be read

A message names the culprit and the remedy. It holds no member's id and nothing that a row said: it is logged and kept.
"""

from __future__ import annotations

from edges.reconciliation.reasons import Said
from models.errors import ReferralError


class ReconciliationError(ReferralError):
    """Anything that reconciliation cannot do, and why."""


class SourceFailed(ReconciliationError):  # noqa: N818 - read as what is wrong
    """The membership system does not answer as it must."""

    def __init__(self, said: Said) -> None:
        super().__init__(said)
        self.said = said


class PageGone(SourceFailed):
    """The address of a page is refused; pages are not kept for ever."""


class SourceBusy(SourceFailed):
    """The membership system asks not to be asked for a while."""

    def __init__(self, said: Said, *, pause_s: float) -> None:
        super().__init__(said)
        self.pause_s = pause_s


class BadSource(ReconciliationError):  # noqa: N818 - the same
    """A source that cannot be used as it was given."""


class StoreFailed(ReconciliationError):  # noqa: N818 - the same
    """Postgres cannot be used."""


class NotPublished(ReconciliationError):  # noqa: N818 - the same
    """Kafka cannot be read or written."""
