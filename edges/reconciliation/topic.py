"""What the registrations topic says of some pairs of code and member: their state, by the contract's first rule.

The whole topic is read, from its beginning to where it ends now, committed records only. Nothing shorter is exact: a
record's time is what its producer says, the stream app's tables are its own affair, and a confirmation may have come
long before the membership system lists it. It is read once for all organisations of a run. Of each record the member's
id alone is decoded, and more of those that are asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # not in its __all__
from msgspec import Struct, json

from edges.reconciliation.errors import NotPublished
from models.codes import normalise_code
from models.erasures import pseudonym
from models.errors import BadInput
from models.events import Erasure, Registration, decode_event
from models.identifiers import canonical_uuid
from models.members import PENDING, Pair, pair_after, pair_key
from models.topics import REGISTRATIONS
from process.administrator import Administrator, answer_to, cluster_metadata, offsets_at

if TYPE_CHECKING:
    from process.settings import Settings

REQUEST_TIMEOUT_S: Final = 30.0
STALLED_S: Final = 30.0
"""Nothing for so long: an open transaction holds readers back (at most its timeout, 10 s), or the broker is away."""

LOOK_AGAIN_S: Final = 0.2

RECORDS_PER_CALL: Final = 10_000
WAIT_S: Final = 0.05

FIRST_OFFSET: Final = 0
"""As a number: the symbolic beginning costs half a second more. Where it is deleted, `auto.offset.reset` finds it."""

LOG_CRITICAL: Final = 2
"""librdkafka's level, as syslog counts: what it tries again is nobody's concern, what fails is raised here."""

CONFIG: Final[dict[str, str | int | float | bool]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,  # transaction markers hide the end otherwise
    "fetch.wait.max.ms": 20,
    "fetch.queue.backoff.ms": 2,  # by default a full queue is looked at again only after a second
    "queued.max.messages.kbytes": 64 * 1024,
    "log_level": LOG_CRITICAL,
}

JUST_MADE: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART})
"""What a broker answers that has not heard yet of a topic that was just made."""

OnProgress = Callable[[int, int], None]
"""Told how many records are read, and how many there are."""

UUID_BYTES: Final = 16
"""The last part of a pair's key."""


class _OfMember(Struct, gc=False):
    new_member_id: str | None = None
    erased_pair: str | None = None


_member_of: Final = json.Decoder(_OfMember).decode


class Found(NamedTuple):
    """What the topic says."""

    states: dict[bytes, Pair]
    """The state of each pair asked for that has an event, by `pair_key`."""
    codes: dict[str, dict[str, dict[str | None, Pair]]]
    """Of each member asked for the codes of his events, and of each the state by the organisation that they name."""
    erased: set[bytes]
    """Pseudonyms of all pairs whose members were erased."""

    def is_erased(self, code: str, member_id: str) -> bool:
        """Tell whether a member was erased under a code: nothing that is said of him there is to be published."""
        return bool(self.erased) and pseudonym(code, member_id) in self.erased

    def under(self, member_id: str, org_id: str) -> dict[str, Pair]:
        """Return the codes under which a member is known, and his state, as far as events name no other organisation.

        Whose the codes are is not known here.
        """
        known: dict[str, Pair] = {}
        for code, said in self.codes.get(member_id, {}).items():
            pairs = [pair for names, pair in said.items() if names in {None, org_id}]
            if pairs:
                known[code] = max(pairs, key=lambda pair: (pair.state != PENDING, pair.decided_us, pair.state))
        return known


class RegistrationsTopic:
    """The registrations topic of one installation."""

    def __init__(self, settings: Settings) -> None:
        config = settings.kafka_client_config()
        ours = f"{settings.topic_prefix}reconcile"  # asked for by librdkafka; nothing is committed under it
        self._config: dict[str, str | int | float | bool] = {**config, **CONFIG, "group.id": ours}
        self._admin_config: dict[str, str | int | float | bool] = {**config, "log_level": LOG_CRITICAL}
        self._name = REGISTRATIONS.full_name(settings.topic_prefix)
        self.records_read = 0
        """Of all calls together."""

    def states(
        self,
        organisations: Mapping[bytes, str],
        on_progress: OnProgress = lambda _done, _all: None,
        *,
        members: Collection[str] = (),
    ) -> Found:
        """Return the state of each pair that the topic has a usable event of; blocks until it is read.

        Args:
            organisations: the pairs asked for, by `pair_key`, and the organisation of each one's code.
            on_progress: told about once a batch.
            members: ids, in lower case, of members of whom the codes are asked for.

        Raises:
            NotPublished: Kafka cannot be read.

        """
        asked = _Asked(organisations, members)
        if asked.is_nothing:
            return asked.found
        consumer = Consumer(self._config)
        try:
            self._read(consumer, asked, on_progress)
        except KafkaException as error:
            raise NotPublished(f"{self._name} cannot be read: {error.args[0].str()}") from error
        finally:
            consumer.close()
        return asked.found

    def _read(self, consumer: Consumer, asked: _Asked, on_progress: OnProgress) -> None:
        ends = self._ends(consumer)
        total = sum(ends.values())
        consumer.assign([TopicPartition(self._name, number, FIRST_OFFSET) for number in ends])
        done = 0
        trouble = "is a transaction open?"
        heard_s = time.monotonic()
        while ends:
            moved_on = False
            for message in consumer.consume(RECORDS_PER_CALL, WAIT_S):
                number: int = message.partition()  # type: ignore[assignment]  # its types allow None, for no record
                error = message.error()
                if error is None:
                    asked.take(message.value())
                    position = message.offset() + 1  # type: ignore[operator]  # the same
                    done += 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public name
                    position = message.offset() or 0
                else:
                    trouble = error.str()  # librdkafka tries again by itself
                    continue
                moved_on = True
                if position >= ends.get(number, 0):
                    ends.pop(number, None)
            on_progress(min(done, total), total)
            if moved_on:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > STALLED_S:
                raise NotPublished(f"{self._name}: nothing for {STALLED_S:.0f} s before its end: {trouble}")
        self.records_read += done

    def _ends(self, consumer: Consumer) -> dict[int, int]:
        """Return where each partition ends now, of those that ever held a record."""
        # Once asked for by name the consumer knows the topic; else it would find out a second after it is assigned.
        topic = cluster_metadata(consumer.list_topics, self._name, REQUEST_TIMEOUT_S).topics[self._name]
        if topic.error is not None:
            raise NotPublished(f"{self._name}: {topic.error.str()}; create the topics with: referrals topics create")
        return answer_to(partial(self._ask_for_ends, topic.partitions), REQUEST_TIMEOUT_S, JUST_MADE)

    def _ask_for_ends(self, partitions: Iterable[int], timeout_s: float) -> dict[int, int]:
        # The true end: a consumer of committed records would be told the beginning of the oldest open transaction.
        admin = Administrator(self._admin_config)  # kept until it has answered: without it the answers never come
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        ends = offsets_at(admin, latest, [(self._name, number) for number in partitions], timeout_s)
        return {number: end for (_, number), end in ends.items() if end > 0}


class _Asked:
    """The pairs asked for and what was found of them."""

    def __init__(self, organisations: Mapping[bytes, str], members: Collection[str]) -> None:
        self.found = Found({}, {}, set())
        self._organisations = organisations
        self._by_member = frozenset(members)
        self._members = {str(UUID(bytes=key[-UUID_BYTES:])) for key in organisations} | self._by_member

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is asked for."""
        return not self._members

    def take(self, value: bytes | None) -> None:
        """Follow the pair through one more event, if it is asked for and the event is one that counts."""
        try:
            said = _member_of(value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if said.erased_pair is not None:
            self._note_erased(value)
        if said.new_member_id is None or said.new_member_id.lower() not in self._members:
            return
        try:
            event = decode_event(Registration, value)
            code = normalise_code(event.referral_code)
            key = pair_key(code, event.new_member_id)
        except BadInput:
            return
        names = None if event.org_id is None else canonical_uuid(event.org_id)
        member_id = canonical_uuid(event.new_member_id)
        if member_id in self._by_member:
            codes = self.found.codes.setdefault(member_id, {})
            of_code = codes.setdefault(code, {})
            of_code[names] = _followed(of_code.get(names), event)
        org_id = self._organisations.get(key)
        if org_id is None or (names is not None and names != org_id):
            return  # another pair, or a dead letter: it names another organisation than its code's
        self.found.states[key] = _followed(self.found.states.get(key), event)

    def _note_erased(self, value: bytes | None) -> None:
        with suppress(BadInput):
            self.found.erased.add(UUID(decode_event(Erasure, value).erased_pair).bytes)


def _followed(pair: Pair | None, event: Registration) -> Pair:
    return pair_after(pair or Pair(PENDING, 0, ""), event.status, event.occurred_at)
