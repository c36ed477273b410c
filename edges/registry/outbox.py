"""Publishes stored codes: takes them off the outbox, sends them to the codes topic, forgets them when Kafka has them.

Failure handling: a batch is taken, published and forgotten in one transaction, committed after Kafka has acknowledged
all of it. Killed at any moment, a process leaves codes that are not published, or published and waiting still; those
are published again, which says nothing new. Two relays at once leave each other what they have in hand. Kafka or
Postgres away: said once, tried again every few seconds, said once when it is over.

A running relay is woken by NOTIFY, and looks by itself every few seconds in case a notification was lost, or does not
come through a pooler.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import psycopg
import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from edges.publishing.producer import CONFIG
from edges.registry.database import explained, rows_of
from edges.registry.errors import NotPublished, RegistryError
from models.events import CodeIssued, encode_event
from models.topics import CODES
from process.administrator import cluster_metadata
from process.fault_points import fault_point
from process.faults import named, said
from process.postgres import is_pooled_async, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from edges.registry.database import Connection
    from process.settings import Settings

BATCH_MAX: Final = 1_000
LOOK_INTERVAL_S: Final = 5.0
RETRY_DELAY_S: Final = 2.0

REACH_TIMEOUT_S: Final = 3.0
"""How long Kafka may take to answer at all."""
GIVE_UP_S: Final = 10.0
"""What is not acknowledged within this time stays in the outbox; it bounds the transaction too."""

_TAKE: Final = "SELECT referral_code, org_id::text, mentor_id::text, issued_at FROM take_from_outbox(%s)"

log = structlog.stdlib.get_logger("registry.outbox")


class OutboxRelay:
    """Empties the outbox: once for a command, or from `start` to `stop` beside the HTTP side."""

    def __init__(self, settings: Settings, *, role: str | None = None) -> None:
        """Make it without connecting.

        Args:
            settings: where Postgres and Kafka are.
            role: what to be in Postgres; None: the user of the database's address.

        """
        self._settings = settings
        self._role = role
        self._topic = CodesTopic(settings)
        self._at_work = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._away_since_s: float | None = None
        self._turned_s = time.monotonic()

    @property
    def stands_s(self) -> float:
        """For how many seconds nothing was published, nor found that nothing waits: 0 to 5 while all is well.

        Postgres that is stopped keeps its connections, so nothing fails, and nothing is said: the relay stands.
        """
        return time.monotonic() - self._turned_s

    async def publish_waiting(self) -> int:
        """Publish what waits now, and return how many codes that were.

        Raises:
            NotPublished: Kafka has not got all of it; the rest waits on.
            NotMigrated, psycopg.OperationalError: Postgres cannot be used.

        """
        published = 0
        with explained():
            async with self._connected() as connection:
                while count := await self._publish_batch(connection):
                    published += count
        return published

    def start(self) -> None:
        """Begin to publish whatever comes, in a task of the running event loop."""
        self._task = asyncio.create_task(self._run(), name="codes-relay")

    async def stop(self) -> None:
        """Finish the batch in hand and end."""
        task, self._task = self._task, None
        if task is not None:
            async with self._at_work:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.close()

    async def close(self) -> None:
        """Let go of Kafka."""
        await asyncio.to_thread(self._topic.close)

    async def _run(self) -> None:
        while True:
            try:
                async with self._connected() as connection:
                    is_heard = not await is_pooled_async(connection)
                    if is_heard:
                        await connection.execute("LISTEN referrals_codes")
                    while True:
                        while await self._publish_batch(connection):
                            pass
                        self._say_back()
                        if not is_heard:
                            await asyncio.sleep(LOOK_INTERVAL_S)
                            continue
                        async for _ in connection.notifies(timeout=LOOK_INTERVAL_S, stop_after=1):
                            pass
            except Exception as error:  # noqa: BLE001 - whatever it is, codes wait, and it may pass
                self._say_away(error)
            await asyncio.sleep(RETRY_DELAY_S)

    async def _publish_batch(self, connection: Connection) -> int:
        """Take codes off the outbox and publish them; return how many, 0 where none waits."""
        async with self._at_work, connection.transaction():
            if self._role is not None:
                await connection.execute("SELECT set_config('role', %s, true)", [self._role])
            rows = await rows_of(connection, _TAKE, [BATCH_MAX])
            if rows:
                codes = [
                    CodeIssued(referral_code=code, org_id=org_id, mentor_id=mentor_id, issued_at=issued_at)
                    for code, org_id, mentor_id, issued_at in rows
                ]
                await asyncio.to_thread(self._topic.publish, codes)
                fault_point("registry.published")
        self._turned_s = time.monotonic()
        if rows:
            log.debug("codes.published", codes=len(rows))
        return len(rows)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        async with await psycopg.AsyncConnection.connect(
            self._settings.database_url, **session(self._settings.database_url, "referrals codes relay")
        ) as connection:
            yield connection

    def _say_away(self, error: Exception) -> None:
        if self._away_since_s is None:
            self._away_since_s = time.monotonic()
            is_expected = isinstance(error, psycopg.Error | RegistryError)
            reason = said(error) if is_expected else named(error)
            log.warning("codes.waiting", reason=reason, exc_info=None if is_expected else error)

    def _say_back(self) -> None:
        if self._away_since_s is not None:
            log.info("codes.going_on", away_s=round(time.monotonic() - self._away_since_s, 1))
            self._away_since_s = None


class CodesTopic:
    """The codes topic as the relay sees it: a batch is acknowledged as a whole, or it is not published."""

    def __init__(self, settings: Settings) -> None:
        """Make it without connecting."""
        self._name = CODES.full_name(settings.topic_prefix)
        self._servers = settings.bootstrap_servers
        self._config = {
            **settings.kafka_client_config(),
            **CONFIG,
            "linger.ms": 1,
            "message.timeout.ms": int(GIVE_UP_S * 1000),
        }
        self._producer: Producer | None = None
        self._is_reachable = False
        self._faults: list[KafkaError] = []

    def publish(self, codes: Sequence[CodeIssued]) -> None:
        """Send codes and wait for every acknowledgement; blocks for `GIVE_UP_S` seconds at most, and a few.

        Raises:
            NotPublished: at least one is not acknowledged; it may be in the topic all the same.

        """
        if self._producer is None:
            self._producer = Producer(self._config)
        if not self._is_reachable:
            self._look(self._producer)
        self._faults = []
        for code in codes:
            self._producer.produce(
                self._name, encode_event(code), code.referral_code.encode(), on_delivery=self._on_delivery
            )
        unanswered = self._producer.flush(GIVE_UP_S + REACH_TIMEOUT_S)
        if self._faults or unanswered:
            fault = self._faults[0] if self._faults else KafkaError(KafkaError._MSG_TIMED_OUT)  # noqa: SLF001 - librdkafka's local errors are public, for all their names
            self._is_reachable = False
            if fault.fatal():
                self.close()
            raise NotPublished(f"Kafka at {self._servers} has not acknowledged: {fault.str()}")

    def close(self) -> None:
        """Let go of Kafka; the next batch connects again."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.close()
            self._producer = None
            self._is_reachable = False

    def _look(self, producer: Producer) -> None:
        """See that Kafka answers and has the topic, before anything is handed to a client that would wait for it."""
        try:
            topics = cluster_metadata(producer.list_topics, timeout=REACH_TIMEOUT_S).topics
        except KafkaException as error:
            raise NotPublished(f"Kafka at {self._servers} does not answer: {error.args[0].str()}") from None
        if self._name not in topics:
            raise NotPublished(f"{self._name}: no such topic; create the topics with: referrals topics create")
        self._is_reachable = True

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:  # noqa: ARG002 - librdkafka's signature
        if error is not None:
            self._faults.append(error)
