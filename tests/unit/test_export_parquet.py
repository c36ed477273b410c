"""Exports as Parquet, without Postgres: columns have their types, whatever the rows hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
from rich_click import ClickException

from commands.export_parquet import TYPES, require_duckdb, write_parquet
from operations.exporting import FIELDS, HISTORY_FIELDS

ORG = "6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6"
MENTOR = "0d9e8f7a-6b5c-4d3e-9f2a-1b0c9d8e7f6a"
COUNTS = {
    "org_id": ORG,
    "mentor_id": MENTOR,
    "referral_code": "7KQ2M9XW4T",
    "total_clicks": 2**53 + 1,
    "pending_attributions": 1,
    "confirmed_attributions": 2,
    "conversion_rate": 0.25,
    "by_channel": {"sms": {"clicks": 3, "pending": 1, "confirmed": 2}},
    "milestones": [1, 5],
}


def read(file: Path) -> list[tuple[object, ...]]:
    """Return a file's rows."""
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(file)]).fetchall()


def test_every_column_has_a_type() -> None:
    """Of each export, and no others."""
    assert {*FIELDS, *HISTORY_FIELDS} == TYPES.keys()


def test_counts_keep_what_they_are(tmp_path: Path) -> None:
    """Numbers past what a float holds, a map, a list, a time; what is not there is null, and the file's name is any."""
    file = tmp_path / "it's.parquet"
    named = COUNTS | {"last_event_at": "2026-11-20T10:07:00.123456Z", "display_name": '\\N,"Åse"\n', "group": ""}
    assert write_parquet(file, FIELDS, [COUNTS, named]) == 2
    assert list(tmp_path.iterdir()) == [file]
    bare, whole = read(file)
    assert bare[:9] == whole[:9] == (UUID(ORG), UUID(MENTOR), *list(COUNTS.values())[2:])
    assert bare[9:] == (None, None, None)
    assert whole[9:] == (datetime(2026, 11, 20, 10, 7, 0, 123456, tzinfo=UTC), '\\N,"Åse"\n', "")


@pytest.mark.parametrize("days", [[], ["2026-11-20", "2026-11-21"]])
def test_history_has_days(tmp_path: Path, days: list[str]) -> None:
    """Also where nothing happened: then the columns stand there alone."""
    file = tmp_path / "history.parquet"
    rows = [
        {"org_id": ORG, "day": day, "channel": "sms", "clicks": 1, "registered": 0, "confirmed": 0, "withdrawn": 0}
        for day in days
    ]
    assert write_parquet(file, HISTORY_FIELDS, rows) == len(days)
    assert [row[1] for row in read(file)] == [date.fromisoformat(day) for day in days]


def test_where_there_is_no_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image has none; it says what to do."""
    require_duckdb()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ClickException, match="pip install duckdb"):
        require_duckdb()
