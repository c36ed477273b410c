"""A Postgres that one test has for itself, where it needs no Kafka beside it, or another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.parts.databases import create_database
from local.parts.postgres import LocalPostgres
from local.parts.running import Running
from sinks.migrate import migrate


@contextmanager
def own_postgres(directory: Path, *, migrated: bool = True) -> Iterator[str]:
    """Run one for the body, with its data in the directory; give the address of a database, with every migration."""
    running = Running(temporary_dir=None)
    postgres = LocalPostgres(directory, durable=False, running=running)
    try:
        postgres.prepare()
        postgres.start()
        url = create_database(postgres.maintenance_url, "referrals")
        if migrated:
            migrate(url)
        yield url
    finally:
        postgres.close()
        running.close()
