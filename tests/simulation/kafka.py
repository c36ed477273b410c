"""A Kafka in memory: logs, transactions with fencing and markers, offsets of groups, topics with an identity.

It does what Kafka promises and takes the liberties that Kafka takes: a transaction that is decided becomes visible
partition by partition, as its markers are written; offsets in a transaction are unstable until its marker is there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from operator import attrgetter
from types import SimpleNamespace
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException

Place = tuple[str, int]
"""Topic and partition."""

Headers = list[tuple[str, bytes | None]]
OPEN: Final = "open"
COMMITTED: Final = "committed"
ABORTED: Final = "aborted"


class Data(NamedTuple):
    """A record to be appended."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int


class Transaction:
    """A transaction, and where it has written."""

    __slots__ = ("began_s", "logs", "outcome", "pending")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.outcome = OPEN
        self.logs: list[Log] = []
        self.pending = 0
        """Markers to be written."""


class Entry:
    """A record in a log, or a marker (`is_marker`)."""

    __slots__ = ("headers", "is_marker", "key", "offset", "timestamp", "transaction", "value")

    def __init__(self, offset: int, data: Data, transaction: Transaction | None, *, is_marker: bool = False) -> None:
        self.offset = offset
        self.key, self.value, _, self.timestamp = data
        self.headers: Sequence[tuple[str, bytes | None]] = data.headers
        self.transaction = transaction
        self.is_marker = is_marker

    @property
    def is_visible(self) -> bool:
        """Whether a reader of committed records is given it, below the last stable offset."""
        return not self.is_marker and (self.transaction is None or self.transaction.outcome is COMMITTED)


_offset: Final = attrgetter("offset")
_MARKER: Final = Data(None, None, [], -1)


class Log:
    """One partition."""

    __slots__ = ("end", "entries", "first", "place", "undecided")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.entries: list[Entry] = []
        self.first = 0
        self.end = 0
        self.undecided: dict[Transaction, int] = {}
        """Transactions without a marker here, and their first offset."""

    def append(self, data: Data, transaction: Transaction | None = None, *, is_marker: bool = False) -> int:
        """Append a record, or a marker, and return its offset."""
        offset = self.end
        self.entries.append(Entry(offset, data, transaction, is_marker=is_marker))
        self.end = offset + 1
        if transaction is not None and not is_marker and transaction not in self.undecided:
            self.undecided[transaction] = offset
            transaction.logs.append(self)
        return offset

    @property
    def stable(self) -> int:
        """The offset up to which everything is decided: the last stable offset."""
        return min(self.undecided.values()) if self.undecided else self.end

    def read(self, position: int, records_max: int = 1_000, *, committed: bool = True) -> tuple[list[Entry], int]:
        """Return committed records, or all, from a position on, and the position after what was looked at."""
        stable = self.stable if committed else self.end
        found: list[Entry] = []
        at = max(position, self.first)
        if at >= stable:
            return found, at
        entries = self.entries
        for entry in entries[bisect_left(entries, at, key=_offset) :] if at > self.first else entries:
            if entry.offset >= stable:
                break
            if entry.is_visible or (not committed and not entry.is_marker):
                if len(found) == records_max:
                    return found, at
                found.append(entry)
            at = entry.offset + 1
        else:
            at = max(at, stable)
        return found, at

    def has_more(self, position: int) -> bool:
        """Tell whether there is a committed record at a position or after it."""
        return position < self.stable and bool(self.read(position, 1)[0])

    def delete_before(self, offset: int) -> None:
        """Delete the records before an offset, as retention does."""
        self.first = max(self.first, min(offset, self.end))
        self.entries = [entry for entry in self.entries if entry.offset >= self.first]

    def cut(self, offset: int) -> None:
        """Lose the records from an offset on, as an unclean election does."""
        self.entries = [entry for entry in self.entries if entry.offset < offset]
        self.end = max(offset, self.first)
        self.undecided = {each: at for each, at in self.undecided.items() if at < self.end}

    def compact(self) -> None:
        """Keep the last record of each key; offsets stay."""
        last = {entry.key: entry.offset for entry in self.entries if entry.is_visible and entry.offset < self.stable}
        self.entries = [
            entry
            for entry in self.entries
            if entry.is_marker or entry.offset >= self.stable or last.get(entry.key) == entry.offset
        ]


class Topic:
    """A topic, with an identity that another of its name does not have."""

    __slots__ = ("config", "id", "logs", "name")

    def __init__(self, name: str, partitions: int, topic_id: str, config: dict[str, str]) -> None:
        self.name = name
        self.id = topic_id
        self.logs = [Log((name, number)) for number in range(partitions)]
        self.config = {"cleanup.policy": "delete", **config}


class Group:
    """A consumer group's offsets."""

    __slots__ = ("offsets",)

    def __init__(self) -> None:
        self.offsets: dict[Place, tuple[int, str]] = {}


class Coordinated:
    """What the transaction coordinator knows of a transactional id."""

    __slots__ = ("epoch", "timeout_s", "transaction")

    def __init__(self) -> None:
        self.epoch = -1
        self.timeout_s = 60.0
        self.transaction: Transaction | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a transaction that is not decided."""
        return self.transaction is not None and self.transaction.outcome is OPEN


class Kafka:
    """A cluster."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.now = now
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self.coordinated: dict[str, Coordinated] = {}
        self.unwritten: list[tuple[Transaction, Log]] = []
        """Markers that are decided and not written."""
        self.metadata: SimpleNamespace | None = None
        """What clients have made of the topics, until one of them changes."""
        self._topics_made = 0

    # -- topics ------------------------------------------------------------------------------------------------

    def make_topic(self, name: str, partitions: int, **config: str) -> Topic:
        """Make a topic."""
        if name in self.topics:
            raise KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS, name))
        self.metadata = None
        self._topics_made += 1
        topic = self.topics[name] = Topic(name, partitions, f"id-{self._topics_made}", config)
        return topic

    def delete_topic(self, name: str) -> None:
        """Delete a topic, with its records."""
        self.metadata = None
        logs = self.topics.pop(name).logs
        for each in list(self.unwritten):
            if each[1] in logs:
                self.unwritten.remove(each)
                each[0].pending -= 1

    def configure(self, name: str, **config: str) -> None:
        """Change a topic's configuration."""
        self.metadata = None
        self.topics[name].config.update(config)

    def log(self, topic: str, number: int) -> Log:
        """Return a partition.

        Raises:
            KafkaException: there is none.

        """
        found = self.topics.get(topic)
        if found is None or not 0 <= number < len(found.logs):
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"{topic}-{number}"))
        return found.logs[number]

    def group(self, name: str) -> Group:
        """Return a group."""
        return self.groups.setdefault(name, Group())

    # -- transactions ------------------------------------------------------------------------------------------

    def fence(self, transactional_id: str, timeout_s: float) -> int | None:
        """Fence whoever had the id; return its new epoch, or None while its last transaction is being ended."""
        known = self.coordinated.setdefault(transactional_id, Coordinated())
        known.timeout_s = timeout_s
        last = known.transaction
        if last is not None and last.outcome is OPEN:
            known.epoch += 1
            self._decide(last, ABORTED)
        if last is not None and last.pending:
            return None
        known.epoch += 1
        known.transaction = None
        return known.epoch

    def transaction(self, transactional_id: str, epoch: int) -> Transaction | None:
        """Return the id's open transaction, begun where there is none; None while the last one is being ended.

        Raises:
            KafkaException: somebody else has the id now.

        """
        known = self._checked(transactional_id, epoch)
        if known.transaction is not None and known.transaction.outcome is not OPEN:
            if known.transaction.pending:
                return None
            known.transaction = None
        if known.transaction is None:
            known.transaction = Transaction(self.now())
        return known.transaction

    def end(self, transactional_id: str, epoch: int, *, committed: bool) -> None:
        """Decide the id's open transaction, if there is one.

        Raises:
            KafkaException: somebody else has the id now.

        """
        known = self._checked(transactional_id, epoch)
        if known.transaction is not None and known.transaction.outcome is OPEN:
            self._decide(known.transaction, COMMITTED if committed else ABORTED)

    def expire(self) -> None:
        """Abort what has been open for too long."""
        for known in self.coordinated.values():
            open_one = known.transaction
            if open_one is not None and open_one.outcome is OPEN and self.now() - open_one.began_s > known.timeout_s:
                known.epoch += 1
                self._decide(open_one, ABORTED)

    def write_marker(self, at: int = 0) -> None:
        """Write one of the markers that are decided."""
        transaction, log = self.unwritten.pop(at)
        transaction.pending -= 1
        log.append(_MARKER, transaction, is_marker=True)
        log.undecided.pop(transaction, None)

    def _decide(self, transaction: Transaction, outcome: str) -> None:
        transaction.outcome = outcome
        transaction.pending = len(transaction.logs)
        self.unwritten += [(transaction, log) for log in transaction.logs]

    def _checked(self, transactional_id: str, epoch: int) -> Coordinated:
        known = self.coordinated[transactional_id]
        if known.epoch != epoch:
            raise KafkaException(KafkaError(KafkaError._FENCED, "fenced by a newer producer", fatal=True))
        return known
