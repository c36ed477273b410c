"""The runs that ask for members whose confirmation did not come."""

from __future__ import annotations

from datetime import datetime

from edges.web.answers.answer import Answer


class RowLeft(Answer, frozen=True, kw_only=True):
    """A row of the membership system that was left: somebody has to look at it."""

    place: str
    reason: str
    """What is wrong with it, in English; nothing that it says."""
    code: str | None
    """The same as a code, which stays the same when the words change; null: a version before this one noted it."""
    values: dict[str, str]
    """What the code is said of, by name: a column, a number, a pattern of the configuration."""


class Fault(Answer, frozen=True, kw_only=True):
    """Why a membership system could not be read, or not to its end, as a code that each language has words for."""

    code: str
    """Stays the same when the words change."""
    values: dict[str, str]
    """What it is said of, by name: an address without its query, a number, a column; nothing that a row says."""


class ReconciliationRun(Answer, frozen=True, kw_only=True):
    """A run of reconciliation; every row that was read is in one of the counts."""

    source: str
    started_at: datetime
    finished_at: datetime | None
    """Null: it runs, or did not come to its end."""
    members_read: int
    matched: int
    """Were in the topic already."""
    back_filled: int
    """Confirmations that never came."""
    withdrawn: int
    """Withdrawals that never came."""
    unchanged: int
    """Nothing was to be said of them: no code, not confirmed, another organisation's code."""
    unclear: int
    bad_rows: int
    complete: bool
    """Whether everything that the membership system has was seen."""
    incomplete: str | None
    """Why not, where it did not fail."""
    error: str | None
    fault: Fault | None
    """The error as a code, else why it is not complete; null: neither, or what others say of it, as Kafka does."""
    ask_again_at: datetime | None
    rows_left: list[RowLeft]
    """The first of them."""


class Reconciliation(Answer, frozen=True, kw_only=True):
    """The latest runs of reconciliation, the latest first."""

    runs: list[ReconciliationRun]
