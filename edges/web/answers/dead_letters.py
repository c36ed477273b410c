"""Dead letters, and what came of sending them again."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from edges.web.answers.answer import Answer


class DeadLetterListed(Answer, frozen=True, kw_only=True):
    """A record that could not be used; nothing that stood in it but its code."""

    letter: str
    """Where it stands in the dead letters topic: partition/offset."""
    written_at: datetime
    reason: str
    """The kind of fault, as the contract lists them."""
    message: str
    """What is wrong, without what stood in the event."""
    stage: str
    """Who could not use it: `attribution` is the stream app, else the component's name."""
    topic: str | None
    """The topic that the record was read from, without the installation's prefix; null: nothing says it."""
    partition: int
    """Where it was read, as is offset; -1 where nothing says it."""
    offset: int
    referral_code: str | None
    records: int
    """How many records it stands for; only the first is in it."""
    bytes: int
    """Of the record's value."""
    again: bool
    """A rebuild has sent it once more."""
    replayed_at: datetime | None
    """When its record was sent again; null: it was not."""


class DeadLetterCount(Answer, frozen=True, kw_only=True):
    """How many dead letters of a reason came from a topic."""

    reason: str
    topic: str | None
    open: int
    """Not sent again."""
    replayed: int


class DeadLetters(Answer, frozen=True, kw_only=True):
    """An organisation's dead letters: counted, and a page of them, the latest first."""

    counts: list[DeadLetterCount]
    """Of all that were asked for, by reason and topic."""
    letters: list[DeadLetterListed]
    next: str | None
    """`after` of the next page; null: this is the last."""
    listed_max: int
    """So many of an organisation are listed at most, the latest."""
    listed_days: int
    """And of so many days."""


class ReplayVerdict(Answer, frozen=True, kw_only=True):
    """What becomes of a dead letter that is to be sent again."""

    letter: str
    verdict: Literal["ready", "sent", "before", "refused", "gone"]
    """`ready`: it would be sent; `before`: its record was sent before; `gone`: it is not in the topic any more."""
    why: str | None
    """Why it is refused."""


class DeadLettersReplayed(Answer, frozen=True, kw_only=True):
    """What has come of dead letters that were to be sent again, or would."""

    dry_run: bool
    """Nothing was sent."""
    verdicts: list[ReplayVerdict]
    """One for each, in the order in which they were named."""
