"""How the program logs: one event a line on standard error, JSON for machines, readable on a terminal.

Standard output belongs to what a command was asked for. Libraries that log by `logging` (Faust, aiokafka, yoyo) come
out in the same form.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
import time
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import ExcInfo, Processor

from process.faults import said, without_rows, without_texts
from process.lines import json_line
from process.secrets import Scrubber, without_ids
from process.settings import Settings

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


LIBRARIES = ("aiokafka", "faust", "mode", "opentelemetry", "psycopg.pool", "streams.")
"""Loggers that tell each step of a start, and each of ten attempts a second while a broker or a collector is away.

Faust's services log under the module of their class, those of our engine among them.
"""

REPEATED_AFTER_S = 30.0

log = structlog.get_logger("process")


TRIED_AGAIN: Final = (
    "Failed fetch offsets from %s: %s",
    "Failed fetch messages from %s: %s",
    "Error sending %s to node %s [%s] -- marking coordinator dead",
    "Heartbeat send request failed: %s. Will retry.",
)
"""What aiokafka calls an error and then tries again: a topic that was just made has no leader yet, or a broker has
ended a connection, as it does each time that a token has run out: it shows the next one with the next connection."""


REJOINS: Final = "OffsetCommit failed for group %s due to group error (%s), will rejoin"
"""What aiokafka calls an error where others come or go just then: the offsets follow after it has joined again."""


class LibraryNoise(logging.Filter):
    """Lets a library's warnings through once, and again every half minute while they last; its info not at all.

    An error of which Kafka says that it passes, and that the library tries again, is a warning.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be logged."""
        if not record.name.startswith(LIBRARIES):
            return True
        if record.levelno < logging.WARNING:
            return False
        found = record.args if record.msg in TRIED_AGAIN and isinstance(record.args, tuple) else ()
        if record.msg == REJOINS or any(getattr(each, "retriable", False) for each in found):
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        template = f"{record.name} {record.msg!s:.80}"
        now_s = time.monotonic()
        if now_s - self._said_s.get(template, -REPEATED_AFTER_S) < REPEATED_AFTER_S:
            return False
        self._said_s[template] = now_s
        return True


class ErrorsNamed(logging.Filter):
    """Puts into a library's line, in place of an error, what it says without the values of rows.

    asyncio's line of a task that failed has the error as `repr` shows it; that becomes its name.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it through."""
        if isinstance(record.msg, BaseException):
            record.msg = said(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(said(each) if isinstance(each, BaseException) else each for each in record.args)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and isinstance(record.msg, str):
            record.msg, record.args = without_texts(record.getMessage(), error), ()
        return True


_TRACES: Final = ExceptionDictTransformer(show_locals=False)
"""Without the values of local variables: they hold records, and records name members."""


def _trace(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Return an error for a line of JSON, without ids, which may be members', and without the values of rows."""
    found = _TRACES(exc_info)
    _hide(found, exc_info[1])
    return found


def _hide(found: list[dict[str, Any]], error: BaseException) -> None:
    for each in found:
        each["exc_value"] = without_ids(without_rows(each["exc_value"], error))
        each["exc_notes"] = [without_ids(without_rows(note, error)) for note in each["exc_notes"]]
        for inner in each["exceptions"]:
            _hide(inner, error)


def traceback_of(error: BaseException) -> str:
    """Return an error as Python shows it, without ids and without the values of rows."""
    text = io.StringIO()
    _plain_traceback(text, (type(error), error, error.__traceback__))
    return text.getvalue()


def _plain_traceback(into: TextIO, error: ExcInfo) -> None:
    """Write an error as Python does, without ids and the values of rows: rich's way shows local variables as well."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    into.write(without_ids(without_rows(text.getvalue(), error[1])))


def writes_json(settings: Settings) -> bool:
    """Tell whether lines are JSON."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


def configure(settings: Settings) -> None:
    """Set up structlog and `logging` alike, once for each process, by the composition root that runs it."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    scrub = Scrubber(settings)
    rendering: list[Processor]
    if writes_json(settings):
        rendering = [
            structlog.processors.ExceptionRenderer(_trace),
            structlog.processors.JSONRenderer(lambda line, **_: scrub(json_line(line))),
        ]
    else:
        console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_plain_traceback)
        rendering = [console, lambda _logger, _method, line: scrub(str(line))]

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    if level > logging.DEBUG:
        handler.addFilter(LibraryNoise())  # first: it looks at the errors themselves
    handler.addFilter(ErrorsNamed())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _end_by
    threading.excepthook = _note_thread


def _end_by(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Log what ends the process, where Python would write it with everything that it quotes."""
    if isinstance(error, Exception):
        log.critical("ended_by_error", exc_info=error)
    else:
        sys.__excepthook__(kind, error, traceback)


def _note_thread(fault: threading.ExceptHookArgs) -> None:
    """Log what has ended a thread."""
    if fault.exc_value is not None and fault.exc_type is not SystemExit:
        log.error("thread_ended_by_error", thread=getattr(fault.thread, "name", None), exc_info=fault.exc_value)
