"""Exports as Parquet, by DuckDB: typed columns, and `by_channel` and `milestones` as a map and a list."""

from __future__ import annotations

import importlib.util
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final

import rich_click as click

from process.lines import json_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from operations.tables import Row

TYPES: Final = {
    "org_id": "UUID",
    "mentor_id": "UUID",
    "referral_code": "VARCHAR",
    "total_clicks": "BIGINT",
    "pending_attributions": "BIGINT",
    "confirmed_attributions": "BIGINT",
    "conversion_rate": "DOUBLE",
    "by_channel": "MAP(VARCHAR, STRUCT(clicks BIGINT, pending BIGINT, confirmed BIGINT))",
    "milestones": "BIGINT[]",
    "last_event_at": "TIMESTAMPTZ",
    "display_name": "VARCHAR",
    "group": "VARCHAR",
    "day": "DATE",
    "channel": "VARCHAR",
    "clicks": "BIGINT",
    "registered": "BIGINT",
    "confirmed": "BIGINT",
    "withdrawn": "BIGINT",
}
"""DuckDB's type of each column of any export."""

_COPY: Final = "COPY (SELECT * FROM read_json(?, format = 'newline_delimited', columns = ?)) TO '{}' (FORMAT parquet)"


def require_duckdb() -> None:
    """Raise ClickException where DuckDB is not installed: the container image has none."""
    if importlib.util.find_spec("duckdb") is None:
        msg = "--format parquet needs DuckDB, which is not here: pip install duckdb, or take --format jsonl"
        raise click.ClickException(msg)


def write_parquet(file: Path, fields: tuple[str, ...], rows: Iterable[Row]) -> int:
    """Write the rows into a file, and return how many. They are on disk twice until it is done."""
    import duckdb  # noqa: PLC0415  optional, and for this alone

    count = 0
    with NamedTemporaryFile("w", dir=file.parent, prefix=f"{file.name}.", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json_line(row) + "\n")
            count += 1
        lines.flush()
        columns = {name: TYPES[name] for name in fields}
        into = str(file).replace("'", "''")  # COPY takes no parameter there
        nothing_fetched: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        with duckdb.connect(config=nothing_fetched) as connection:
            connection.execute(_COPY.format(into), [lines.name, columns])
    return count
