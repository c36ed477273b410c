"""The whole check: wait until the stream app has caught up, recompute, compare.

The source topics are read partition by partition, so memory is bounded by one partition's registrations, the mentors'
tallies and the dead letters, not by the clicks.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from models.topics import CLICKS, CODES, REGISTRATIONS
from process.headers import headers_of
from process.settings import Settings
from proof.verify import report
from proof.verify.compaction import owners_compacted_away
from proof.verify.compare import compare_counts, compare_milestones, compare_moved, compare_unexpected, due_thresholds
from proof.verify.fold import Copy, Expectation, Moved, PartitionFold
from proof.verify.gather import OUTPUTS, Outputs, gather
from proof.verify.partitioning import home_of
from proof.verify.postgres import (
    compare_awards,
    compare_codes,
    compare_decisions,
    compare_projected_counts,
    read_tables,
)
from proof.verify.reading import CannotRead, Reader, Span, Spans
from proof.verify.records import Milestone, Owner, Place, Record, Tally
from proof.verify.report import Difference, Report, SourceTable, at
from proof.verify.sums import compare_sums

SOURCES = (CODES.name, REGISTRATIONS.name, CLICKS.name)

LOOK_AGAIN_S = 0.25
"""How often is looked whether the program has caught up."""

BEHIND_READ_MAX = 10_000
"""Up to so many offsets behind, the records among them are counted; more than that is behind in any case."""

MOVED_FROM = "referrals.moved-from"
AGAIN = "referrals.again"

OnProgress = Callable[[int, int], None]
"""Told how many offsets of the source topics are done, and how many there are."""


class Oracle:
    """One check of one installation; `check` does it."""

    def __init__(self, settings: Settings, *, on_progress: OnProgress = lambda _done, _all: None) -> None:
        self._settings = settings
        self._on_progress = on_progress
        self._report = Report()
        self._reader = Reader(settings)
        self._partitions: dict[str, int] = {}
        self._spans: Spans = {}
        self._committed: dict[tuple[str, int], int] = {}
        self._done = 0

        self._outputs = Outputs()
        self._tallies: list[Tally] = []
        self._moved: dict[Place, Moved] = {}
        self._copies: dict[str, list[Copy]] = {}
        self._due: dict[Owner, list[Milestone]] = {}
        """The milestones found that are due: those that earn awards."""
        self._reached: dict[Owner, list[int]] = {}
        """The thresholds that each mentor's row must list."""

    def check(self, *, wait_s: float, with_database: bool) -> Report:
        """Wait up to `wait_s` seconds for the program to catch up, then compare everything.

        Raises CannotRead where Kafka or Postgres cannot be read.
        """
        deadline_s = time.monotonic() + wait_s
        report_ = self._report
        report_.with_database = with_database
        try:
            self._partitions = self._reader.partitions((*SOURCES, *OUTPUTS))
            self._check_partitions()
            self._catch_up(deadline_s)
            started_s = time.monotonic()
            self._outputs = gather(self._reader, self._spans, self._partitions, prefix=self._settings.topic_prefix)
            self._report.differences += self._outputs.differences
            self._report.notes += self._outputs.notes
            for partition in range(self._partitions[CODES.name]):
                self._check_partition(partition)
        finally:
            self._reader.close()
        self._check_rest()
        report_.seconds = time.monotonic() - started_s
        if with_database:
            self._check_database(deadline_s)
        return report_

    # Kafka ------------------------------------------------------------------------------------------------------------

    def _check_partitions(self) -> None:
        counts = {self._partitions[topic] for topic in SOURCES}
        if len(counts) != 1:
            found = ", ".join(f"{topic} {self._partitions[topic]}" for topic in SOURCES)
            msg = f"the source topics must have the same number of partitions to be joined; found {found}"
            raise CannotRead(msg)

    def _catch_up(self, deadline_s: float) -> None:
        """Wait until the stream app has processed what stands in its topics; take the spans that the check covers."""
        while True:
            self._committed = self._reader.committed(SOURCES)
            self._spans = self._reader.spans(self._partitions)
            if time.monotonic() >= deadline_s or not self._is_behind():
                return
            time.sleep(LOOK_AGAIN_S)

    def _is_behind(self) -> bool:
        """Tell whether a record stands after a committed offset; transaction markers do not count."""
        rest = {
            place: Span(max(self._committed.get(place, 0), span.first), span.end)
            for place, span in self._spans.items()
            if place[0] in SOURCES
        }
        if sum(span.end - span.first for span in rest.values()) > BEHIND_READ_MAX:
            return True
        return any(batch for batch in self._reader.read(rest))

    def _records(self, topic: str, partition: int, table: SourceTable) -> Iterator[Record]:
        """Yield one partition of a source topic, and keep its conservation table and the progress up to date."""
        span = self._spans[topic, partition]
        committed = self._committed.get((topic, partition), 0)
        table.offsets += span.end - span.first
        position = span.first
        for batch in self._reader.read({(topic, partition): span}):
            for message in batch:
                headers = headers_of(message)
                moved_from = _moved_from(headers, self._settings.topic_prefix) if headers else None
                position = message.offset() or 0
                table.unprocessed += position >= committed
                again = bool(headers) and _is_again(headers)
                yield Record(topic, partition, position, message.key(), message.value(), moved_from, again)
            self._on_progress(self._done + position - span.first, self._all_offsets())
        self._done += span.end - span.first

    def _all_offsets(self) -> int:
        return sum(span.end - span.first for (topic, _), span in self._spans.items() if topic in SOURCES)

    # One partition ----------------------------------------------------------------------------------------------------

    def _check_partition(self, partition: int) -> None:
        """Fold one partition of the sources, and compare the counts and milestones of the codes that belong there."""
        tables = {topic: self._report.sources.setdefault(topic, SourceTable()) for topic in SOURCES}
        codes = list(self._records(CODES.name, partition, tables[CODES.name]))
        gone = owners_compacted_away(codes, self._outputs.dead_letters, self._owners_in_counts(partition))
        if gone:
            self._report.notes.append(
                f"partition {partition}: {len(gone):,} codes are no longer in the compacted codes topic; their owners "
                "are taken from the counts topic"
            )
        fold = PartitionFold(
            partition,
            partitions=self._partitions[CODES.name],
            dead_letters=self._outputs.dead_letters,
            owners_elsewhere=gone,
            waiting_records_max=self._settings.waiting_records_max,
        )
        fold.codes(codes)
        fold.registrations(self._records(REGISTRATIONS.name, partition, tables[REGISTRATIONS.name]))
        fold.clicks(self._records(CLICKS.name, partition, tables[CLICKS.name]))
        self._take(fold.finish())

    def _owners_in_counts(self, partition: int) -> dict[str, Owner]:
        partitions = self._partitions[CODES.name]
        return {
            code: owner
            for owner, row in self._outputs.rows.items()
            if isinstance(code := row.get("referral_code"), str) and home_of(code, partitions) == partition
        }

    def _take(self, expected: Expectation) -> None:
        report_ = self._report
        for topic, source in expected.sources.items():
            table = report_.sources[topic]
            table.records += source.records
            table.dispositions.update(source.dispositions)
        report_.differences.extend(expected.differences)
        report_.compared[report.DEAD_LETTERS] += expected.dead_letters
        self._moved.update(expected.moved)
        for origin, copies in expected.copies.items():
            self._copies.setdefault(origin, []).extend(copies)
        for tally in expected.tallies.values():
            self._check_mentor(tally)

    def _check_mentor(self, tally: Tally) -> None:
        """Compare a mentor's row and milestones; keep what Postgres is compared with."""
        report_ = self._report
        thresholds = self._settings.thresholds
        if tally.owner in self._due:
            report_.notes.append(
                f"mentor {tally.owner.org_id}:{tally.owner.mentor_id} has two codes, where the contract has one; "
                f"nothing of {tally.code} is compared"
            )
            return
        found = self._outputs.milestones.pop(tally.owner, [])
        self._due[tally.owner] = [reached for reached in found if reached.threshold <= tally.peak]
        due = due_thresholds(tally, thresholds)
        self._reached[tally.owner] = sorted({*due, *(reached.threshold for reached in self._due[tally.owner])})
        row = self._outputs.rows.pop(tally.owner, None)
        report_.differences += compare_counts(report.COUNTS, tally, row, self._reached[tally.owner])
        report_.differences += compare_milestones(tally, found, thresholds)
        report_.compared[report.COUNTS] += 1
        report_.compared[report.MILESTONES] += len(due)
        tally.confirmations.clear()  # not needed any more, and the largest part
        self._tallies.append(tally)

    def _check_rest(self) -> None:
        """Compare what spans partitions, and what is left over: outputs that nothing asks for."""
        report_ = self._report
        report_.differences += compare_moved(self._moved, self._copies)
        report_.compared[report.MOVED] += len(self._moved)
        report_.differences += compare_unexpected(self._outputs.dead_letters)
        for owner, row in self._outputs.rows.items():
            subject = f"mentor {owner.org_id}:{owner.mentor_id}"
            self._differ(report.COUNTS, subject, f"a row (code {row.get('referral_code')})", "none: no code is his")
        for owner, found in self._outputs.milestones.items():
            for reached in found:
                subject = f"mentor {owner.org_id}:{owner.mentor_id} threshold {reached.threshold}"
                self._differ(report.MILESTONES, subject, f"a milestone at {at(reached.place)}", "none: no code is his")
        for topic, table in report_.sources.items():
            report_.compared[report.CONSERVATION] += table.records
            if table.dispositions.total() != table.records or table.gaps < 0:
                found_text = f"{table.dispositions.total():,} dispositions"
                self._differ(report.CONSERVATION, topic, found_text, f"one for each of {table.records:,} records")
        self._note_thresholds()

    def _note_thresholds(self) -> None:
        emitted = {reached.threshold for found in self._due.values() for reached in found}
        highest = max((tally.peak for tally in self._tallies), default=0)
        added = [each for each in self._settings.thresholds if each <= highest and each not in emitted]
        if added and emitted:
            self._report.notes.append(
                f"thresholds that are due and were never emitted: {', '.join(map(str, added))}; were they added later? "
                "Then each is emitted with the mentor's next confirmation"
            )

    # Postgres ---------------------------------------------------------------------------------------------------------

    def _check_database(self, deadline_s: float) -> None:
        """Compare the tables; while they differ, the sinks may still be at work, so look again until the deadline."""
        while True:
            compared: Counter[str] = Counter()
            differences = self._compare_tables(compared)
            if not differences or time.monotonic() >= deadline_s:
                break
            time.sleep(LOOK_AGAIN_S)
        self._report.compared.update(compared)
        self._report.differences += differences
        if self._tallies and sum(each.check == report.CODES_TABLE for each in differences) == len(self._tallies):
            self._report.notes.append(
                "no code is right in Postgres: is `referrals counts` running, and is REFERRALS_DATABASE_URL that of "
                "the tables' owner? Other roles see only one organisation's rows"
            )

    def _compare_tables(self, compared: Counter[str]) -> list[Difference]:
        try:
            tables = read_tables(self._settings.database_url)
        except psycopg.Error as error:
            msg = (
                f"Postgres: {str(error).strip()} (the database of REFERRALS_DATABASE_URL; --no-database leaves it out)"
            )
            raise CannotRead(msg) from None
        if tables.unpublished:
            self._report.notes.append(
                f"{len(tables.unpublished):,} codes wait in the outbox until `referrals web` publishes them"
            )
        compared[report.CODES_TABLE] = len(self._tallies)
        compared[report.COUNTS_TABLE] = len(self._tallies)
        compared[report.AWARDS_TABLE] = len(tables.awards)
        compared[report.DECISIONS_TABLE] = sum(map(len, self._due.values())) * len(tables.definitions)
        of_sums, compared[report.SUMS_TABLE] = compare_sums(
            tables.sums, tables.counts.values(), tables.codes.values(), (award.org_id for award in tables.awards)
        )
        return [
            *compare_codes(self._tallies, tables.codes, tables.unpublished),
            *compare_projected_counts(self._tallies, tables.counts, self._reached),
            *compare_awards(self._due, tables.definitions, tables.awards),
            *compare_decisions(self._due, tables.definitions, tables.decisions),
            *of_sums,
        ]

    def _differ(self, check: str, subject: str, found: str, wanted: str) -> None:
        self._report.differences.append(Difference(check, subject, found, wanted))


def _is_again(headers: Any) -> bool:  # noqa: ANN401  librdkafka's union of shapes
    return any(name == AGAIN for name, _ in headers)


def _moved_from(headers: Any, prefix: str) -> str | None:  # noqa: ANN401  librdkafka's union of shapes
    """Return the place that a moved copy names, without the topic's prefix; the last such header counts."""
    origins = [content for name, content in headers if name == MOVED_FROM]
    return (origins[-1] or b"").decode("utf-8", "replace").removeprefix(prefix) if origins else None
