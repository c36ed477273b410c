"""Clicks counted in columns: a place for each mentor, and for each channel how many clicks each place has.

To open a mentor for a click is to touch ten objects far apart in memory, and where every event is another mentor the
processor waits for each. Here a click touches three, and a partition's columns fit its cache. Clicks may be counted
apart because they commute with everything: no threshold depends on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.mentors import channel_name

if TYPE_CHECKING:
    from datetime import datetime

COLUMNS_MAX: Final = 64
"""Channels as they are named in events: strangers name them, and each costs a column."""


class ClickColumns:
    """Clicks of a partition's mentors, by channel as received."""

    __slots__ = ("codes", "columns", "index", "latest", "orgs")

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        """Code -> its place in the lists below."""
        self.codes: list[str] = []
        self.orgs: list[str] = []
        self.latest: list[datetime] = []
        """When the latest click of each place occurred."""
        self.columns: dict[str | None, list[int]] = {}
        """Channel as received, None: none named -> clicks of each place."""

    def __len__(self) -> int:
        return len(self.codes)

    def add_place(self, code: str, org_id: str, first: datetime) -> int:
        """Make a place for a mentor whose first click, which is still to be counted, occurred then; and return it."""
        place = self.index[code] = len(self.codes)
        self.codes.append(code)
        self.orgs.append(org_id)
        self.latest.append(first)
        for column in self.columns.values():
            column.append(0)
        return place

    def add_column(self, channel: str | None) -> list[int] | None:
        """Make a column for a channel, and return it; None: there are as many as there may be."""
        if len(self.columns) >= COLUMNS_MAX:
            return None
        column = self.columns[channel] = [0] * len(self.codes)
        return column

    def named(self) -> list[tuple[str, list[int]]]:
        """Return the columns by the names that the rules give their channels; two may have the same."""
        return [(channel_name(channel), column) for channel, column in self.columns.items()]
