"""The contract's rules once more, written apart from the app: lists and dicts, no cleverness, no state kept in steps.

It takes the whole input, codes first: what the contract promises must not depend on how the topics interleave. Inside
a topic the order of the records is kept, because rule 2 (what was reached) and rule 6 (first event) depend on it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from tests.factories import Event

State = Literal["pending", "confirmed"] | None


@dataclass
class Expected:
    """What must come of an input."""

    counts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By code; only of mentors with activity."""
    milestones: set[tuple[str, str, int, int, str]] = field(default_factory=set)
    """(organisation, mentor, threshold, confirmed count, attribution that crossed it)."""
    refused: int = 0
    """Records that are in no count and wait for nothing: other organisations, codes taken."""
    waiting: int = 0
    """Records of codes that never came."""


def expect(codes: list[Event], clicks: list[Event], registrations: list[Event], thresholds: list[int]) -> Expected:
    """Return what must come of valid events, each list in the order of its topic."""
    expected = Expected()
    owners: dict[str, tuple[str, str]] = {}
    for issued in codes:
        claim = issued["org_id"].lower(), issued["mentor_id"].lower()
        expected.refused += owners.setdefault(normal(issued["referral_code"]), claim) != claim
    of_code: dict[str, tuple[list[Event], list[Event]]] = defaultdict(lambda: ([], []))
    for which, events in enumerate((clicks, until_erased(registrations))):
        for event in events:
            code = normal(event["referral_code"])
            if code not in owners:
                expected.waiting += 1
            elif (event.get("org_id") or owners[code][0]).lower() != owners[code][0]:
                expected.refused += 1
            else:
                of_code[code][which].append(event)
    for code, (clicked, registered) in of_code.items():
        expected.counts[code] = counts_of(code, owners[code], clicked, registered, thresholds)
        for at, confirmed, attribution in crossings(registered, thresholds):
            expected.milestones.add((*owners[code], at, confirmed, attribution))
    return expected


def until_erased(registrations: list[Event]) -> list[Event]:
    """Return the events of members who were not erased before: what comes later of these is as if it never came."""
    erased: set[str] = set()
    counting: list[Event] = []
    for event in registrations:
        if event["status"] == "erased":
            erased.add(event["erased_pair"])
            continue
        pair = normal(event["referral_code"]).encode() + UUID(event["new_member_id"]).bytes
        if str(UUID(hashlib.blake2b(pair, digest_size=16).hexdigest())) not in erased:
            counting.append(event)
    return counting


def normal(typed: str) -> str:
    """Return a code as Crockford reads it."""
    return typed.upper().replace("-", "").replace("O", "0").replace("I", "1").replace("L", "1")


def counts_of(
    code: str, owner: tuple[str, str], clicks: list[Event], registrations: list[Event], thresholds: list[int]
) -> dict[str, Any]:
    """Return a mentor's counts; for inputs of at most sixteen channels."""
    channels: dict[str, dict[str, int]] = defaultdict(lambda: {"clicks": 0, "pending": 0, "confirmed": 0})
    for click in clicks:
        channels[channel_of(click)]["clicks"] += 1
    for history in pairs(registrations).values():
        channel, state = channel_of(history[0]), state_of(history)
        channels[channel]["clicks"] += 0  # the pair's first event makes the place, whatever its state
        if state is not None:
            channels[channel][state] += 1
    clicked, pending, confirmed = (
        sum(channel[name] for channel in channels.values()) for name in ("clicks", "pending", "confirmed")
    )
    return {
        "org_id": owner[0],
        "mentor_id": owner[1],
        "referral_code": code,
        "total_clicks": clicked,
        "pending_attributions": pending,
        "confirmed_attributions": confirmed,
        "conversion_rate": min(1.0, confirmed / clicked) if clicked else 0.0,
        "by_channel": dict(channels),
        "milestones": sorted(at for at, _, _ in crossings(registrations, thresholds)),
        "last_event_at": max(instant(event) for event in (*clicks, *registrations)),
    }


def pairs(registrations: list[Event]) -> dict[str, list[Event]]:
    """Return the events of each member, in order."""
    histories: dict[str, list[Event]] = defaultdict(list)
    for event in registrations:
        histories[event["new_member_id"].lower()].append(event)
    return histories


def state_of(history: list[Event]) -> State:
    """Return the count that a pair is in, by all of its events together (rule 1)."""
    times = {
        status: [instant(event) for event in history if event["status"] == status]
        for status in ("confirmed", "withdrawn")
    }
    if not times["confirmed"] and not times["withdrawn"]:
        return "pending"
    if not times["confirmed"]:
        return None
    if not times["withdrawn"]:
        return "confirmed"
    return "confirmed" if max(times["confirmed"]) > max(times["withdrawn"]) else None


def crossings(registrations: list[Event], thresholds: list[int]) -> list[tuple[int, int, str]]:
    """Return (threshold, confirmed count, attribution) of each threshold when it was first reached (rule 2)."""
    crossed: list[tuple[int, int, str]] = []
    for end in range(1, len(registrations) + 1):
        states = [state_of(history) for history in pairs(registrations[:end]).values()]
        confirmed = states.count("confirmed")
        reached = {at for at, _, _ in crossed}
        crossed += [
            (at, confirmed, registrations[end - 1]["attribution_id"].lower())
            for at in thresholds
            if at <= confirmed and at not in reached
        ]
    return crossed


def channel_of(event: Event) -> str:
    """Return the channel that an event names (rule 6)."""
    named = (event.get("device_metadata") or {}).get("share_channel") or ""
    return named.strip().lower()[:32].strip() or "unknown"


def instant(event: Event) -> datetime:
    """Return when an event occurred."""
    return datetime.fromisoformat(event["occurred_at"])
