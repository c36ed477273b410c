"""Rows laid out for another number of partitions, while no worker is at work.

The order is what makes it safe. Changelogs get their partitions first and the source topics theirs last: in between no
worker starts, whichever number it counts on, because one of the two contradicts it. Each former partition is one
transaction under its transactional id, so whoever still owns it is fenced: its rows that belong elsewhere go, the
partitions that begin with them get them, and each of these a standing of its own. It says for how many partitions the
rows are laid out, so what is done is known, and done again is left alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from streams.engine.changelog import load_rows
from streams.engine.cluster import Cluster
from streams.engine.deciding import Deciding
from streams.engine.epoch import Epoch
from streams.engine.errors import StateRefused
from streams.engine.standing import Stand, Standing, judge
from streams.engine.takeover import find

if TYPE_CHECKING:
    from streams.engine.batch import Rows
    from streams.engine.changelog import Loaded
    from streams.engine.options import EngineOptions
    from streams.engine.standing import Found


class Spread(Protocol):
    """Gives the rows of a partition as they belong: partition -> table -> key -> row; one that has none has tables."""

    def __call__(self, rows: Rows, number: int, *, former: int, partitions: int) -> dict[int, Rows]:
        """Return them for partition `number` of `former`, under `partitions`."""


class Layout:
    """The rows of an application's partitions, laid out anew. All methods block."""

    def __init__(self, options: EngineOptions, *, former: int, spread: Spread) -> None:
        """Prepare it.

        Args:
            options: the application's wiring, under the new number of partitions.
            former: the number that its source topics have.
            spread: who knows where a row belongs.

        """
        self._options = options
        self._former = replace(options, partitions=former)
        self._cluster = Cluster(self._former)
        self._spread = spread

    def fence(self) -> None:
        """Fence whoever owns a partition still, and end what it had open."""
        for number in range(self._former.partitions):
            with Deciding(self._options, number):
                pass

    def standings(self) -> dict[int, Standing]:
        """Return where the rows of each former partition stand.

        Raises:
            StateRefused: somebody has to decide about one first.

        """
        return {number: self._stands(*self._load(number)) for number in range(self._former.partitions)}

    def is_done(self, standing: Standing) -> bool:
        """Tell whether the rows that stand there are laid out as they are to be."""
        return standing.partitions == self._options.partitions

    def move(self, number: int) -> Standing:
        """Lay the rows of a former partition out anew, in one transaction, and return where they stand.

        Raises:
            StateRefused: somebody has to decide about it first.
            Fenced: somebody else has taken it over; nothing has changed.

        """
        with Deciding(self._options, number) as producer:
            loaded, found = self._load(number)
            standing = self._stands(loaded, found)
            if self.is_done(standing):
                return standing
            at = standing.epoch + 1
            after = Standing(
                at,
                standing.sources,
                dict.fromkeys(self._options.tables, at),
                standing.before,
                standing.since,
                partitions=self._options.partitions,
            )
            producer.commit(self._epoch(number, loaded, found, after))
        return after

    def _load(self, number: int) -> tuple[Loaded, Found]:
        committed, marked = self._cluster.committed([number])
        loaded = load_rows(self._options, [number])
        return loaded[number], find(self._cluster, loaded, committed, marked)[number]

    def _stands(self, loaded: Loaded, found: Found) -> Standing:
        if loaded.standing is not None and self.is_done(loaded.standing):
            return loaded.standing
        positions = judge(found)
        if found.standing is not None:
            return found.standing
        if found.begins:
            if any(log.end for log in found.sources.values()):
                reason = "nothing is kept of it, and its topics have records: let a worker begin with them"
                raise StateRefused(found.number, reason)
            positions = dict.fromkeys(found.sources, 0)
        stands = {topic: Stand(at, found.sources[topic].topic_id) for topic, at in positions.items()}
        return Standing(0, stands, {})

    def _epoch(self, number: int, loaded: Loaded, found: Found, after: Standing) -> Epoch:
        """Return what changes: rows that go, rows that are otherwise, and the partitions that begin with rows of it."""
        partitions, former = self._options.partitions, self._former.partitions
        rows = self._spread(loaded.rows, number, former=former, partitions=partitions)
        stays = rows.pop(number)
        epoch = Epoch()
        epoch.rows = {table: _changed(loaded.rows[table], stays[table]) for table in self._options.tables}
        epoch.standing = after
        beginning = {topic: Stand(0, log.topic_id) for topic, log in found.sources.items()}
        begun = Standing(1, beginning, dict.fromkeys(self._options.tables, 1), partitions=partitions)
        epoch.elsewhere = {home: (tables, begun) for home, tables in rows.items()}
        if loaded.owed:
            first = loaded.rows[self._options.tables[0]]
            epoch.latest = dict(self._options.publish({key: first[key] for key in loaded.owed}))
        return epoch


def _changed(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> dict[bytes, bytes | None]:
    """Return what makes one of the other."""
    gone = dict.fromkeys(before.keys() - after.keys())
    return {**gone, **{key: row for key, row in after.items() if before.get(key) != row}}
