"""How the program logs: one event a line on standard error, JSON for machines, readable on a terminal.

Standard output belongs to what a command was asked for. Libraries that log by `logging` (Faust, aiokafka, yoyo) come
out in the same form.
"""

from __future__ import annotations

import io
import logging
import sys
import time
from typing import TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, ExcInfo, Processor

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


TRIED_AGAIN = "Failed fetch offsets from %s: %s"
"""What aiokafka calls an error and then tries again: as a rule a topic that was just made has no leader yet."""


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
        if record.msg == TRIED_AGAIN and isinstance(record.args, tuple) and getattr(record.args[1], "retriable", False):
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        template = f"{record.name} {record.msg!s:.80}"
        now_s = time.monotonic()
        if now_s - self._said_s.get(template, -REPEATED_AFTER_S) < REPEATED_AFTER_S:
            return False
        self._said_s[template] = now_s
        return True


def _without_ids_of_errors(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Take ids out of the texts of errors, in a line of JSON: they may be members'."""
    for error in line.get("exception", ()):
        error["exc_value"] = without_ids(error["exc_value"])
    return line


def _plain_traceback(into: TextIO, error: ExcInfo) -> None:
    """Write an error as Python does, without ids: rich's way shows local variables as well."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, error)
    into.write(without_ids(text.getvalue()))


def writes_json(settings: Settings) -> bool:
    """Tell whether lines are JSON."""
    return settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())


def configure(settings: Settings) -> None:
    """Set up structlog and `logging` alike, once for each process, by the composition root that runs it."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    scrub = Scrubber(settings)
    rendering: list[Processor]
    if writes_json(settings):
        # Without the values of local variables: they hold records, and records name members.
        traces = ExceptionDictTransformer(show_locals=False)
        rendering = [
            structlog.processors.ExceptionRenderer(traces),
            _without_ids_of_errors,
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
        handler.addFilter(LibraryNoise())
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
