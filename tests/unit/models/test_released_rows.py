"""Rows as each released format has them are read, and today's are what the engine says that they are.

    python -P -m tests.unit.models.test_released_rows > tests/corpus/rows/format-N.json

writes the sample of today's format: after `ROWS_FORMAT` was raised, never over one that stands.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from models.attribution import Rules
from models.changes import TABLES
from models.mentors import decode_mentor
from models.outgoing import MOVED_FROM
from streams.engine.standing import ROWS_FORMAT, Stand, Standing, decode_standing, encode_standing
from tests.factories import (
    CLICKS_TOPIC,
    CODES_TOPIC,
    MENTOR,
    OTHER_MENTOR,
    REGISTRATIONS_TOPIC,
    UNKNOWN_CODE,
    Event,
    by_channel,
    make_click,
    make_code_issued,
    make_erasure,
    make_record,
    make_registration,
)
from tests.unit.models.stream import Stream

CORPUS: Final = Path(__file__).resolve().parents[2] / "corpus" / "rows"
RULES: Final = Rules(thresholds=(1, 3))
STANDING: Final = Standing(
    12,
    {CLICKS_TOPIC: Stand(7, "id-of-clicks"), REGISTRATIONS_TOPIC: Stand(9), CODES_TOPIC: Stand(2, "id-of-codes")},
    {"mentors": 12, "members": 12, "waiting": 11, "moves": 3},
    before={CLICKS_TOPIC: 2},
    since={CLICKS_TOPIC: 1},
    owes=True,
    partitions=12,
)
BEFORE: Final[tuple[Event, ...]] = (
    make_code_issued(mentor_id=MENTOR),
    make_click(**by_channel("sms")),
    make_click(**by_channel("email")),
    make_registration(1, "pending", 1),
    make_registration(1, "confirmed", 2, **by_channel("sms")),
    make_registration(2, "confirmed", 3),
    make_registration(2, "withdrawn", 4),
    make_registration(3, "pending", 5),
    make_registration(4, "confirmed", 6),
    make_erasure(4, minute=7),
    make_click(UNKNOWN_CODE, **by_channel("sms")),
    make_registration(5, "confirmed", 8, referral_code=UNKNOWN_CODE),
)
AFTER: Final[tuple[Event, ...]] = (
    make_registration(1, "confirmed", 2, **by_channel("sms")),  # sent again
    make_registration(2, "confirmed", 9),
    make_registration(3, "confirmed", 10),
    make_registration(4, "confirmed", 11),  # erased
    make_click(),
    make_code_issued(UNKNOWN_CODE, mentor_id=OTHER_MENTOR),
    make_registration(6, "confirmed", 12, referral_code=UNKNOWN_CODE),
)


def stream_after(
    *events: Event, moved: Sequence[int] = (), rows: dict[str, dict[bytes, bytes]] | None = None
) -> Stream:
    """Return a stream that has taken events, and clicks moved from these offsets of elsewhere, from these rows on."""
    stream = Stream(RULES)
    if rows is not None:
        stream.rows[0].update(rows)
    for offset, event in enumerate(events):
        code = str(event["referral_code"]).encode()
        stream.take(make_record(event, key=code, offset=offset, headers=[("trace", b"of the test")]))
    for number in moved:
        origin = f"{CLICKS_TOPIC}/3/{number}".encode()
        stream.take(make_record(make_click(), headers=[(MOVED_FROM, origin)]))
    return stream


def sample() -> dict[str, Any]:
    """Return the rows of today's format, bytes as Latin-1, which has a letter for each."""
    rows = stream_after(*BEFORE, moved=[7]).rows[0]
    return {
        "format": ROWS_FORMAT,
        "standing": encode_standing(STANDING).decode("latin-1"),
        "rows": {
            table: {key.decode("latin-1"): row.decode("latin-1") for key, row in sorted(each.items())}
            for table, each in rows.items()
        },
    }


def released(file: Path) -> tuple[dict[str, Any], dict[str, dict[bytes, bytes]]]:
    """Return a sample, and its rows."""
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    rows = {
        table: {key.encode("latin-1"): row.encode("latin-1") for key, row in each.items()}
        for table, each in told["rows"].items()
    }
    return told, rows


FILES: Final = sorted(CORPUS.glob("format-*.json"))


def test_there_is_one_of_each_format() -> None:
    """From the first to today's."""
    assert [file.name for file in FILES] == [f"format-{number}.json" for number in range(1, ROWS_FORMAT + 1)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_read_and_counting_goes_on(file: Path) -> None:
    """As if today's program had counted from the beginning: counts, milestones, who is known, what waited."""
    told, rows = released(file)
    assert {table for table, each in rows.items() if each} == set(TABLES)
    found, wanted = stream_after(*AFTER, moved=[7, 8], rows=rows), stream_after(*BEFORE, *AFTER, moved=[7, 8])
    mentors = {key: decode_mentor(row) for key, row in found.rows[0]["mentors"].items()}
    assert mentors == {key: decode_mentor(row) for key, row in wanted.rows[0]["mentors"].items()}
    assert {mentor.confirmed_attributions for mentor in mentors.values()} == {4, 2}
    sent = {each.value for each in stream_after(*BEFORE).outgoing} | {each.value for each in found.outgoing}
    assert sent == {each.value for each in wanted.outgoing}
    standing = decode_standing(told["standing"].encode("latin-1"))
    assert standing is not None
    assert (standing.epoch, standing.sources, standing.seals) == (STANDING.epoch, STANDING.sources, STANDING.seals)
    assert standing.format == told["format"]


def test_todays_rows_are_of_todays_format() -> None:
    """Where this fails rows are written otherwise: raise `ROWS_FORMAT`, and add a sample of the new one."""
    assert sample() == released(CORPUS / f"format-{ROWS_FORMAT}.json")[0]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(sample(), indent=1) + "\n")
