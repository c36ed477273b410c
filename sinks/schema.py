"""The database's schema against this program's: which migrations each has that the other has not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def known_migrations() -> list[str]:
    """Return the migrations that this program was written for, in their order."""
    return sorted(path.stem for path in MIGRATIONS.glob("*.sql"))


def missing_from(applied: Collection[str]) -> str | None:
    """Say what a database lacks with these migrations, and what to do; None: nothing."""
    missing = [name for name in known_migrations() if name not in applied]
    if not missing:
        return None
    return f"the database is older than this program, it lacks {', '.join(missing)}: run `referrals db migrate`"


def beyond(applied: Collection[str]) -> str | None:
    """Say what a database with these migrations has that this program does not know; None: nothing."""
    unknown = sorted(set(applied) - set(known_migrations()))
    if not unknown:
        return None
    return (
        f"the database is newer than this program, which does not know {', '.join(unknown)}: start a version that does"
    )
