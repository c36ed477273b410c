"""Milestones, decisions and awards in Postgres (migrations/0001_tables.sql), in a few statements for a batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from models.badges import AWAITING_MENTOR, BadgeDefinition, Decision, Facts
from models.events import MilestoneReached
from process.fault_points import fault_point
from process.instants import as_stored
from sinks.badge_repository import Award, BadgeTransaction, MilestoneKey, key_of
from sinks.postgres import Connection, Database, column, query
from sinks.postgres_positions import PostgresPositions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sinks.positions import Place

_CHANNEL: Final = "referrals_badges"
"""Notified by the triggers of migration 0003 when mentors or definitions come."""

_DECIDED: Final = "decided"
_AWAITING_MENTOR: Final = "awaiting_mentor"


class PostgresBadgeRepository:
    """The badge tables of one database; for one thread."""

    def __init__(self, database_url: str, *, consumer: str = "badges") -> None:
        """Make it without connecting; `consumer` is whose positions are kept."""
        self._database = Database(database_url, application_name="referrals badges", listen_to=_CHANNEL)
        self.positions = PostgresPositions(self._database, consumer=consumer, used="has_milestones")

    @contextmanager
    def transaction(self) -> Iterator[BadgeTransaction]:
        """Run the body in one transaction; a definition that comes meanwhile waits for its end."""
        with self._database.transaction() as connection:
            query(connection, "hold_definitions")
            yield _PostgresTransaction(connection, self.positions)
            fault_point("badges.inserted")
        self.positions.kept()

    @contextmanager
    def trial(self) -> Iterator[BadgeTransaction]:
        """Run the body in one transaction that is undone at its end."""
        with self._database.transaction(undo=True) as connection:
            query(connection, "hold_definitions")
            yield _PostgresTransaction(connection, self.positions)

    def check_schema(self) -> str | None:
        """See that the tables are as new as this program; say what they have beyond it."""
        return self._database.check_schema()

    def announce(self, thresholds: Sequence[int]) -> None:
        """Note at which counts milestones are announced, where it was noted otherwise."""
        with self._database.transaction() as connection:
            if [at for (at,) in query(connection, "announced_thresholds")] != list(thresholds):
                query(connection, "announce_thresholds", {"thresholds": list(thresholds)})

    def definitions(self) -> Sequence[BadgeDefinition]:
        """Return all badge definitions."""
        with self._database.transaction() as connection:
            return _definitions(connection)

    def has_news(self) -> bool:
        """Tell whether mentors or definitions came since this was asked last."""
        return self._database.has_news()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


class _PostgresTransaction:
    def __init__(self, connection: Connection, positions: PostgresPositions) -> None:
        self._connection = connection
        self._positions = positions
        self._claimed: set[MilestoneKey] = set()

    def record(self, milestones: Sequence[MilestoneReached]) -> list[MilestoneReached]:
        unique: dict[MilestoneKey, MilestoneReached] = {}
        for milestone in milestones:
            unique.setdefault(key_of(milestone), milestone)
        milestones = list(unique.values())
        rows = query(
            self._connection,
            "record_milestones",
            {
                **_keys(milestones),
                "milestone_ids": column(m.milestone_id for m in milestones),
                "confirmed_counts": column(m.confirmed_count for m in milestones),
                "attribution_ids": column(m.attribution_id for m in milestones),
                "reached_ats": column(as_stored(m.reached_at) for m in milestones),
            },
        )
        new = set(rows)
        return [milestone for key, milestone in unique.items() if key in new]

    def claim(self, limit: int) -> list[MilestoneReached]:
        milestones = [
            MilestoneReached(
                org_id=org_id,
                mentor_id=mentor_id,
                milestone_threshold=threshold,
                milestone_id=milestone_id,
                confirmed_count=confirmed_count,
                attribution_id=attribution_id,
                reached_at=reached_at,
            )
            for org_id, mentor_id, threshold, milestone_id, confirmed_count, attribution_id, reached_at in query(
                self._connection, "claim_milestones", {"limit": limit}
            )
        ]
        self._claimed |= {key_of(milestone) for milestone in milestones}
        return milestones

    def facts(self, milestones: Sequence[MilestoneReached]) -> Facts:
        mentors = sorted({(m.org_id, m.mentor_id) for m in milestones})
        columns = {
            "org_ids": column(org_id for org_id, _ in mentors),
            "mentor_ids": column(mentor_id for _, mentor_id in mentors),
        }
        organisations: dict[str, set[str]] = {}
        for mentor_id, org_id in query(self._connection, "organisations_of_mentors", columns):
            organisations.setdefault(mentor_id, set()).add(org_id)
        held = {
            (org_id, mentor_id, badge_id)
            for org_id, mentor_id, badge_id in query(self._connection, "badges_held", columns)
        }
        return Facts(organisations=organisations, definitions=_definitions(self._connection), held=held)

    def save(self, decisions: Sequence[Decision]) -> Collection[Award]:
        milestones = [decision.milestone for decision in decisions]
        rows = query(
            self._connection,
            "save_decisions",
            {
                **_keys(milestones),
                "milestone_ids": column(m.milestone_id for m in milestones),
                "badge_ids": column(decision.badge_id for decision in decisions),
                "reasons": column(decision.reason.value for decision in decisions),
                "confirmed_counts": column(m.confirmed_count for m in milestones),
            },
        )
        self._set_states(decisions)
        return {(org_id, mentor_id, badge_id) for org_id, mentor_id, badge_id in rows}

    def add_mentor(self, org_id: str, mentor_id: str) -> None:
        query(self._connection, "add_mentor", {"org_id": org_id, "mentor_id": mentor_id})

    def move(self, reached: Mapping[Place, int | None]) -> None:
        self._positions.move_in(self._connection, reached)

    def _set_states(self, decisions: Sequence[Decision]) -> None:
        """Note which milestones wait for their mentor, and that claimed ones no longer do; new ones are decided."""
        waiting = {key_of(d.milestone): d.milestone for d in decisions if d.reason in AWAITING_MENTOR}
        decided = {}
        if self._claimed:
            claimed = {key_of(d.milestone): d.milestone for d in decisions}
            decided = {key: claimed[key] for key in self._claimed & claimed.keys() - waiting.keys()}
        milestones = [*waiting.values(), *decided.values()]
        if milestones:
            states = [_AWAITING_MENTOR] * len(waiting) + [_DECIDED] * len(decided)
            query(self._connection, "set_states", {**_keys(milestones), "states": column(states)})


def _definitions(connection: Connection) -> tuple[BadgeDefinition, ...]:
    return tuple(
        BadgeDefinition(
            badge_id=badge_id, org_id=org_id, type=kind, threshold=threshold, name=name, picture=picture, is_off=is_off
        )
        for badge_id, org_id, kind, threshold, name, picture, is_off in query(connection, "definitions")
    )


def _keys(milestones: Sequence[MilestoneReached]) -> dict[str, str]:
    return {
        "org_ids": column(m.org_id for m in milestones),
        "mentor_ids": column(m.mentor_id for m in milestones),
        "thresholds": column(m.milestone_threshold for m in milestones),
    }
