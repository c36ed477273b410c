"""The program `referrals`: finds a command by its module's name, turns expected errors into one line and an exit code.

Exit codes: 0 done; 1 what was checked is wrong, or the work failed; 2 bad usage or bad settings; 130 and 143 stopped by
Ctrl-C and SIGTERM before the work was done (a command that runs until it is stopped ends with 0).
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import signal
import sys
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, NoReturn, cast

import rich_click as click
from click.exceptions import NoArgsIsHelpError

from commands.saying import say
from process.afresh import unblock
from process.faults import said
from process.version import VERSION

_DATABASE_URL = "REFERRALS_DATABASE_URL"

EXIT_FAILED = 1
EXIT_USAGE = 2
_EXIT_SIGNALLED = 128  # plus the signal's number, as shells count

# Listed by `--help` in this order. The text stands here, not with the command, so that help imports none of them.
COMMANDS = {
    "demo": "Show the whole program at work: real Kafka, real Postgres, sample traffic.",
    "test": "Run every check and test.",
    "up": "Run the whole program, without traffic; data is kept.",
    "parts": "Run Kafka and Postgres alone.",
    "topics": "Create Kafka's topics.",
    "acls": "Give each component the least that it needs on a secured Kafka.",
    "db": "Migrate the database, give each component a login of its own, and let analysts in.",
    "stream": "Run the stream app: counts and milestones.",
    "badges": "Run the badge consumer: milestones to awards.",
    "counts": "Run the projection of codes and counts into Postgres.",
    "mail": "Send the mail that people have asked for.",
    "state": "Show the stream app's state, and decide about it where it contradicts the cluster.",
    "orgs": "Make organisations, and keep their secrets.",
    "mentors": "Bring mentors in from CSV, with a code for each.",
    "codes": "Issue referral codes.",
    "token": "Print a bearer token for the HTTP side.",
    "sign-in-link": "Print a link that signs somebody in on the pages, once.",
    "sessions": "Look at who is signed in on the pages, and sign them out.",
    "web": "Run the HTTP side: share links, webhooks, API and dashboard.",
    "reconcile": "Ask membership systems for confirmations that never came.",
    "publish": "Publish clicks, registrations and codes from JSON lines.",
    "producers": "Check what producers have sent to the source topics.",
    "dead-letters": "Look at what could not be used, and send it again.",
    "explain": "Explain a mentor's badges, back to the registrations and clicks.",
    "erase-member": "Erase a member: his id goes, the counts stay.",
    "thresholds": "Look at what other thresholds would award, before they are set.",
    "export": "Write what was counted as CSV, JSON lines or Parquet.",
    "verify": "Recompute everything from the source topics and compare.",
    "schemas": "Write OpenAPI, AsyncAPI and JSON Schemas from the types.",
    "bench": "Measure throughput, latency, memory, recovery and the HTTP side.",
}

# Errors that a user can do something about, and the exit code of each. They are known by the full name of their class,
# so that nothing is imported to know them.
EXPECTED_ERRORS = {
    "process.settings.SettingsError": EXIT_USAGE,
    "local.parts.errors.PartsError": EXIT_FAILED,
    "edges.registry.errors.RegistryError": EXIT_FAILED,
    "edges.reconciliation.errors.BadSource": EXIT_USAGE,
    "edges.reconciliation.errors.ReconciliationError": EXIT_FAILED,
    "edges.web.listening.CannotListen": EXIT_FAILED,
    "psycopg.OperationalError": EXIT_FAILED,
    "cimpl.KafkaException": EXIT_FAILED,
    "process.reaching.KafkaAway": EXIT_FAILED,
    "streams.engine.errors.EngineError": EXIT_FAILED,
    "operations.topics.TopicMismatch": EXIT_FAILED,
    "operations.acls.CannotGrant": EXIT_FAILED,
    "sinks.analysts.CannotGrant": EXIT_FAILED,
    "operations.reading.CannotRead": EXIT_FAILED,
    "operations.tables.CannotLook": EXIT_FAILED,
    "process.topics.NotAllowed": EXIT_FAILED,
}


_FOLDER: Final = Path(__file__).parent
_NO_SUCH_COMMAND = re.compile(r"No such command '([^']*)'")


class _Stopped(KeyboardInterrupt):
    """A signal came.

    Not KeyboardInterrupt itself: once that has gone through the `exec` of a text, as many an import does one, Python
    ends by SIGINT, whoever has caught it and whatever the exit code should be.
    """


class LazyGroup(click.RichGroup):
    """A group that lists its commands without importing them; the one that is run is imported then.

    `get_command` gives a stand-in with the one-line help, `resolve_command` the command itself.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of the table, of those that are installed here."""
        return [name for name in COMMANDS if is_here(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Return a stand-in that knows the name and the one-line help."""
        if cmd_name not in COMMANDS:
            return None
        return click.Command(cmd_name, help=COMMANDS[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command that was asked for."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if name is None or stand_in is None:
            return name, stand_in, rest
        if not is_here(name):
            message = (
                f"`referrals {name}` is not in this image: it starts Kafka and Postgres itself, or belongs to the "
                "checkout; run ./referrals there"
            )
            raise click.UsageError(message, ctx)
        module = importlib.import_module(f"commands.{name.replace('-', '_')}")
        return name, cast("click.Command", module.command), rest


def is_here(name: str) -> bool:
    """Tell whether a command is installed: the container image has those alone that work in it (`.dockerignore`)."""
    return (_FOLDER / f"{name.replace('-', '_')}.py").is_file()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(VERSION, prog_name="referrals", message="%(prog)s %(version)s")
def cli() -> None:
    """Count referral clicks and registrations exactly once, and award badges at milestones.

    Every setting is an environment variable: REFERRALS_BOOTSTRAP_SERVERS, REFERRALS_DATABASE_URL,
    REFERRALS_TOPIC_PREFIX, REFERRALS_THRESHOLDS, and the others that schemas/settings.md lists.
    """
    if any(name.startswith("REFERRALS_") for name in os.environ):
        from process.settings import misspelt  # noqa: PLC0415  most have set none, and `--help` is quick without it

        for line in misspelt(os.environ):
            say(line)


def main() -> NoReturn:
    """Run the command line and exit."""
    stopped_by: list[int] = []
    sys.excepthook = _show

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature of signal handlers
        """Stop as Ctrl-C does, so that every command has one way to end."""
        stopped_by.append(number)
        raise _Stopped

    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup
        signal.signal(signal.SIGHUP, stop)  # the terminal was closed
    signal.signal(signal.SIGINT, stop)  # also where a shell started us in the background with SIGINT ignored
    try:
        unblock()
        _expect_shells()
        status = cli.main(prog_name="referrals", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        _leave(_EXIT_SIGNALLED + (stopped_by[-1] if stopped_by else signal.SIGINT))
    except NoArgsIsHelpError as error:
        error.show()
        _leave(error.exit_code)
    except click.UsageError as error:
        _leave(error.exit_code, _usage_text(error))
    except click.ClickException as error:
        _leave(error.exit_code, error.format_message())
    except BrokenPipeError:  # the reader of our output, `head` perhaps, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _leave(_EXIT_SIGNALLED + signal.SIGPIPE)
    except Exception as error:
        status = expected_status(error)
        if status is None:
            raise
        _leave(status, _text(error))
    _leave(status if isinstance(status, int) else 0)


def _show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Write an error that nobody foresaw as Python does, without ids and rows; who logs, logs it (`logs.configure`)."""
    if not isinstance(error, Exception):
        sys.__excepthook__(kind, error, traceback)
        return
    from process.logs import traceback_of  # noqa: PLC0415  as said: few starts come here

    sys.stderr.write(traceback_of(error))


def _expect_shells() -> None:
    """Be ready for a shell that asks how a line goes on, which few starts are for."""
    if "_REFERRALS_COMPLETE" in os.environ:
        from commands.completion import complete_what_was_typed  # noqa: PLC0415  as said

        complete_what_was_typed()


def expected_status(error: BaseException) -> int | None:
    """Return the exit code of an error that a user can do something about; None for one that needs its traceback."""
    names = (f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__)
    return next((EXPECTED_ERRORS[name] for name in names if name in EXPECTED_ERRORS), None)


def _text(error: Exception) -> str:
    """Return what an error says; a KafkaException wraps an object that says it better than its own text."""
    kafka_says = getattr(error.args[0] if error.args else None, "str", None)
    text = str(kafka_says()) if callable(kafka_says) else said(error)
    if not any(cls.__module__.startswith("psycopg") for cls in type(error).__mro__):
        return text
    from process.reaching_postgres import remedy  # noqa: PLC0415  few starts come here

    beside = remedy(text, is_given=_DATABASE_URL in os.environ)
    return f"{text}; {beside}" if beside else text


def _usage_text(error: click.UsageError) -> str:
    """Return what is wrong with a command line, the nearest command where it names none, and where help is."""
    ctx, text = error.ctx, " ".join(error.format_message().split())  # click lists choices below each other
    wrong = _NO_SUCH_COMMAND.match(text)
    if wrong is not None and ctx is not None and isinstance(ctx.command, click.Group):
        near = difflib.get_close_matches(wrong[1], ctx.command.list_commands(ctx), n=1)
        text += f" Did you mean {near[0]!r}?" if near else ""
    return f"{text}\n`{'referrals' if ctx is None else ctx.command_path} --help` says how it is used"


def _leave(status: int, message: str = "") -> NoReturn:
    say(message)
    sys.exit(status)
