"""What an ordinary life over years does to a cluster, and what an operator then decides.

An act happens while no worker runs: they are killed, their sessions and transactions end, and the act is done. It says
which partitions must be refused afterwards, and by which command an operator puts them right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

from models.attribution import Attribution
from models.changes import MOVES
from streams.engine.options import EngineOptions
from tests.simulation import oracle
from tests.simulation.kafka import Entry, Kafka, Place

COMPACTED: Final = {"cleanup.policy": "compact"}


class Act(StrEnum):
    """What happens."""

    NOTHING = "nothing"
    OFFSETS_EXPIRE = "the group's offsets expire"
    OFFSETS_RESET = "somebody resets the group's offsets"
    CHANGELOG_EMPTIED = "a partition of a changelog is emptied"
    CHANGELOG_REMADE = "a changelog is deleted and made anew"
    CHANGELOG_COMPACTED = "changelogs and codes are compacted"
    CHANGELOG_DELETES = "a changelog's clean-up policy deletes"
    SOURCE_RETENTION = "retention deletes records of a source"
    SOURCE_CUT = "a source loses its end"
    """Nothing comes until it is decided: grown past the position again, nobody can tell what is missing."""
    SOURCE_REMADE = "a source is deleted and made anew"
    APP_RENAMED = "the application gets another id"


class Sources:
    """What there was to read in the sources: what is there, and what was read of what is not there any more."""

    def __init__(self, kafka: Kafka, topics: tuple[str, ...]) -> None:
        self._kafka = kafka
        self._topics = topics
        self._gone: dict[Place, list[Entry]] = {}
        self._since: dict[Place, int] = {}
        self._reused: dict[bytes, int] = {}

    def keep(self, place: Place, read: int) -> None:
        """Keep the records that were read up to a position, before the log is changed; count the others from there."""
        self._gone[place] = [entry for entry in oracle.visible(self._kafka.log(*place)) if entry.offset < read]
        self._since[place] = read

    def count_from(self, place: Place, offset: int) -> None:
        """Let the log count from an offset on, beside what is kept."""
        self._since[place] = offset

    def reuse(self, place: Place, offset: int) -> None:
        """Let offsets from this one on be given to other records than before."""
        self._reused[f"{place[0]}/{place[1]}".encode()] = offset

    def fold(self, attribution: Attribution, number: int) -> oracle.Expected:
        """Return what a partition's records come to."""
        gone = [(topic, self._gone.get((topic, number), [])) for topic in self._topics]
        expected = oracle.Expected()
        if self._gone:
            oracle.fold_sources(attribution, gone, number, expected)
            moves = expected.rows[MOVES]
            for origin, offset in self._reused.items():
                if int(moves.get(origin, b"-1")) >= offset:
                    moves[origin] = b"%d" % (offset - 1)
        there = []
        for topic in self._topics:
            since = self._since.get((topic, number), 0)
            now = oracle.visible(self._kafka.log(topic, number))
            there.append((topic, [entry for entry in now if entry.offset >= since]))
        oracle.fold_sources(attribution, there, number, expected)
        return expected


class Outcome:
    """What an act did, and what must follow."""

    def __init__(self) -> None:
        self.refused: set[int] = set()
        """Partitions that must be refused."""
        self.decide = "rebuild"
        """What an operator does about them."""
        self.undo: Callable[[], None] | None = None
        """Done after a while."""
        self.loses_copies = False
        """Whether moved copies may be gone from the logs, or be there twice."""
        self.sends_again = False
        """Whether dead letters may come again."""
        self.forgotten: dict[Place, int] = {}
        """Source -> position up to which the group's offsets knew that it was read, where the standing that said more
        is lost together with its worker. What was sent of the records behind it may come again without a mark."""
        self.app_id: str | None = None
        self.cut: Place | None = None
        """A log that has lost its end."""
        self.is_hidden: Callable[[], bool] = lambda: False
        """Whether something has come meanwhile that hides what the act did."""


class Actor:
    """Does the acts of one schedule."""

    def __init__(self, kafka: Kafka, options: EngineOptions, sources: Sources, randomness: random.Random) -> None:
        self._kafka = kafka
        self._options = options
        self._sources = sources
        self._random = randomness

    def do(self, act: Act) -> Outcome:
        """Do it."""
        outcome = Outcome()
        _ACTS[act](self, outcome)
        outcome.sends_again |= bool(outcome.refused) and outcome.decide == "rebuild"
        return outcome

    def nothing(self, outcome: Outcome) -> None:
        """Let the workers be killed, and no more."""

    def offsets_expire(self, outcome: Outcome) -> None:
        """Delete the group's offsets."""
        self._kafka.group(self._options.app_id).offsets.clear()

    def offsets_reset(self, outcome: Outcome) -> None:
        """Set the group's offsets anywhere."""
        offsets = self._kafka.group(self._options.app_id).offsets
        for place in list(offsets):
            offsets[place] = (self._random.randint(0, self._kafka.log(*place).end), "")

    def changelog_emptied(self, outcome: Outcome) -> None:
        """Delete what one partition of a changelog holds."""
        table, number = self._random.choice(self._options.tables), self._number()
        log = self._kafka.log(self._options.changelog(table), number)
        is_first = table == self._options.tables[0] or not self._positions(number)
        if log.end if is_first else oracle.visible(log):
            outcome.refused = {number}
        if table == self._options.tables[0]:
            self._forget([number], outcome)
        log.delete_before(log.end)

    def changelog_remade(self, outcome: Outcome) -> None:
        """Delete a changelog, and make it anew."""
        table = self._random.choice(self._options.tables)
        name = self._options.changelog(table)
        if table == self._options.tables[0]:
            self._forget(range(self._options.partitions), outcome)
        outcome.refused = {
            number
            for number in range(self._options.partitions)
            if oracle.visible(self._kafka.log(name, number))
            and any(self._positions(number).values())
            and (table != self._options.tables[0] or self._is_known_besides(number))
        }
        self._kafka.delete_topic(name)
        self._kafka.make_topic(name, self._options.partitions, **COMPACTED)

    def changelog_compacted(self, outcome: Outcome) -> None:
        """Keep the last row of each key."""
        for table in self._options.tables:
            for log in self._kafka.topics[self._options.changelog(table)].logs:
                log.compact()

    def changelog_deletes(self, outcome: Outcome) -> None:
        """Let a changelog's clean-up policy be a wrong one for a while."""
        name = self._options.changelog(self._random.choice(self._options.tables))
        self._kafka.configure(name, **{"cleanup.policy": "compact,delete"})
        outcome.undo = lambda: self._kafka.configure(name, **COMPACTED)

    def app_renamed(self, outcome: Outcome) -> None:
        """Give the application another id, and its changelogs."""
        outcome.app_id = f"{self._options.app_id}-anew"
        outcome.loses_copies = outcome.sends_again = True
        for table in self._options.tables:
            self._kafka.make_topic(f"{outcome.app_id}-{table}-changelog", self._options.partitions, **COMPACTED)

    def source_retention(self, outcome: Outcome) -> None:
        """Delete a source's records up to an offset."""
        place, read = self._source(outcome)
        log = self._kafka.log(*place)
        log.delete_before(self._random.randint(0, log.end))
        if log.first > read:
            outcome.refused = {place[1]} if self._positions(place[1]) else set()
            self._sources.count_from(place, log.first)

    def source_cut(self, outcome: Outcome) -> None:
        """Lose a source's records from an offset on."""
        place, read = self._source(outcome)
        log = self._kafka.log(*place)
        log.cut(self._random.randint(log.first, log.end))
        if log.end < read:
            outcome.refused, outcome.cut = {place[1]}, place
            outcome.is_hidden = lambda: log.end >= read
            self._sources.count_from(place, log.end)
            self._sources.reuse(place, log.end)

    def source_remade(self, outcome: Outcome) -> None:
        """Delete a source, and make it anew."""
        (topic, _), _ = self._source(outcome)
        for number in range(self._options.partitions):
            read = self._positions(number).get(topic, 0)
            self._sources.keep((topic, number), read)
            if read:
                outcome.refused.add(number)
        self._kafka.delete_topic(topic)
        self._kafka.make_topic(topic, self._options.partitions)
        for number in range(self._options.partitions):
            self._sources.count_from((topic, number), 0)
            self._sources.reuse((topic, number), 0)

    def _source(self, outcome: Outcome) -> tuple[Place, int]:
        """Choose a source's partition, keep what was read of it, and return how far that was."""
        outcome.decide, outcome.loses_copies = "accept", True
        topic, number = self._random.choice(self._options.source_topics), self._number()
        read = self._positions(number).get(topic, 0)
        self._sources.keep((topic, number), read)
        return (topic, number), read

    def _forget(self, numbers: Iterable[int], outcome: Outcome) -> None:
        offsets = self._kafka.group(self._options.app_id).offsets
        for number in numbers:
            for topic, read in self._positions(number).items():
                known, _ = offsets.get((topic, number), (0, ""))
                if known < read:
                    outcome.forgotten[topic, number] = known

    def _is_known_besides(self, number: int) -> bool:
        """Tell whether anything but the first table says that a partition was read.

        Nothing does in its first second, before the group's offsets follow; then it begins once more.
        """
        offsets = self._kafka.group(self._options.app_id).offsets
        logs = [self._kafka.log(self._options.changelog(table), number) for table in self._options.tables[1:]]
        return any(oracle.visible(log) for log in logs) or any(
            offset for (_, place), (offset, _) in offsets.items() if place == number
        )

    def _number(self) -> int:
        return self._random.randrange(self._options.partitions)

    def _positions(self, number: int) -> dict[str, int]:
        return oracle.positions_of(self._kafka, self._options, number)


_ACTS: Final[dict[Act, Callable[[Actor, Outcome], None]]] = {act: getattr(Actor, act.name.lower()) for act in Act}
