"""CONTRACT.md's tables in Postgres, against the catalogue."""

from __future__ import annotations

import psycopg
import pytest

from tests.contract import quoted, tables

pytestmark = pytest.mark.integration

UNIQUE = """
SELECT array_agg(a.attname::text ORDER BY k.place)
FROM pg_index AS i, unnest(i.indkey) WITH ORDINALITY AS k(number, place), pg_attribute AS a
WHERE i.indrelid = %s::regclass AND i.indisunique AND i.indpred IS NULL
    AND a.attrelid = i.indrelid AND a.attnum = k.number
GROUP BY i.indexrelid
"""
COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"


def test_tables_columns_and_what_is_unique(database_url: str) -> None:
    """Everything that the contract promises of a table is so."""
    (table,) = tables("CONTRACT.md", "Postgres")
    assert table
    with psycopg.connect(database_url) as connection:
        for row in table:
            (name,) = quoted(row["table"])
            columns = {column for (column,) in connection.execute(COLUMNS, [name]).fetchall()}
            assert set(quoted(row["columns"])) <= columns, name
            assert "org_id" in columns
            unique = [set(columns) for (columns,) in connection.execute(UNIQUE.encode(), [name]).fetchall()]
            for promised in quoted(row["unique"]):
                assert set(promised.split(", ")) in unique, (name, promised)
