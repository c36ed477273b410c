"""What `referrals explain` shows of a mentor in one organisation: a tree for a person, an object for JSON."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape
from rich.tree import Tree

from operations.reading import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.evidence import Counted
    from operations.explaining import Badge, Explanation, Milestone, Topics

SHOWN: Final = 3
"""Registrations and clicks of a milestone that the tree names, the latest; JSON has all registrations."""
CLICKS_TOLD: Final = 100
"""Clicks of a milestone that JSON names, the latest."""


def chosen(explanation: Explanation, named: str | None) -> list[Badge]:
    """Return the badges of this id, name or threshold (in lower case); all with None."""
    return [
        badge
        for badge in explanation.badges
        if named is None
        or named in {badge.definition.badge_id, badge.definition.name.casefold(), str(badge.definition.threshold)}
    ]


# -- the tree ---------------------------------------------------------------------------------------------------------


def tree(explanation: Explanation, named: str | None, *, with_members: bool) -> Tree:
    """Return the tree of an organisation: what he holds, with its evidence, and what he does not, with the reason."""
    rows = explanation.rows
    called = f" ({escape(rows.org_name)})" if rows.org_name else ""
    root = Tree(f"mentor {rows.mentor_id} in organisation {rows.org_id}{called}")
    if rows.code is None:
        root.add("no code: no registration counts for him here")
    else:
        since = rows.code["disabled_at"]
        disabled = f", its link disabled since {_time(since)}" if since else ""
        root.add(f"code {rows.code['referral_code']}, issued {_time(rows.code['issued_at'])}{disabled}")
    counts = rows.counts
    root.add(
        "no counts yet"
        if counts is None
        else f"{counts['total_clicks']:,} clicks, {counts['pending_attributions']:,} pending, "
        f"{counts['confirmed_attributions']:,} confirmed, counted {_time(counts['counted_at'])}"
    )
    for line in _doubts(explanation):
        root.add(line)
    by_id = {milestone.milestone_id: milestone for milestone in explanation.milestones}
    shown = set()
    for badge in chosen(explanation, named):
        branch = root.add(_badge_line(badge))
        if badge.award is not None:
            milestone = by_id.get(badge.award["milestone_id"])
            if milestone is None:
                branch.add(_without_milestone(badge.award))
            elif milestone.milestone_id in shown:
                branch.add(f"milestone at {milestone.threshold:,}: see above")
            else:
                shown.add(milestone.milestone_id)
                _add_milestone(branch, milestone, explanation.topics, with_members=with_members)
        elif badge.why_not is not None:
            branch.add(badge.why_not.text)
            _add_decisions(branch, badge)
    for milestone in explanation.milestones if named is None else ():
        if milestone.milestone_id not in shown:
            _add_milestone(root, milestone, explanation.topics, with_members=with_members)
    return root


def _without_milestone(award: dict[str, Any]) -> str:
    """Say what an award rests on whose milestone is nowhere."""
    if award["back_filled"]:
        return (
            f"by a back-fill, with {award['confirmed_count']:,} confirmed; its milestone was not announced yet, and is "
            "with the mentor's next confirmation"
        )
    return f"milestone {award['milestone_id']}: in neither table nor topic"


def _badge_line(badge: Badge) -> str:
    name = f"badge {escape(badge.definition.name)} (at {badge.definition.threshold:,})"
    return f"{name}: not awarded" if badge.award is None else f"{name}: awarded {_time(badge.award['awarded_at'])}"


def _add_decisions(branch: Tree, badge: Badge) -> None:
    """Say what was decided, as the audit has it."""
    for row in badge.decisions:
        whole = "" if row["badge_id"] else ", of the milestone as a whole"
        branch.add(
            f"decided at the milestone of {row['milestone_threshold']:,} ({row['confirmed_count']:,} confirmed), "
            f"{_time(row['decided_at'])}: {row['reason']}{whole}"
        )


def _add_milestone(branch: Tree, milestone: Milestone, topics: Topics | None, *, with_members: bool) -> None:
    """Say what a milestone came of."""
    at = f"milestone at {milestone.threshold:,}: {milestone.confirmed_count:,} confirmed"
    here = branch.add(at + (f", {milestone.record}" if milestone.record else ""))
    if milestone.row is None:
        here.add("not read by `referrals badges` yet")
    if topics is None or topics.evidence is None:
        here.add(f"crossed by registration {milestone.attribution_id}, occurred {_time(milestone.reached_at)}")
        return
    if milestone.record is None:
        here.add("its record is not in the milestones topic")
    crossing = milestone.crossing
    if crossing is None:
        here.add(f"crossed by registration {milestone.attribution_id}, which is not in the topic any more")
        return
    crossed = here.add(f"crossed by {_registration(topics, crossing.record, with_members=with_members)}")
    crossed.add(f"attribution {crossing.record.event_id}, in the channel {escape(crossing.record.channel)}")
    before = [each for each in crossing.confirmed if each is not crossing.record]
    if len(crossing.confirmed) != milestone.confirmed_count:
        here.add(
            f"the topic has {len(crossing.confirmed):,} of the {milestone.confirmed_count:,} that were confirmed then"
        )
    if before:
        others = here.add(f"{len(before):,} confirmed before it{_latest(before)}")
        for each in before[-SHOWN:]:
            others.add(_registration(topics, each, with_members=with_members))
    clicks = topics.evidence.clicks_until(crossing.record.occurred_at)
    by_channel = ", ".join(f"{escape(name)} {count:,}" for name, count in _channels(clicks).most_common())
    clicked = here.add(f"{len(clicks):,} clicks until then{f': {by_channel}' if clicks else ''}{_latest(clicks)}")
    for each in clicks[-SHOWN:]:
        place = Place(topics.clicks, each.partition, each.offset)
        clicked.add(f"{place}, occurred {_time(each.occurred_at)}, {escape(each.channel)}")


def _registration(topics: Topics, record: Counted, *, with_members: bool) -> str:
    place = Place(topics.registrations, record.partition, record.offset)
    member = f", member {record.member_id or 'erased'}" if with_members else ""
    return f"{place}, occurred {_time(record.occurred_at)}{member}"


def _latest(records: list[Counted]) -> str:
    return f"; the latest {SHOWN}:" if len(records) > SHOWN else ""


def _doubts(explanation: Explanation) -> list[str]:
    """Return what the topics say otherwise than the tables, or cannot say."""
    topics, counts = explanation.topics, explanation.rows.counts or {}
    if topics is None or topics.evidence is None:
        return []
    said = []
    members = topics.evidence.members()
    if topics.registrations not in topics.gone:
        said += [
            f"the topic makes {members[state]:,} {state} of it: the stream app or `referrals counts` is behind, or "
            "something is wrong; run: referrals verify"
            for state in ("pending", "confirmed")
            if members[state] != counts.get(f"{state}_attributions", 0)
        ]
    if members["withdrawn"]:
        said.append(f"{members['withdrawn']:,} withdrawn")
    if left_out := topics.evidence.left_out:
        said.append(f"events of his code that name another organisation, and count nowhere: {left_out:,}")
    said += [f"{topic} begins at offset {first:,}: what was before is gone" for topic, first in topics.gone.items()]
    return said


# -- JSON -------------------------------------------------------------------------------------------------------------


def told(explanation: Explanation, named: str | None, *, with_members: bool) -> dict[str, Any]:
    """Return an organisation's part of what `--json` prints."""
    rows, topics = explanation.rows, explanation.topics
    badges = chosen(explanation, named)
    earned = {badge.award["milestone_id"] for badge in badges if badge.award is not None}
    return {
        "org_id": rows.org_id,
        "name": rows.org_name,
        "referral_code": rows.code and rows.code["referral_code"],
        "issued_at": rows.code and _time(rows.code["issued_at"]),
        "link_disabled_at": rows.code and _time(rows.code["disabled_at"]),
        "counts": rows.counts and {**rows.counts, "counted_at": _time(rows.counts["counted_at"])},
        "announced_thresholds": rows.announced,
        "doubts": _doubts(explanation),
        "badges": [_badge_told(badge) for badge in badges],
        "milestones": [
            _milestone_told(each, topics, with_members=with_members)
            for each in explanation.milestones
            if named is None or each.milestone_id in earned
        ],
    }


def _badge_told(badge: Badge) -> dict[str, Any]:
    award = badge.award
    return {
        "badge_id": badge.definition.badge_id,
        "name": badge.definition.name,
        "threshold": badge.definition.threshold,
        "is_awarded": award is not None,
        "awarded_at": award and _time(award["awarded_at"]),
        "milestone_id": award and award["milestone_id"],
        "is_back_filled": award and award["back_filled"],
        "why_not": badge.why_not and {"reason": badge.why_not.reason, "text": badge.why_not.text},
        "decisions": [
            {
                "milestone_threshold": row["milestone_threshold"],
                "confirmed_count": row["confirmed_count"],
                "reason": row["reason"],
                "decided_at": _time(row["decided_at"]),
            }
            for row in badge.decisions
        ],
    }


def _milestone_told(milestone: Milestone, topics: Topics | None, *, with_members: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "milestone_id": milestone.milestone_id,
        "threshold": milestone.threshold,
        "confirmed_count": milestone.confirmed_count,
        "attribution_id": milestone.attribution_id,
        "reached_at": _time(milestone.reached_at),
        "recorded_at": milestone.row and _time(milestone.row["recorded_at"]),
        "state": milestone.row and milestone.row["state"],
        "record": milestone.record and milestone.record._asdict(),
        "crossed_by": None,
        "confirmed": [],
        "clicks": None,
    }
    crossing = milestone.crossing
    if topics is None or topics.evidence is None or crossing is None:
        return found
    clicks = topics.evidence.clicks_until(crossing.record.occurred_at)
    return found | {
        "crossed_by": _counted_told(topics.registrations, crossing.record, with_members=with_members),
        "confirmed": [
            _counted_told(topics.registrations, each, with_members=with_members) for each in crossing.confirmed
        ],
        "clicks": {
            "total": len(clicks),
            "by_channel": _channels(clicks),
            "latest": [_counted_told(topics.clicks, each, with_members=False) for each in clicks[-CLICKS_TOLD:]],
        },
    }


def _counted_told(topic: str, record: Counted, *, with_members: bool) -> dict[str, Any]:
    found = {
        "topic": topic,
        "partition": record.partition,
        "offset": record.offset,
        "occurred_at": _time(record.occurred_at),
        "event_id": record.event_id,
        "channel": record.channel,
    }
    return found | ({"member_id": record.member_id} if with_members else {})


def _channels(records: Iterable[Counted]) -> Counter[str]:
    return Counter(record.channel for record in records)


def _time(instant: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC; what has no form in UTC as it is."""
    if instant is None:
        return None
    try:
        return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError):
        return instant.isoformat()
