"""Turns milestones into badge awards, once each.

Consumes `milestones.v1` (key `org_id:mentor_id`, value MilestoneReached); keeps milestones, decisions and awards in a
`BadgeRepository`; leaves what cannot be used to the dead letters. It depends on the two protocols `MilestoneSource`
and `BadgeRepository`, not on Kafka, Postgres or the stream app.

Failure handling: a batch is one transaction of milestones, awards and audit; then the offsets. Killed between the
two, the next process finds the milestones recorded and passes over them. A milestone of which something is not known
yet, its mentor or any definition, is recorded and decided when that comes. A forged one, naming an organisation that
does not know the mentor while another does, gets an audit row and no award; it is well-formed, so it is no dead letter.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import structlog

from models.badges import AWAITING_MENTOR, Decision, Reason, decide_all, decode_milestone, missing_definitions
from models.errors import BadInput
from sinks.errors import StoreUnavailable
from sinks.records import DeadLetter, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.events import MilestoneReached
    from sinks.badge_repository import BadgeRepository

CLAIM_MAX: Final = 5_000
"""Milestones decided again in one transaction; new ones are read between two such."""

CLAIM_INTERVAL_S: Final = 5.0
"""Waiting milestones are looked at this often even without news, should a notification be lost (a pooler, say)."""

LOG: Final = "sinks.badges"
log = structlog.stdlib.get_logger(LOG)


class BadgeAwarder:
    """The badge consumer's sink."""

    name = "badges"

    def __init__(self, repository: BadgeRepository) -> None:
        self._repository = repository
        self._claim_now = True
        self._next_claim = 0.0

    def open(self) -> None:
        """Look whether the seeded definitions are there; what is missing is not awarded, and said so."""
        missing = missing_definitions(self._repository.definitions())
        if missing:
            log.warning(
                "badges.definitions_missing",
                badge_ids=[definition.badge_id for definition in missing],
                names=[definition.name for definition in missing],
                remedy="insert them again into badge_definitions; milestones meanwhile are recorded and awarded then",
            )

    def put(self, records: Sequence[Record]) -> list[DeadLetter]:
        """Record the milestones and decide those that are new, in one transaction.

        Raises:
            StoreUnavailable: to be tried again; milestones that had been committed are passed over then.

        """
        milestones: list[MilestoneReached] = []
        letters: list[DeadLetter] = []
        is_debugging = logging.getLogger(LOG).isEnabledFor(logging.DEBUG)  # structlog takes 8 us to find out
        for record in records:
            try:
                milestone = decode_milestone(record.value)
            except BadInput as fault:
                letters.append(DeadLetter(record, fault))
                continue
            milestones.append(milestone)
            if is_debugging:
                log.debug(
                    "badges.milestone_read",
                    event_type=milestone.event_type,
                    milestone_threshold=milestone.milestone_threshold,
                    topic=record.topic,
                    partition=record.partition,
                    offset=record.offset,
                )
        if milestones:
            with self._repository.transaction() as work:
                new = work.record(milestones)
                decisions = decide_all(new, work.facts(new)) if new else []
                awarded = work.save(decisions) if decisions else 0
            if decisions:
                log.debug("badges.batch_decided", read=len(milestones), new=len(new), awarded=awarded)
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
                awarded = work.save(decisions) if decisions else 0
        except StoreUnavailable:
            self._claim_now = True
            raise
        except Exception:
            log.exception("badges.decide_again_failed", retry_s=CLAIM_INTERVAL_S)
            return
        if claimed:
            log.info("badges.decided_again", milestones=len(claimed), awarded=awarded)
            self._claim_now = True  # there may be more

    def close(self) -> None:
        """Close the repository's connections."""
        self._repository.close()

    def _look_again_if_waiting(self, decisions: Sequence[Decision]) -> None:
        """Let `tend` look at once: a mentor may have been committed after our look at him and before our commit."""
        reasons = Counter(decision.reason for decision in decisions if decision.reason in AWAITING_MENTOR)
        if reasons:
            self._claim_now = True
        if forged := reasons[Reason.FORGED_ORGANISATION]:
            log.warning("badges.forged_organisation", milestones=forged, see="badge_decisions")
        if unknown := reasons[Reason.UNKNOWN_MENTOR]:
            log.info("badges.awaiting_mentor", milestones=unknown)
