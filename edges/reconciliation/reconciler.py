"""Runs over the members of one or many organisations: ask, compare, publish, save, again until all are through.

Each round takes some members of every organisation that is not through yet, reads the registrations topic once for all
of them, publishes what is missing, and then saves how far it is. So whatever kills it between the two, the next run
finds in the topic what was published, and nothing is published twice:

    gather    rows of the next pages; what is no member with a code of the organisation is counted and left out
    compare   the topic, from its beginning to where it ends after the lock was taken
    publish   acknowledged by every in-sync replica
    save      the address of the next page, and the counts

An organisation whose source fails ends there, and its next run goes on from the page that failed; the others go on. One
whose source asks for peace is come back to when that is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException

from edges.publishing.producer import SourceProducer
from edges.reconciliation.deciding import Decision, registration
from edges.reconciliation.endpoint import LOOKING, PATIENT
from edges.reconciliation.errors import NotPublished
from edges.reconciliation.reasons import Fault
from edges.reconciliation.runs import Run
from edges.reconciliation.topic import OnProgress, RegistrationsTopic
from edges.reconciliation.walk import Job, Walk
from models.topics import REGISTRATIONS
from process.fault_points import fault_point

if TYPE_CHECKING:
    from edges.reconciliation.store import RunStore
    from process.settings import Settings

BATCH_ROWS: Final = 100_000
"""Members that are compared with the topic at a time, 830 bytes each."""
FLUSH_STEP_S: Final = 1.0


class Reconciler:
    """Does jobs, together."""

    def __init__(
        self,
        settings: Settings,
        store: RunStore,
        *,
        dry_run: bool = False,
        batch_rows: int = BATCH_ROWS,
        on_progress: OnProgress = lambda _done, _all: None,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        """Prepare.

        Args:
            settings: the installation's.
            store: where sources and runs are kept.
            dry_run: count only: publish nothing, save nothing, and keep nobody from running.
            batch_rows: members that are compared with the topic at a time.
            on_progress: told how far the registrations topic is read.
            sleep: waits while every source that is left asks for peace.

        """
        self._settings = settings
        self._store = store
        self._dry_run = dry_run
        self._batch_rows = batch_rows
        self._on_progress = on_progress
        self._sleep = sleep
        self._topic = RegistrationsTopic(settings)
        self._topic_name = REGISTRATIONS.full_name(settings.topic_prefix)
        self._producer: SourceProducer | None = None
        self._not_taken = ""

    @property
    def records_read(self) -> int:
        """How many records of the registrations topic were read so far."""
        return self._topic.records_read

    def reconcile(self, jobs: Iterable[Job]) -> list[Run]:
        """Do the jobs and return what each run found; one that failed says why.

        Raises:
            StoreFailed: Postgres cannot be used.

        """
        runs: list[Run] = []
        with ExitStack() as opened:
            active = [walk for job in jobs if (walk := self._start(job, runs, opened))]
            while active:
                ready = self._ready(active)
                self._round(ready)
                following = [self._start(walk.job, runs, opened) for walk in ready if walk.is_to_be_followed]
                active = [walk for walk in active if not walk.is_over] + [walk for walk in following if walk]
        return runs

    def _start(self, job: Job, runs: list[Run], opened: ExitStack) -> Walk | None:
        """Begin or go on with the run that is due for a job."""
        is_free = self._dry_run or self._store.lock(job.org_id)
        run = self._store.plan(job.org_id, job.source, job.since, resume=not self._dry_run)
        runs.append(run)
        if not is_free:
            run.is_busy = True
            return None
        if run.ask_again_at is not None and run.ask_again_at > datetime.now(UTC):
            then = f"{run.ask_again_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
            run.error = Fault("asked-for-peace", {"time": then})
            return None
        if not self._dry_run:
            self._store.begin(run)
        patience = LOOKING if self._dry_run else PATIENT
        walk = Walk(job, run, self._settings, self._store, patience=patience)
        opened.callback(walk.close)
        return walk

    def _ready(self, active: list[Walk]) -> list[Walk]:
        """Return those whose source may be asked; wait where there is none."""
        ready = [walk for walk in active if walk.busy_until_s <= time.monotonic()]
        if not ready:
            first = min(active, key=lambda walk: walk.busy_until_s)
            self._sleep(max(first.busy_until_s - time.monotonic(), 0.0))
            ready = [first]
        return ready

    def _round(self, active: list[Walk]) -> None:
        """Take some members of each organisation through."""
        share = max(self._batch_rows // len(active), 1)
        for walk in active:
            walk.gather(share)
        asked = {key: walk.run.org_id for walk in active for key in walk.words}
        try:
            uncoded = {member.member_id for walk in active for member in walk.uncoded}
            found = self._topic.states(asked, self._on_progress, members=uncoded)
            decisions = {walk: walk.decide(found) for walk in active}
            if not self._dry_run:
                self._publish(decisions)
        except NotPublished as fault:
            decisions = {}
            for walk in active:
                walk.fail(fault)
        for walk, decision in decisions.items():
            walk.settle(decision)
        if self._dry_run:
            return
        for walk in active:
            self._store.save(walk.run, is_finished=walk.is_finished)
            fault_point("reconcile.page_done")

    def _publish(self, decisions: dict[Walk, Decision]) -> None:
        """Publish what is missing and return when all of it is acknowledged."""
        if not any(decision.missing for decision in decisions.values()):
            return
        producer = self._producer = self._producer or SourceProducer(self._settings, self._note_failure)
        failed_before = producer.failed
        try:
            for walk, decision in decisions.items():
                for member in decision.missing:
                    value = registration(member, walk.run.org_id)
                    producer.send(self._topic_name, (member.code or "").encode(), value, place=walk.run.org_id)
            while producer.flush(FLUSH_STEP_S):
                pass
        except KafkaException as error:
            raise NotPublished(f"the producer cannot go on: {error.args[0].str()}") from error
        if producer.failed > failed_before:
            raise NotPublished(f"{producer.failed - failed_before:,} registrations were not taken: {self._not_taken}")
        fault_point("reconcile.published")

    def _note_failure(self, place: str, why: str) -> None:
        del place
        self._not_taken = why
