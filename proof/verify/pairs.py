"""Rule 1: what a registration's events make of it, whatever their order and number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Pair:
    """A registration: one code, one member (rule 1)."""

    channel: str
    """Of the first of its events."""
    is_pending: bool = False
    pending_at: datetime | None = None
    """At the earliest, as the next."""
    first_confirmed_at: datetime | None = None
    confirmed_at: datetime | None = None
    """At the latest, as the next."""
    withdrawn_at: datetime | None = None
    other_channels: tuple[str, ...] = ()
    """What later events named, where that was another channel."""

    def state(self) -> str | None:
        """Return the count that the pair is in, if any."""
        if self.confirmed_at is None and self.withdrawn_at is None:
            return "pending" if self.is_pending else None
        if self.withdrawn_at is None:
            return "confirmed"
        if self.confirmed_at is None:
            return None
        return "confirmed" if self.confirmed_at > self.withdrawn_at else None

    def take(self, status: str, occurred_at: datetime) -> bool:
        """Add an event; return whether it told anything new."""
        self._note_first(status, occurred_at)
        if status == "confirmed":
            if self.confirmed_at is not None and occurred_at <= self.confirmed_at:
                return False
            self.confirmed_at = occurred_at
        elif status == "withdrawn":
            if self.withdrawn_at is not None and occurred_at <= self.withdrawn_at:
                return False
            self.withdrawn_at = occurred_at
        else:
            if self.is_pending:
                return False
            self.is_pending = True
        return True

    def name(self, channel: str) -> None:
        """Note the channel that an event names."""
        if channel != self.channel and channel not in self.other_channels:
            self.other_channels += (channel,)

    def _note_first(self, status: str, at: datetime) -> None:
        if status == "confirmed" and (self.first_confirmed_at is None or at < self.first_confirmed_at):
            self.first_confirmed_at = at
        if status == "pending_signup" and (self.pending_at is None or at < self.pending_at):
            self.pending_at = at
