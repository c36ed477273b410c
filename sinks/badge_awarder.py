"""Turns milestones into badge awards, once each.

Consumes `milestones.v1` (key `org_id:mentor_id`, value MilestoneReached); keeps milestones, decisions and awards in a
`BadgeRepository`; leaves what cannot be used to the dead letters. It depends on the two protocols `MilestoneSource`
and `BadgeRepository`, not on Kafka, Postgres or the stream app.

Failure handling: a batch is one transaction of milestones, awards, audit and positions; where some of it are dead
letters, the positions follow when those are safe. Killed in between, the next process finds the milestones recorded and
passes over them. A milestone of which something is not known
yet, its mentor or any definition, is recorded and decided when that comes. A forged one, naming an organisation that
does not know the mentor while another does, gets an audit row and no award; it is well-formed, so it is no dead letter.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final

import structlog

from models.badges import (
    AWAITING_MENTOR,
    Decision,
    Reason,
    decide_all,
    decode_milestone,
    missing_definitions,
    never_announced,
)
from models.errors import BadInput
from models.events import MilestoneReached
from models.identifiers import milestone_id
from models.traces import trace_id_of
from sinks.badge_repository import key_of
from sinks.errors import StoreUnavailable
from sinks.positions import NOWHERE
from sinks.records import DeadLetter, Record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sinks.badge_repository import Award, BadgeRepository, MilestoneKey
    from sinks.positions import Place, Positions, Start
    from sinks.tracing import AwardSpans

CLAIM_MAX: Final = 5_000
"""Milestones decided again in one transaction; new ones are read between two such."""

CLAIM_INTERVAL_S: Final = 5.0
"""Waiting milestones are looked at this often even without news, should a notification be lost (a pooler, say)."""

LOG: Final = "sinks.badges"
log = structlog.stdlib.get_logger(LOG)


class BadgeAwarder:
    """The badge consumer's sink."""

    name = "badges"

    def __init__(
        self, repository: BadgeRepository, *, thresholds: Sequence[int] = (), spans: AwardSpans | None = None
    ) -> None:
        """Make it.

        Args:
            repository: what is known and kept.
            thresholds: the counts at which milestones are announced, none: not known.
            spans: shows decisions in their traces; None: nobody does.

        """
        self._repository = repository
        self._thresholds = thresholds
        self._spans = spans
        self._claim_now = True
        self._next_claim = 0.0
        self.decided: Counter[Reason] = Counter()
        """How often each decision was taken, since the process began."""

    @property
    def positions(self) -> Positions:
        """Where it goes on reading."""
        return self._repository.positions

    def open(self) -> None:
        """Look at the schema, and whether the definitions can be met: what is missing or comes late is said."""
        if (beyond := self._repository.check_schema()) is not None:
            log.warning("badges.schema_is_newer", reason=beyond)
        definitions = self._repository.definitions()
        if self._thresholds:
            self._repository.announce(self._thresholds)
            for badge in never_announced(definitions, self._thresholds):
                later = [at for at in self._thresholds if at > badge.threshold]
                log.warning(
                    "badges.definition_never_announced",
                    badge_id=badge.badge_id,
                    name=badge.name,
                    threshold=badge.threshold,
                    awarded_at=later[0] if later else None,
                    remedy="no milestone is announced at its threshold: set REFERRALS_THRESHOLDS="
                    f"{','.join(map(str, sorted({*self._thresholds, badge.threshold})))} for every component and start "
                    "them again, or change the definition",
                )
        missing = missing_definitions(definitions)
        if missing:
            log.warning(
                "badges.definitions_missing",
                badge_ids=[definition.badge_id for definition in missing],
                names=[definition.name for definition in missing],
                remedy="insert them again into badge_definitions; milestones meanwhile are recorded and awarded then",
            )

    def begin(self, starts: Mapping[Place, Start]) -> None:
        """Note where partitions begin."""
        self._repository.positions.begin(starts)

    def put(self, records: Sequence[Record], reached: Mapping[Place, int] = NOWHERE) -> list[DeadLetter]:
        """Record the milestones and decide those that are new, in one transaction; move the positions along.

        Raises:
            StoreUnavailable: to be tried again; milestones that had been committed are passed over then.
            Fenced: another process has partitions of these now; nothing was kept.

        """
        milestones: list[MilestoneReached] = []
        read: dict[MilestoneKey, Record] = {}
        letters: list[DeadLetter] = []
        if self._spans is not None:
            self._spans.begin()
        is_debugging = logging.getLogger(LOG).isEnabledFor(logging.DEBUG)  # structlog takes 8 us to find out
        for record in records:
            try:
                milestone = decode_milestone(record.value)
            except BadInput as fault:
                letters.append(DeadLetter(record, fault))
                continue
            milestones.append(milestone)
            read.setdefault(key_of(milestone), record)
            if is_debugging:
                log.debug(
                    "badges.milestone_read",
                    event_type=milestone.event_type,
                    milestone_threshold=milestone.milestone_threshold,
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                )
        if milestones or reached:
            with self._repository.transaction() as work:
                new = work.record(milestones) if milestones else []
                decisions = decide_all(new, work.facts(new)) if new else []
                awarded = work.save(decisions) if decisions else ()
                work.move(dict.fromkeys(reached) if letters else reached)
            self._tell(decisions, awarded, read)
            if decisions:
                log.debug("badges.batch_decided", read=len(milestones), new=len(new), awarded=len(awarded))
            self._look_again_if_waiting(decisions)
        return letters

    def tend(self) -> None:
        """Decide again what waited for a mentor or a definition, when there is news of either, a part at a time.

        Raises:
            StoreUnavailable: to be tried again.

        """
        if self._repository.has_news():
            self._claim_now = True
        now = time.monotonic()
        if not self._claim_now and now < self._next_claim:
            return
        self._claim_now = False
        self._next_claim = now + CLAIM_INTERVAL_S
        try:
            with self._repository.transaction() as work:
                claimed = work.claim(CLAIM_MAX)
                decisions = decide_all(claimed, work.facts(claimed)) if claimed else []
                awarded = work.save(decisions) if decisions else ()
        except StoreUnavailable:
            self._claim_now = True
            raise
        if claimed:
            self._tell(decisions, awarded, {})
            log.info("badges.decided_again", milestones=len(claimed), awarded=len(awarded))
            self._claim_now = True  # there may be more

    def probe(self) -> None:
        """Award a badge to a mentor who is made up, and undo it: what raises here is not a record's fault."""
        org_id, mentor_id = (str(uuid.uuid4()) for _ in range(2))
        made_up = MilestoneReached(
            milestone_id=milestone_id(org_id, mentor_id, 1),
            org_id=org_id,
            mentor_id=mentor_id,
            milestone_threshold=1,
            confirmed_count=1,
            attribution_id=org_id,
            reached_at=datetime.now(UTC),
        )
        if (beyond := self._repository.check_schema()) is not None:
            raise StoreUnavailable(beyond)
        with self._repository.trial() as work:
            work.add_mentor(org_id, mentor_id)
            new = work.record([made_up])
            work.save(decide_all(new, work.facts(new)))

    def close(self) -> None:
        """Close the repository's connections."""
        self._repository.close()
        if self._spans is not None:
            self._spans.flush()

    def _tell(
        self, decisions: Sequence[Decision], awarded: Collection[Award], read: Mapping[MilestoneKey, Record]
    ) -> None:
        """Count decisions that are committed; say each milestone, with where it stands if it was just read, and award.

        A milestone is named by its id: whose it is, `referrals explain` says to who may know.
        """
        is_said = logging.getLogger(LOG).isEnabledFor(logging.INFO)
        for key, of_milestone in groupby(decisions, key=lambda decision: key_of(decision.milestone)):
            reasons: Counter[str] = Counter()
            badges = []
            for decision in of_milestone:
                reason = decision.reason
                if reason is Reason.AWARDED and (*key[:2], decision.badge_id) not in awarded:
                    reason = Reason.ALREADY_HELD  # by another instance, meanwhile
                if reason is Reason.AWARDED:
                    badges.append(decision.badge_id)
                self.decided[reason] += 1
                reasons[reason.value] += 1
            record = read.get(key)
            if self._spans is not None and record is not None:
                self._spans.decided(decision.milestone, record, reasons, badges)
            if not is_said:
                continue
            trace_id = None if record is None else trace_id_of(record.headers)
            said = {
                "event_type": decision.milestone.event_type,
                "milestone_threshold": decision.milestone.milestone_threshold,
                "milestone_id": decision.milestone.milestone_id,
                **({"topic": record.topic, "partition": record.partition, "offset": record.offset} if record else {}),
                **({} if trace_id is None else {"trace_id": trace_id}),
            }
            log.info("badges.milestone_handled", **said, decisions=dict(reasons))
            for badge_id in badges:
                log.info("badges.awarded", **said, badge_id=badge_id)

    def _look_again_if_waiting(self, decisions: Sequence[Decision]) -> None:
        """Let `tend` look at once: a mentor may have been committed after our look at him and before our commit."""
        reasons = Counter(decision.reason for decision in decisions if decision.reason in AWAITING_MENTOR)
        if reasons:
            self._claim_now = True
        if forged := reasons[Reason.FORGED_ORGANISATION]:
            log.warning("badges.forged_organisation", milestones=forged, see="badge_decisions")
        if unknown := reasons[Reason.UNKNOWN_MENTOR]:
            log.info("badges.awaiting_mentor", milestones=unknown)
