"""What is left of a member on Kafka, when it goes at the latest, and whether Postgres knows that he is erased."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from confluent_kafka import KafkaException

from models.keeping import Keeping
from operations.member_traces import Trace, What
from operations.mentor_rows import owners_of_code
from operations.reading import CannotRead
from process import topics as cluster
from process.administrator import Administrator

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from operations.member_traces import UnderCode
    from operations.reading import Place
    from operations.tables import Tables
    from process.settings import Settings

_ALL_ERASED: Final = "SELECT erased::text AS pair FROM erased_pairs() AS erased"
_ERASED: Final = "SELECT pair::text FROM registration_pairs WHERE pair = %(pair)s AND erased_at IS NOT NULL"


class Remains(NamedTuple):
    """Records of a topic that have the id."""

    topic: str
    what: What
    records: int
    first: Place
    is_held: bool
    """The stream app holds it: it is not superseded, and so does not go."""
    gone_by: datetime | None
    """When the last of them is gone, at the latest; None: the topic's settings do not say."""
    setting: str
    """What of the topic's settings says so."""


def keeping(settings: Settings, topics: Collection[str]) -> dict[str, Keeping]:
    """Return how long these topics keep what; raise operations.reading.CannotRead."""
    admin = Administrator({**settings.kafka_client_config(), "log_level": 2})
    try:
        found = cluster.describe(admin, topics)
    except KafkaException as error:
        raise CannotRead(f"Kafka does not answer: {error.args[0].str()}") from None
    return {name: Keeping.of(topic.config) for name, topic in found.items()}


def remains(traces: Iterable[Trace], kept: Mapping[str, Keeping], now: datetime) -> list[Remains]:
    """Return what is left, by topic and kind; what the app holds apart from what it has let go."""
    groups: dict[tuple[str, What, bool], list[Trace]] = {}
    for trace in traces:
        groups.setdefault((trace.place.topic, trace.what, _is_held(trace)), []).append(trace)
    found = []
    for (topic, what, is_held), those in sorted(groups.items()):
        keeps = kept[topic]
        times = [] if is_held else [_gone_by(trace, keeps, now) for trace in those]
        known = [time for time in times if time is not None]
        found.append(
            Remains(
                topic=topic,
                what=what,
                records=len(those),
                first=min(trace.place for trace in those),
                is_held=is_held,
                gone_by=max(known) if known and len(known) == len(times) else None,
                setting="" if is_held else _setting(what, keeps),
            )
        )
    return found


def organisations(tables: Tables, codes: Iterable[UnderCode]) -> dict[str, str]:
    """Return whose the codes are, of those that Postgres knows."""
    owners = {under.code: owners_of_code(tables, under.code) for under in codes}
    return {code: rows[0]["org_id"] for code, rows in owners.items() if rows}


def erased_pairs(tables: Tables) -> frozenset[bytes]:
    """Return the pseudonyms of all erased pairs of the installation, whatever organisation they are of."""
    return frozenset(UUID(row["pair"]).bytes for row in tables.of_all(_ALL_ERASED, {}))


def marked(tables: Tables, codes: Iterable[UnderCode], orgs: Mapping[str, str]) -> set[str]:
    """Return the codes under which Postgres knows that he is erased."""
    found = set()
    for under in codes:
        if under.code in orgs:
            with tables.acting_for(orgs[under.code]) as connection:
                if connection.execute(_ERASED, {"pair": under.name}).fetchone() is not None:
                    found.add(under.code)
    return found


def _is_held(trace: Trace) -> bool:
    return trace.superseded_at is None and trace.what in {What.ROW, What.WAITING}


def _gone_by(trace: Trace, kept: Keeping, now: datetime) -> datetime | None:
    at = trace.at or now
    if trace.superseded_at is not None:
        return kept.superseded_gone_by(_not_before(trace.superseded_at))
    if trace.what is What.TOMBSTONE:
        return kept.tombstone_gone_by(at)
    return kept.record_gone_by(at)


def _not_before(at: datetime) -> datetime:
    return max(at, datetime(1970, 1, 1, tzinfo=UTC))


def _setting(what: What, kept: Keeping) -> str:
    if what in {What.ROW, What.WAITING, What.TOMBSTONE}:
        turn = f"segment.ms={kept.segment_ms}, max.compaction.lag.ms={kept.compaction_lag_ms}"
        return f"{turn}, delete.retention.ms={kept.delete_retention_ms}" if what is What.TOMBSTONE else turn
    return f"retention.ms={kept.retention_ms}, segment.ms={kept.segment_ms}"
