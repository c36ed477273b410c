"""The whole check: wait until the stream app has caught up, recompute, compare.

The source topics are read partition by partition, so memory is bounded by one partition's registrations, the mentors'
tallies and the dead letters, not by the clicks.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import psycopg

from models.topics import CLICKS, CODES, MILESTONES, REGISTRATIONS
from process.faults import said
from process.settings import Settings
from proof.verify import checkpoint, report
from proof.verify.checkpoint import CheckedPartition, Checkpoint
from proof.verify.compaction import owners_compacted_away
from proof.verify.compare import (
    compare_counts,
    compare_letters_of_gone,
    compare_milestones,
    compare_moved,
    compare_unexpected,
    due_thresholds,
    peak_at_most,
)
from proof.verify.fold import Copy, Expectation, Moved, PartitionFold
from proof.verify.gather import OUTPUTS, Outputs, gather
from proof.verify.history import Compared, History, compare_history
from proof.verify.layouts import Layouts, changes_in
from proof.verify.partial import gone_milestone, listed, settle
from proof.verify.partitioning import home_of
from proof.verify.postgres import (
    awarded_by_count,
    compare_awards,
    compare_codes,
    compare_decisions,
    compare_projected_counts,
    read_tables,
)
from proof.verify.reading import CannotRead, Reader, Span, Spans, Standing
from proof.verify.records import NOTHING_BEFORE, Before, Milestone, Owner, Place, Record, Tally
from proof.verify.removed import CLICKS_GONE, CLICKS_UNPROVEN, ISSUES_GONE, Removed
from proof.verify.report import Difference, Report, SourceTable, at
from proof.verify.sources import record_of
from proof.verify.sums import compare_sums

SOURCES = (CODES.name, REGISTRATIONS.name, CLICKS.name)

LOOK_AGAIN_S = 0.25
"""How often is looked whether the program has caught up."""

BEHIND_READ_MAX = 10_000
"""Up to so many offsets behind, the records among them are counted; more than that is behind in any case."""

OnProgress = Callable[[int, int], None]
"""Told how many offsets of the source topics are done, and how many there are."""


class Oracle:
    """One check of one installation; `check` does it."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_progress: OnProgress = lambda _done, _all: None,
        on_wait: Callable[[str], None] = lambda _why: None,
        checkpoint_file: Path | None = None,
    ) -> None:
        """Prepare it.

        Args:
            settings: the installation's.
            on_progress: told how far it is.
            on_wait: told, once each, what it begins to wait for.
            checkpoint_file: where an earlier check has left what it found right, and this one will; None: nowhere.

        """
        self._settings = settings
        self._checkpoint_file = checkpoint_file
        self._on_progress = on_progress
        self._on_wait = on_wait
        self._report = Report()
        self._reader = Reader(settings)
        self._partitions: dict[str, int] = {}
        self._spans: Spans = {}
        self._removed = Removed({})
        self._layouts = Layouts((), 1)
        self._standings: dict[int, Standing] = {}
        self._clicks_id = ""
        self._checkpoint: Checkpoint | None = None
        self._checked: dict[int, CheckedPartition] = {}
        self._committed: dict[tuple[str, int], int] = {}
        self._done = 0

        self._outputs = Outputs()
        self._tallies: list[Tally] = []
        self._history = History()
        self._of_history = Compared([], 0, {})
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
            changes = changes_in(self._reader.partition_changes(), self._settings.topic_prefix)
            self._layouts = Layouts(changes, self._partitions[CODES.name])
            self._catch_up(deadline_s)
            started_s = time.monotonic()
            self._look_at_what_is_gone()
            self._outputs = gather(self._reader, self._spans, self._partitions, prefix=self._settings.topic_prefix)
            self._report.differences += self._outputs.differences
            self._report.notes += self._outputs.notes
            for number in range(self._layouts.classes):
                self._check_class(number)
        finally:
            self._reader.close()
        self._check_rest()
        report_.seconds = time.monotonic() - started_s
        if with_database:
            self._check_database(deadline_s)
        report_.differences += self._removed.excesses()
        report_.beyond_proof = {what: count for what, count in sorted(self._removed.beyond.items()) if count}
        self._keep_checkpoint()
        return report_

    # Kafka ------------------------------------------------------------------------------------------------------------

    def _check_partitions(self) -> None:
        counts = {self._partitions[topic] for topic in SOURCES}
        if len(counts) != 1:
            found = ", ".join(f"{topic} {self._partitions[topic]}" for topic in SOURCES)
            msg = f"the source topics must have the same number of partitions to be joined; found {found}"
            raise CannotRead(msg)

    def _catch_up(self, deadline_s: float) -> None:
        """Wait until the stream app has processed what stands in its topics, and published what follows from it.

        Takes the spans that the check covers.
        """
        is_said = False
        while True:
            committed = self._reader.committed(SOURCES)
            if len(committed) < len(SOURCES) * self._partitions[CODES.name]:  # there are none yet, or they have expired
                self._standings = self._reader.standings()
            self._committed = self._stood_at() | committed
            self._spans = self._reader.spans(self._partitions)
            owing = self._owing(committed)
            if time.monotonic() >= deadline_s or not (owing or self._is_behind()):
                self._note_owing(owing)
                return
            if not is_said:
                left_s = deadline_s - time.monotonic()
                self._on_wait(f"not all is counted and published; waiting for the stream app, {left_s:.0f} s at most")
                is_said = True
            time.sleep(LOOK_AGAIN_S)

    def _stood_at(self) -> dict[tuple[str, int], int]:
        """Return what the rows say, for offsets of the group that have expired."""
        return {
            (topic, number): at
            for number, standing in self._standings.items()
            for topic, at in standing.positions.items()
        }

    def _owing(self, committed: Collection[tuple[str, int]]) -> list[int]:
        """Return the partitions whose counts are still to be published, of those that lack an offset of the group's.

        Offsets follow when all is published; what rows say of where they stand does not wait for that.
        """
        owing = [number for number, standing in self._standings.items() if standing.owes]
        return sorted(number for number in owing if any((topic, number) not in committed for topic in SOURCES))

    def _note_owing(self, owing: list[int]) -> None:
        if owing:
            numbers = ", ".join(map(str, owing))
            self._report.notes.append(
                f"partitions {numbers}: counts are still to be published; is the stream app running?"
            )

    def _look_at_what_is_gone(self) -> None:
        """See what the topics do not have any more, from where on the rows have counted, and what was found before."""
        self._standings = self._reader.standings()
        since = {
            (topic, number): at for number, standing in self._standings.items() for topic, at in standing.since.items()
        }
        classes = self._layouts.classes if len(self._layouts.numbers) > 1 else 0
        self._removed = Removed.of(self._spans, since, classes)
        for topic in (*SOURCES, *OUTPUTS):
            self._report.removed[topic] = sum(at for (name, _), at in self._removed.first.items() if name == topic)
        if self._checkpoint_file is not None:
            self._checkpoint = checkpoint.load(self._checkpoint_file)
            self._clicks_id = self._reader.topic_ids([CLICKS.name])[CLICKS.name]

    def _since(self, partition: int) -> int:
        return self._removed.since.get((CLICKS.name, partition), 0)

    def _keep_checkpoint(self) -> None:
        """Leave what was found right for the next check."""
        if self._checkpoint_file is None or not self._report.is_clean:
            return
        try:
            checkpoint.save(self._checkpoint_file, self._clicks_id, self._checked)
        except OSError as error:
            self._report.notes.append(
                f"{self._checkpoint_file}: {error.strerror}; the next check cannot begin with what this one found right"
            )

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

    def _records(self, topic: str, number: int) -> Iterator[Record]:
        """Yield what a class of partitions has of a source topic, in the order in which it was counted."""
        table = self._report.sources.setdefault(topic, SourceTable())
        for partition, span in self._layouts.parts(topic, number, self._spans):
            yield from self._records_of(topic, partition, span, table)

    def _records_of(self, topic: str, partition: int, span: Span, table: SourceTable) -> Iterator[Record]:
        """Yield a span of a source topic, and keep its conservation table and the progress up to date."""
        committed = self._committed.get((topic, partition), 0)
        table.offsets += span.end - span.first
        position = span.first
        for batch in self._reader.read({(topic, partition): span}):
            for message in batch:
                record = record_of(message, topic, partition, self._settings.topic_prefix)
                position = record.offset
                table.unprocessed += position >= committed
                table.to_be_counted += position >= committed and not record.stands
                yield record
            self._on_progress(self._done + position - span.first, self._all_offsets())
        self._done += span.end - span.first

    def _all_offsets(self) -> int:
        return sum(span.end - span.first for (topic, _), span in self._spans.items() if topic in SOURCES)

    # One partition, or a class of them -----------------------------------------------------------------------------

    def _check_class(self, number: int) -> None:
        """Fold a class of partitions, and compare the counts and milestones of the codes that belong there."""
        for topic in SOURCES:
            self._report.sources.setdefault(topic, SourceTable())
        letters = self._outputs.dead_letters
        codes = list(self._records(CODES.name, number))
        members = self._layouts.members(number)
        for partition in members:
            offsets = [record.offset for record in codes if record.partition == partition]
            self._removed.note_compacted((CODES.name, partition), offsets, self._spans[CODES.name, partition].end)
        self._report.differences += compare_letters_of_gone(
            letters, [place for place in letters if place[1] in members and self._removed.has(place)], self._removed
        )
        owners = owners_compacted_away(number, codes, letters, self._owners_in_counts(number), self._removed)
        self._removed.explains(report.COUNTS, ISSUES_GONE, (CODES.name, number), len(owners.claimed))
        before = self._before(number)
        fold = PartitionFold(
            number,
            partitions=self._partitions[CODES.name],
            dead_letters=letters,
            owners_elsewhere=owners.claimed | owners.stated,
            waiting_records_max=self._settings.waiting_records_max,
            removed=self._removed,
            before=before,
            layouts=self._layouts,
        )
        fold.history = self._history
        fold.codes(codes)
        fold.registrations(self._records(REGISTRATIONS.name, number))
        fold.clicks(self._records(CLICKS.name, number))
        expected = fold.finish()
        self._take(expected)
        unproven = before.unproven + self._removed.explained(CLICKS_GONE, (CLICKS.name, number))
        for partition in members:  # the first stands for all
            is_first = partition == number
            self._checked[partition] = checkpoint.checked(
                expected.tallies.values() if is_first else (),
                self._spans[CLICKS.name, partition],
                self._since(partition),
                expected.waiting if is_first else (),
                unproven if is_first else 0,
            )

    def _before(self, number: int) -> Before:
        """Return what an earlier check has found right, where it is needed: records are gone."""
        if self._checkpoint is None or not self._removed.records(CLICKS.name, number):
            return NOTHING_BEFORE
        befores = {}
        for partition in self._layouts.members(number):
            span = self._spans[CLICKS.name, partition]
            befores[partition] = self._checkpoint.before(partition, self._clicks_id, span, self._since(partition))
            is_new = str(partition) not in self._checkpoint.partitions and not span.first
            if befores[partition] is NOTHING_BEFORE and not is_new:
                return NOTHING_BEFORE
        before = checkpoint.together(befores)
        self._removed.beyond[CLICKS_UNPROVEN] += before.unproven
        return before

    def _owners_in_counts(self, number: int) -> dict[str, Owner]:
        partitions = self._layouts.classes
        return {
            code: owner
            for owner, row in self._outputs.rows.items()
            if isinstance(code := row.get("referral_code"), str) and home_of(code, partitions) == number
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
        row = self._outputs.rows.pop(tally.owner, None)
        report_.differences += settle(tally, row, self._removed)
        if row is not None and isinstance(published := row.get("confirmed_attributions"), int):
            tally.published = published
        due = due_thresholds(tally, thresholds)
        home = (
            MILESTONES.name,
            home_of(f"{tally.owner.org_id}:{tally.owner.mentor_id}", self._partitions[MILESTONES.name]),
        )
        here = [reached for reached in found if reached.threshold <= peak_at_most(tally)]
        reached = {*due, *(each.threshold for each in here), *listed(tally, row, thresholds)}
        gone = reached - {each.threshold for each in here} if self._removed.records(*home) else ()
        self._due[tally.owner] = here + [gone_milestone(tally.owner, threshold) for threshold in sorted(gone)]
        self._reached[tally.owner] = sorted(reached)
        report_.differences += compare_counts(report.COUNTS, tally, row, self._reached[tally.owner])
        report_.differences += compare_milestones(tally, found, thresholds, self._removed, home)
        report_.compared[report.COUNTS] += 1
        report_.compared[report.MILESTONES] += len(due)
        tally.confirmations.clear()  # not needed any more, and the largest part
        self._tallies.append(tally)

    def _check_rest(self) -> None:
        """Compare what spans partitions, and what is left over: outputs that nothing asks for."""
        report_ = self._report
        report_.differences += compare_moved(self._moved, self._copies, self._removed)
        report_.compared[report.MOVED] += len(self._moved)
        report_.differences += compare_unexpected(self._outputs.dead_letters, self._removed)
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
        self._removed.beyond.update(self._of_history.beyond_proof)
        if not self._of_history.is_there:
            self._report.notes.append("the history is not compared: `referrals counts` has not begun it")
        if self._tallies and sum(each.check == report.CODES_TABLE for each in differences) == len(self._tallies):
            self._report.notes.append(
                "no code is right in Postgres: is `referrals counts` running, and is REFERRALS_DATABASE_URL that of "
                "the tables' owner? Other roles see only one organisation's rows"
            )

    def _compare_tables(self, compared: Counter[str]) -> list[Difference]:
        try:
            tables = read_tables(self._settings.database_url)
            of_history = compare_history(
                self._settings.database_url, self._settings.topic_prefix, self._history, self._removed
            )
        except psycopg.Error as error:
            msg = f"Postgres: {said(error)} (the database of REFERRALS_DATABASE_URL; --no-database leaves it out)"
            raise CannotRead(msg) from None
        if tables.unpublished:
            self._report.notes.append(
                f"{len(tables.unpublished):,} codes wait in the outbox until `referrals web` publishes them"
            )
        self._of_history = of_history
        compared[report.HISTORY_TABLE] = of_history.rows
        compared[report.CODES_TABLE] = len(self._tallies)
        compared[report.COUNTS_TABLE] = len(self._tallies)
        compared[report.AWARDS_TABLE] = len(tables.awards)
        compared[report.DECISIONS_TABLE] = sum(map(len, self._due.values())) * len(tables.definitions)
        of_sums, compared[report.SUMS_TABLE] = compare_sums(
            tables.sums, tables.counts.values(), tables.codes.values(), (award.org_id for award in tables.awards)
        )
        peaks = {tally.owner: peak_at_most(tally) for tally in self._tallies}
        counted = awarded_by_count(tables.definitions, tables.awards, peaks)
        return [
            *compare_codes(self._tallies, tables.codes, tables.unpublished),
            *compare_projected_counts(self._tallies, tables.counts, self._reached),
            *compare_awards(self._due, tables.definitions, tables.awards, peaks),
            *compare_decisions(self._due, tables.definitions, tables.decisions, counted),
            *of_sums,
            *of_history.differences,
        ]

    def _differ(self, check: str, subject: str, found: str, wanted: str) -> None:
        self._report.differences.append(Difference(check, subject, found, wanted))
