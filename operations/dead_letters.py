"""The dead letters of an installation, read from their topic: those that are meant, and which were sent again.

Whose a dead letter is: its code's organisation; where the code is issued to nobody, the one that the event names. So
what somebody else's event says of a code belongs to the code's owner, and one is in no two organisations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from models.dead_letters import Letter, letter_of
from models.topics import DEAD_LETTERS, REPLAYS
from operations.reading import Span, TopicReader, content, record_of, time_of_record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from confluent_kafka import Message

    from models.dead_letters import Filter
    from operations.tables import Tables
    from process.settings import Settings

LOOKED_UP_AT_ONCE: Final = 1_000
"""Dead letters whose codes' organisations are asked for in one statement."""
NEAR: Final = 500
"""Offsets between two dead letters that are read through rather than asked for apart."""
TOLD_EVERY: Final = 500
"""Dead letters between two calls of `progress`."""

_OWNERS: Final = """
    SELECT code, landing_of_code.org_id::text
    FROM unnest(%(codes)s::text[]) AS code CROSS JOIN LATERAL landing_of_code(code)
"""


class Replayed(msgspec.Struct, frozen=True):
    """What is noted of a dead letter that was sent again."""

    letter: str
    """Coordinates of the dead letter."""
    topic: str
    """Where it was sent to."""
    at: str
    """When, RFC 3339."""


class DeadLetterReader:
    """Reads dead letters; a context manager's `closing` closes it."""

    def __init__(self, settings: Settings, *, progress: Callable[[int, int], None] = lambda _done, _of: None) -> None:
        """Make it without connecting; `progress` is told dead letters that are read, and how many offsets there are."""
        self._reader = TopicReader(settings, name="dead-letters")
        self._name = DEAD_LETTERS.full_name(settings.topic_prefix)
        self._replays = REPLAYS.full_name(settings.topic_prefix)
        self._progress = progress

    def close(self) -> None:
        """Let the connections go."""
        self._reader.close()

    def read(self, wanted: Filter) -> Iterator[Letter]:
        """Yield the dead letters that are meant, those of a partition in their order. Raises CannotRead."""
        partitions = self._reader.partitions([self._name])[self._name]
        spans = self._reader.spans([(self._name, number) for number in range(partitions)], since=wanted.since)
        total = sum(span.end - span.first for span in spans.values())
        for number, message in enumerate(self._reader.read(spans)):
            if number % TOLD_EVERY == 0:
                self._progress(number, total)
            letter = _letter(message)
            if wanted.matches(letter):
                yield letter

    def named(self, places: Iterable[tuple[int, int]]) -> list[Letter]:
        """Return the dead letters at these partitions and offsets; one that is not there is left out.

        Raises CannotRead.
        """
        asked = list(places)
        partitions = self._reader.partitions([self._name])[self._name]
        numbers = {partition for partition, _ in asked if partition < partitions}
        found: dict[tuple[int, int], Letter] = {}
        for (name, number), stands in self._reader.spans([(self._name, number) for number in sorted(numbers)]).items():
            offsets = {offset for partition, offset in asked if partition == number}
            for span in _near(sorted(offset for offset in offsets if stands.first <= offset < stands.end)):
                for letter in map(_letter, self._reader.read({(name, number): span})):
                    if letter.offset in offsets:
                        found[number, letter.offset] = letter
        return [found[place] for place in asked if place in found]

    def replayed(self) -> dict[bytes, Replayed]:
        """Return what was sent again, by the records' identities; nothing where nothing ever was. Raises CannotRead."""
        if not self._reader.stands(self._replays):
            return {}
        found = {}
        for message in self._reader.read(self._reader.spans([(self._replays, 0)])):
            key, value = content(message.key()), content(message.value())
            if key and value:
                found[key] = msgspec.json.decode(value, type=Replayed)
        return found


def _near(offsets: Iterable[int]) -> list[Span]:
    """Return what is to be read for these offsets, ascending: those near each other at once; each read waits anew."""
    spans: list[Span] = []
    for offset in offsets:
        if spans and offset - spans[-1].end < NEAR:
            spans[-1] = Span(spans[-1].first, offset + 1)
        else:
            spans.append(Span(offset, offset + 1))
    return spans


def of_organisation(letters: Iterable[Letter], tables: Tables, org_id: str) -> Iterator[Letter]:
    """Yield the letters that are an organisation's; whose codes are is asked as the organisation itself."""
    owners: dict[str, str] = {}
    waiting: list[Letter] = []
    for letter in letters:
        waiting.append(letter)
        if len(waiting) == LOOKED_UP_AT_ONCE:
            yield from _its_own(waiting, tables, org_id, owners)
            waiting.clear()
    yield from _its_own(waiting, tables, org_id, owners)


def _its_own(letters: Collection[Letter], tables: Tables, org_id: str, owners: dict[str, str]) -> list[Letter]:
    """Return those of the organisation; `owners` remembers the codes that were asked for, "" for nobody's."""
    named = [(letter, *letter.named()) for letter in letters]
    codes = {code for _, code, _ in named if code is not None and code not in owners}
    if codes:
        owners.update(dict.fromkeys(codes, ""))
        with tables.acting_for(org_id) as connection:
            found: Any = connection.execute(_OWNERS, {"codes": sorted(codes)})
            owners.update({row["code"]: row["org_id"] for row in found})
    return [letter for letter, code, says in named if ((owners[code] if code else "") or says) == org_id]


def _letter(message: Message) -> Letter:
    return letter_of(record_of(message), time_of_record(message))
