"""The end of a fold: each mentor whom it opened or counted clicks of becomes a row, once for all events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.mentors import add_clicks, decode_mentor, encode_mentor, mentor_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from models.click_columns import ClickColumns
    from models.events import MentorCounts


class MentorRows:
    """The new rows of mentors; made in as many goes as one likes, because thousands take a while."""

    def __init__(self, opened: Mapping[str, MentorCounts], clicks: ClickColumns, before: Mapping[bytes, bytes]) -> None:
        """Begin; nothing is opened or counted any more.

        Args:
            opened: referral code -> mentor as changed.
            clicks: of these and of other mentors.
            before: the table's rows.

        """
        self.rows: dict[bytes, bytes | None] = {}
        """Key -> row; those that came out as they were are left out."""
        self.counts: dict[bytes, bytes] = {}
        """Key in the published topic -> value."""
        self.left = self._make(opened, clicks, before)
        """Each step makes one."""

    def _make(
        self, opened: Mapping[str, MentorCounts], clicks: ClickColumns, before: Mapping[bytes, bytes]
    ) -> Iterator[None]:
        rows, counts = self.rows, self.counts
        columns, latest = clicks.named(), clicks.latest
        for code, place in clicks.index.items():
            mentor = opened.get(code)
            if mentor is None:  # encoded at once, so that it is not kept open beside all the others
                key = code.encode()
                mentor = decode_mentor(before[key])
                add_clicks(mentor, columns, place, latest[place])
                rows[key] = counts[mentor_key(mentor)] = encode_mentor(mentor)
            else:
                add_clicks(mentor, columns, place, latest[place])
            yield
        for code, mentor in opened.items():
            key = code.encode()
            row = encode_mentor(mentor)
            if row != before.get(key):
                rows[key] = row
                if mentor.last_event_at is not None:
                    counts[mentor_key(mentor)] = row
            yield
