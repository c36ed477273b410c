"""Dead letters sent again, through the front door and never twice.

Each becomes a record of the topic that it was read from, keyed and checked as `publish` does. A batch of them and the
notes that they were sent are one transaction, under one transactional id for the installation. So a kill leaves both or
neither, a second replay at the same time fences the first, and whoever begins finds every note that the one before will
ever have made.

A note is kept by the record's identity (`models.dead_letters.Letter.identity`), not the dead letter's place: a rebuild
or a crash sends a second dead letter of the same record, which is then known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from edges.publishing.lines import BadLine, Line, checked_value, key_of
from edges.publishing.producer import CONFIG
from models.codes import normalise_code
from models.erasures import pseudonym
from models.errors import BadInput
from models.events import Registration, decode_event, is_erasure
from models.outgoing import CARRIED_BYTES_MAX, REPLAYED
from models.topics import DEAD_LETTERS, REGISTRATIONS, REPLAYS, SOURCES
from operations.dead_letters import Replayed
from operations.topics import TopicMismatch
from process import topics as cluster
from process.administrator import Administrator
from process.fault_points import fault_point
from process.fencing import FENCED, cause_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from models.dead_letters import Letter
    from process.settings import Settings

BATCH: Final = 500
"""Dead letters of one transaction."""
TRANSACTION_TIMEOUT_S: Final = 10.0
"""After it the broker ends what a killed replay has left open; until then readers of the source topics wait."""
START_TIMEOUT_S: Final = 60.0
COMMIT_TIMEOUT_S: Final = 60.0
ABORT_TIMEOUT_S: Final = 10.0

FINAL: Final = frozenset({"CodeTaken", "OtherOrganisation"})
"""Reasons that nothing takes away: the first issue of a code stands."""

REFUSED: Final = "refused"
BEFORE: Final = "replayed before"
READY: Final = "to be replayed"


class CannotReplay(Exception):  # noqa: N818  read as what is wrong
    """The replay cannot go on; the message says why, and what has been done by then."""


class Verdict(NamedTuple):
    """What is to be done with a dead letter."""

    letter: Letter
    line: Line | None
    """What is to be sent; None: nothing."""
    why: str
    """READY, BEFORE, or why it is refused."""

    @property
    def kind(self) -> str:
        """Return READY, BEFORE or REFUSED."""
        return self.why if self.why in {READY, BEFORE} else REFUSED


@dataclass(slots=True)
class Judge:
    """Decides of each dead letter whether it is to be sent again; what it has let pass, it does not let pass again."""

    prefix: str
    replayed: Mapping[bytes, Replayed]
    erased: Callable[[], Collection[bytes]] = tuple
    """Gives the pseudonyms of erased pairs; asked only where a registration is to be sent."""
    unchecked: bool = False
    """Send what will be a dead letter again too."""
    _passed: set[bytes] = field(default_factory=set)

    def judge(self, letter: Letter, now: datetime) -> Verdict:
        """Return what is to be done with it."""
        if letter.identity in self.replayed or letter.identity in self._passed:
            return Verdict(letter, None, BEFORE)
        try:
            line = self._line(letter, now)
        except BadLine as fault:
            return Verdict(letter, None, str(fault))
        self._passed.add(letter.identity)
        return Verdict(letter, line, READY)

    def _line(self, letter: Letter, now: datetime) -> Line:
        """Return what is to be sent; raise BadLine where nothing is."""
        topic = next((each for each in SOURCES if each.full_name(self.prefix) == letter.source_topic), None)
        value = letter.value or b""
        if topic is None:
            where = letter.source_topic or "no topic that it names"
            raise BadLine(f"it came from {where}; only codes, clicks and registrations can be sent again")
        if letter.is_erased or (topic is REGISTRATIONS and self._is_erased(value)):
            raise BadLine("its member was erased; sent again it would count nothing, and name him once more")
        if letter.is_cut or len(value) > CARRIED_BYTES_MAX:
            raise BadLine("it is too large")
        if topic is REGISTRATIONS and is_erasure(value):
            return Line(topic, _key(letter), value)  # a worker older than erasures did not know it
        if self.unchecked:
            line = Line(topic, _key(letter), value)
            if topic.compacted and line.key is None:
                raise BadLine(f"it has no key, and {topic.name} is compacted")
            return line
        if letter.reason in FINAL:
            raise BadLine(f"{letter.reason}: it would be one again, the first issue of a code stands")
        try:
            return checked_value(topic, value, now)
        except BadLine as fault:
            raise BadLine(f"it would be one again: {fault}") from None

    def _is_erased(self, value: bytes) -> bool:
        """Tell whether a registration is of an erased member, where it can be read."""
        try:
            event = decode_event(Registration, value)
        except BadInput:
            return False
        return pseudonym(normalise_code(event.referral_code), event.new_member_id) in self.erased()


def _key(letter: Letter) -> bytes | None:
    """Return the key that the record belongs under; the one that it had where its code is none."""
    code, _ = letter.named()
    return (key_of(code) if code is not None else None) or letter.key


class Replay:
    """Sends dead letters again; `begin` before anything is read, `close` at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._config = settings.kafka_client_config()
        self._notes = REPLAYS.full_name(settings.topic_prefix)
        self._producer: Producer | None = None
        self._is_open = False
        self.sent: Counter[str] = Counter()
        """Records that are committed, by topic's name without prefix."""

    def begin(self) -> None:
        """Make the topic of the notes where it is missing, and end whatever an earlier replay has left open.

        Raises:
            TopicMismatch, process.topics.NotAllowed: the topic cannot be used, or not made.
            CannotReplay: Kafka does not let us begin.

        """
        self._make_topic()
        self._producer = Producer(
            {
                **self._config,
                **CONFIG,
                "transactional.id": f"{self._settings.topic_prefix}dead-letter-replay",
                "transaction.timeout.ms": round(TRANSACTION_TIMEOUT_S * 1000),
            }
        )
        try:
            self._producer.init_transactions(START_TIMEOUT_S)
        except KafkaException as error:
            raise CannotReplay(f"Kafka does not let a replay begin: {error.args[0].str()}") from None

    def send(self, verdicts: Iterable[Verdict]) -> None:
        """Send those that are to be sent, in batches, each with its notes; raise CannotReplay."""
        batch: list[Verdict] = []
        for verdict in verdicts:
            if verdict.line is None:
                continue
            batch.append(verdict)
            if len(batch) == BATCH:
                self._commit(batch)
                batch.clear()
        if batch:
            self._commit(batch)

    def close(self) -> None:
        """Leave nothing open."""
        if self._producer is not None and self._is_open:
            with suppress(KafkaException):  # the broker ends it
                self._producer.abort_transaction(ABORT_TIMEOUT_S)
        self._producer = None

    def _commit(self, batch: list[Verdict]) -> None:
        producer = self._producer
        if producer is None:
            raise CannotReplay("the replay has not begun")
        try:
            producer.begin_transaction()
            self._is_open = True
            for verdict in batch:
                self._produce(producer, verdict)
            producer.flush(COMMIT_TIMEOUT_S)
            fault_point("replay.produced")
            producer.commit_transaction(COMMIT_TIMEOUT_S)  # refuses where a record was not acknowledged
            self._is_open = False
        except KafkaException as error:
            raise CannotReplay(self._why(cause_of(producer, error.args[0], ABORT_TIMEOUT_S))) from None
        fault_point("replay.committed")
        self.sent.update(verdict.line.topic.name for verdict in batch if verdict.line is not None)

    def _produce(self, producer: Producer, verdict: Verdict) -> None:
        """Hand over a record and its note."""
        letter, line = verdict.letter, verdict.line
        if line is None:
            return
        place = f"{letter.topic}/{letter.partition}/{letter.offset}"
        topic = line.topic.full_name(self._settings.topic_prefix)
        is_small = sum(len(name) + len(value or b"") for name, value in letter.carried) <= CARRIED_BYTES_MAX
        headers: Any = [*(letter.carried if is_small else ()), (REPLAYED, place.encode())]
        note = Replayed(letter=place, topic=topic, at=datetime.now(UTC).isoformat(timespec="seconds"))
        producer.produce(topic, line.value, line.key, headers=headers)
        producer.produce(self._notes, msgspec.json.encode(note), letter.identity)
        producer.poll(0)

    def _why(self, error: KafkaError) -> str:
        done = f"{self.sent.total():,} were replayed before, each noted; run it again for the rest"
        if error.code() in FENCED:
            return f"another replay has begun meanwhile, and this one has ended: {done}"
        return f"{error.str()}: nothing of the batch under way is visible, unless Kafka has it all; {done}"

    def _make_topic(self) -> None:
        """See that the notes' topic stands, compacted, with as many replicas as the dead letters have."""
        admin = Administrator({**self._config, "log_level": 2})
        letters = DEAD_LETTERS.full_name(self._settings.topic_prefix)
        try:
            found = cluster.describe(admin, [letters, self._notes])
            if letters not in found:
                raise CannotReplay(f"{letters}: no such topic; create the topics with: referrals topics create")
            if self._notes not in found:
                wanted = cluster.WantedTopic(
                    name=self._notes, partitions=1, replicas=found[letters].replicas, config=REPLAYS.config()
                )
                cluster.make(admin, [wanted])
                found = cluster.describe(admin, [self._notes], made=[self._notes])
        except KafkaException as error:
            raise CannotReplay(f"Kafka does not answer: {error.args[0].str()}") from None
        policy = found[self._notes].config.get(cluster.POLICY, "compact")
        if policy != "compact":
            raise TopicMismatch(
                f"{self._notes}: found cleanup.policy={policy}, wanted compact: it would forget what was sent again; "
                f"set it with kafka-configs --alter --entity-type topics --entity-name {self._notes} --add-config "
                "cleanup.policy=compact"
            )
