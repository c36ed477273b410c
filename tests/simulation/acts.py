"""What an ordinary life over years does to a cluster, and what an operator then decides.

An act happens while no worker runs: they are killed, their sessions and transactions end, and the act is done. Each says of
every partition whether it must be refused afterwards, and by which command an operator puts it right.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import StrEnum

from models.attribution import MOVES, Attribution
from streams.engine.options import EngineOptions
from tests.simulation import oracle
from tests.simulation.kafka import Entry, Kafka, Place


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
        kafka, randomness, options = self._kafka, self._random, self._options
        group = kafka.group(options.app_id)
        table = randomness.choice(options.tables)
        number = randomness.randrange(options.partitions)
        changelog = options.changelog(table)
        place = (randomness.choice(options.source_topics), number)
        if act is Act.OFFSETS_EXPIRE:
            group.offsets.clear()
        elif act is Act.OFFSETS_RESET:
            for each in list(group.offsets):
                group.offsets[each] = (randomness.randint(0, kafka.log(*each).end), "")
        elif act is Act.CHANGELOG_EMPTIED:
            log = kafka.log(changelog, number)
            is_missed = log.end if table == options.tables[0] or not self._positions(number) else oracle.visible(log)
            outcome.refused = {number} if is_missed else set()
            log.delete_before(log.end)
        elif act is Act.CHANGELOG_REMADE:
            outcome.refused = self._without(table)
            kafka.delete_topic(changelog)
            kafka.make_topic(changelog, options.partitions, **{"cleanup.policy": "compact"})
        elif act is Act.CHANGELOG_COMPACTED:
            for name in [*map(options.changelog, options.tables), options.read_first]:
                for log in kafka.topics[name].logs:
                    if name != options.read_first:
                        log.compact()
        elif act is Act.CHANGELOG_DELETES:
            config = kafka.topics[changelog].config
            config["cleanup.policy"] = "compact,delete"
            outcome.undo = lambda: config.__setitem__("cleanup.policy", "compact")
        elif act is Act.APP_RENAMED:
            outcome.app_id = f"{options.app_id}-anew"
            outcome.loses_copies = outcome.sends_again = True
            for each in options.tables:
                kafka.make_topic(
                    f"{outcome.app_id}-{each}-changelog", options.partitions, **{"cleanup.policy": "compact"}
                )
        elif act is not Act.NOTHING:
            self._change_source(act, place, outcome)
        outcome.sends_again |= bool(outcome.refused) and outcome.decide == "rebuild"
        return outcome

    def _without(self, table: str) -> set[int]:
        """Return the partitions that miss something when the changelog of a table is gone."""
        changelog = self._options.changelog(table)
        return {
            number
            for number in range(self._options.partitions)
            if oracle.visible(self._kafka.log(changelog, number)) and any(self._positions(number).values())
        }

    def _change_source(self, act: Act, place: Place, outcome: Outcome) -> None:
        topic, number = place
        kafka, randomness = self._kafka, self._random
        outcome.decide, outcome.loses_copies = "accept", True
        numbers = range(self._options.partitions) if act is Act.SOURCE_REMADE else [number]
        read = {each: self._positions(each).get(topic, 0) for each in numbers}
        for each in numbers:
            self._sources.keep((topic, each), read[each])
        log = kafka.log(*place)
        if act is Act.SOURCE_RETENTION:
            log.delete_before(randomness.randint(0, log.end))
            if log.first > read[number]:
                outcome.refused = {number} if self._positions(number) else set()
                self._sources.count_from(place, log.first)
        elif act is Act.SOURCE_CUT:
            log.cut(randomness.randint(log.first, log.end))
            if log.end < read[number]:
                outcome.refused, outcome.cut = {number}, place
                outcome.is_hidden = lambda: log.end >= read[number]
                self._sources.count_from(place, log.end)
                self._sources.reuse(place, log.end)
        else:
            kafka.delete_topic(topic)
            kafka.make_topic(topic, self._options.partitions)
            outcome.refused = {each for each in numbers if read[each]}
            for each in numbers:
                self._sources.count_from((topic, each), 0)
                self._sources.reuse((topic, each), 0)

    def _positions(self, number: int) -> dict[str, int]:
        names = {table: self._options.changelog(table) for table in self._options.tables}
        return oracle.position_of(oracle.changelog_rows(self._kafka, names, number))
