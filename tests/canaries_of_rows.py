"""What goes wrong at Postgres, which quotes the row: codes, names, addresses; the rest is in `canaries`.

Each error is raised where the program meets it, and logged or kept as it does there.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import patch
from uuid import UUID

import psycopg
import rich_click as click
import structlog
from psycopg.errors import CheckViolation, InvalidTextRepresentation

from commands import dead_letters_replay, erase_member, main
from commands.saying import say
from edges.reconciliation import configuring, store
from edges.reconciliation.errors import StoreFailed
from edges.registry.outbox import OutboxRelay
from edges.web.clicks.filtered import FilteredClicks
from edges.web.clicks.landing import LandingPages, LookupFailed
from edges.web.clicks.publisher import Publisher
from edges.web.database import Database
from edges.web.problems import problem_handlers
from process.settings import Settings
from proof.verify import oracle
from proof.verify.reading import CannotRead
from sinks.errors import StoreUnavailable
from sinks.postgres import Database as SinkDatabase
from sinks.sink_task import _name

CODE: Final = "CANARYCODE"
NAME: Final = "canary of a mentor's name"
ADDRESS: Final = "canary.of.a.row@example.org"
MEMBER: Final = str(UUID(int=0xC0DE << 96 | 0x4002 << 64 | 0x8000 << 48, version=4))
CANARIES: Final = frozenset({CODE, NAME, ADDRESS, MEMBER})

ORG: Final = str(UUID(int=0xA1DE << 96 | 2, version=4))

log = structlog.get_logger("canaries")


def refused() -> CheckViolation:
    """Return what Postgres says of a row that a constraint forbids."""
    row = f"({MEMBER}, {CODE}, {NAME}, {ADDRESS})"
    return CheckViolation(
        f'new row for relation "mentors" violates check constraint "c"\nDETAIL:  Failing row contains {row}.'
    )


def away() -> psycopg.OperationalError:
    """Return what it says where it gives up half-way, in another language than English."""
    return psycopg.OperationalError(f"Verbindung beendet\nDETALJER:  Raden ({CODE}, {NAME},\n{ADDRESS}) med {MEMBER}")


def unreadable() -> InvalidTextRepresentation:
    """Return what it says of a value that is none of its type: the first line quotes it."""
    return InvalidTextRepresentation(f"invalid input syntax for type uuid: \"{CODE} {NAME}\"\nLINE 1: SELECT '{CODE}'")


ERRORS: Final[tuple[Callable[[], psycopg.Error], ...]] = (refused, away, unreadable)


class Failing:
    """A database of the HTTP side's that fails at everything."""

    def __init__(self, error: psycopg.Error | None) -> None:
        self._error = error

    async def rows(self, *_: object) -> list[tuple[Any, ...]]:
        """Fail."""
        raise self._error or AssertionError

    @asynccontextmanager
    async def acting_for(self, _: str | None) -> AsyncIterator[Any]:
        """Fail."""
        if self._error is not None:
            raise self._error
        yield


async def fail_at_postgres(settings: Settings) -> None:
    """Fail in each way, wherever Postgres is asked."""
    for make in ERRORS:
        OutboxRelay(settings)._say_away(make())  # noqa: SLF001 - as its loop does
        filtered = FilteredClicks(cast("Database", Failing(make())))
        filtered.count(ORG, "robot")
        await filtered.write()
        with suppress(LookupFailed):
            await LandingPages(cast("Database", Failing(make()))).find(CODE)
        answer = cast("Any", problem_handlers()[Exception])(cast("Any", None), make())
        sys.stdout.write(f"{answer.status_code} {answer.content!r}\n")
        _fail_in_reconciliation(make)
        _fail_in_commands(make, settings)
        _fail_in_sinks(make)
        _log_as_libraries_do(make)
        await _fail_unseen(make)
    OutboxRelay(settings)._say_away(KeyError(MEMBER))  # noqa: SLF001 - the same
    Publisher(cast("Any", SimpleNamespace(waiting_bytes=0)), cast("Any", None))._note_away("KeyError", exc_info=False)  # noqa: SLF001


def _fail_in_sinks(make: Callable[[], psycopg.Error]) -> None:
    """Show what a sink waits for, and what is kept of a record that Postgres refuses."""
    try:
        with suppress(psycopg.DataError, psycopg.IntegrityError), SinkDatabase("", application_name="x")._translated():  # noqa: SLF001
            raise make()
    except StoreUnavailable as fault:
        sys.stdout.write(f"{fault}\n")
    sys.stdout.write(f"{_name(make())}\n")


def _fail_in_reconciliation(make: Callable[[], psycopg.Error]) -> None:
    """Show what a run, or who configures one, is told."""
    try:
        with store._explained():  # noqa: SLF001 - without a Postgres
            raise make()
    except StoreFailed as fault:
        log.warning("reconciliation_not_planned", reason=str(fault))
    with _connecting_fails(make):
        try:
            with configuring.as_owner("postgresql://127.0.0.1:1/x"):
                pass
        except StoreFailed as fault:
            say(str(fault))


def _fail_in_commands(make: Callable[[], psycopg.Error], settings: Settings) -> None:
    """Show what commands end with: of errors that are expected, and of others."""
    say(main._text(make()))  # noqa: SLF001 - as `main` does
    error = make()
    main._show(type(error), error, None)  # noqa: SLF001 - as Python calls it
    sys.excepthook(type(error), error, None)
    with _connecting_fails(make), suppress(psycopg.Error):
        dead_letters_replay._erased(settings)()  # noqa: SLF001 - without Kafka
    with _connecting_fails(make), suppress(psycopg.Error):
        try:
            looking = SimpleNamespace(_settings=settings, _traces=SimpleNamespace(codes={}))
            erase_member._Erasing._look_at_tables(cast("Any", looking))  # noqa: SLF001 - the same
        except click.ClickException as fault:
            say(fault.message)
    with patch.object(oracle, "read_tables", side_effect=make()):
        try:
            oracle.Oracle._compare_tables(cast("Any", SimpleNamespace(_settings=settings)), Counter())  # noqa: SLF001
        except CannotRead as fault:
            say(str(fault))


def _log_as_libraries_do(make: Callable[[], psycopg.Error]) -> None:
    """Log errors as arguments, as the line itself, alone, in groups, and as the cause of others."""
    library = logging.getLogger("a library")
    library.warning("error connecting in %r: %s", "web", make())
    library.error(make())
    log.error("several_failed", exc_info=ExceptionGroup("several", [make(), ExceptionGroup("more", [make()])]))
    try:
        try:
            raise make()
        except psycopg.Error as error:
            error.add_note(f"while {MEMBER} was written")
            raise RuntimeError from error
    except RuntimeError:
        log.exception("request_failed", status=int(HTTPStatus.INTERNAL_SERVER_ERROR))


async def _fail_unseen(make: Callable[[], psycopg.Error]) -> None:
    """Fail in a task of which nobody asks what became of it, and in a thread."""

    async def fail() -> None:
        raise make()

    def fail_in_a_thread() -> None:
        raise make()

    failing = asyncio.create_task(fail(), name="unseen")
    await asyncio.wait({failing})
    del failing
    gc.collect()
    thread = threading.Thread(target=fail_in_a_thread, name="unseen")
    thread.start()
    thread.join()


@contextmanager
def _connecting_fails(make: Callable[[], psycopg.Error]) -> Iterator[None]:
    with (
        patch.object(psycopg, "connect", side_effect=make()),
        patch.object(psycopg.Connection, "connect", side_effect=make()),
    ):
        yield
