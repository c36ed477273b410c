"""What a partition begins with of which nothing is kept: the owners and milestones that were announced before.

A state is lost, an application starts under another name, or somebody has it rebuilt: the sources are then counted
anew, and what was announced must not be announced again, nor a code become another mentor's because compaction has
removed its first issue. The counts topic says which code is whose and which thresholds are reached, the milestones
topic which were announced; both were written in the transactions of the counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.attribution import MENTORS
from models.events import MilestoneReached, parse_event
from models.mentors import begun_anew, decode_mentor, encode_mentor
from models.partitioning import partition_of
from models.topics import MENTOR_COUNTS, MILESTONES
from streams.engine.changelog import read_topic

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streams.engine.batch import Rows
    from streams.engine.options import EngineOptions


def beginnings(options: EngineOptions, topic_prefix: str, partitions: Collection[int]) -> Mapping[int, Rows]:
    """Return the rows with which partitions begin; blocks while it reads both topics, which are empty at first."""
    announced: dict[bytes, set[int]] = {}
    for key, value in read_topic(options, MILESTONES.full_name(topic_prefix)):
        if value is not None and key is not None:
            announced.setdefault(key, set()).add(parse_event(MilestoneReached, value).milestone_threshold)
    latest = {key: value for key, value in read_topic(options, MENTOR_COUNTS.full_name(topic_prefix)) if value}
    rows: dict[int, Rows] = {number: {MENTORS: {}} for number in partitions}
    for key, value in latest.items():
        counts = decode_mentor(value)
        code = counts.referral_code.encode()
        number = partition_of(code, options.partitions)
        if number in rows:
            begun = begun_anew(counts, announced.get(key or b"", ()))
            rows[number][MENTORS][code] = encode_mentor(begun)
    return rows
