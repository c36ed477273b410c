"""`referrals test`: every check and every test; the same for a developer and for continuous integration."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

import rich_click as click

from commands import surroundings

ROOT = Path(__file__).resolve().parent.parent


# Much of what tests do is waiting, for a session to time out or a server to come back, so there is one group more than
# cores. Each starts its own Kafka and Postgres, hence the bound. A group takes a file at a time, in their order: the
# chaos tests are long and come first.
GROUPS = min((os.cpu_count() or 1) + 1, 6)
SIDE_BY_SIDE = (
    f"--numprocesses={GROUPS}",
    "--dist=loadfile",
    "--no-loadscope-reorder",
    "--max-worker-restart=0",  # xdist waits for ever for what the next process should run of the file of one that died
)


class Check(NamedTuple):
    """A check of the source, without running it."""

    name: str
    command: Sequence[str]


def checks() -> list[Check]:
    """Return the checks, each as a command that says itself what it finds.

    Collection is one because it compiles all tests, on the core that `types` leaves idle, and not once in each group.
    """
    tools = Path(sys.executable).parent
    return [
        Check("lint", [f"{tools}/ruff", "check", "--quiet", "."]),
        Check("format", [f"{tools}/ruff", "format", "--check", "--quiet", "."]),
        Check("types", [f"{tools}/mypy", "--no-error-summary"]),
        Check("layers", [f"{tools}/lint-imports", "--no-logo"]),
        Check("locks", [sys.executable, "requirements/check.py"]),
        Check("collection", [sys.executable, "-P", "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist"]),
    ]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--unit", is_flag=True, help="Only the tests without Kafka and Postgres; seconds.")
@click.option("--surroundings", "place", type=click.Choice([each.name for each in surroundings.ALL]),
              help="As if on another machine; by default each in turn, by the day of the year.")  # fmt: skip
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def command(pytest_arguments: tuple[str, ...], *, unit: bool, place: str | None) -> None:
    """Run every check (lint, format, types, layers, locks, collection), then every test, files of tests side by side.

    What stands after -- goes to pytest, which then runs alone, one test after the other: referrals test -- -k badges
    """
    if importlib.util.find_spec("pytest") is None:
        message = "the tests' libraries are not installed: use ./referrals test, which installs them"
        raise click.ClickException(message)
    # Tests start the program hundreds of times: compiled once, each start costs a tenth of a second of CPU less.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if not pytest_arguments:
        run_checks(checks())
    there = surroundings.named(place) if place else surroundings.of_day(datetime.now(UTC).date())
    click.echo(f"surroundings: {there.what} (--surroundings={there.name})")
    surroundings.move_to(there)
    run_pytest(_arguments(pytest_arguments, unit=unit))


def _arguments(given: Sequence[str], *, unit: bool) -> Sequence[str]:
    if unit:
        return ["tests/unit", *given]
    return given or SIDE_BY_SIDE


def run_checks(wanted: Sequence[Check]) -> None:
    """Run the checks at the same time, and print what they find in their order. Exits with 1 where one failed."""
    started = time.monotonic()
    click.echo(f"checks: {', '.join(check.name for check in wanted)}")
    running = [
        subprocess.Popen(check.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for check in wanted
    ]
    failed = []
    for check, process in zip(wanted, running, strict=True):
        output, _ = process.communicate()
        click.echo(f"  {check.name}: {'failed' if process.returncode else 'right'}")
        if process.returncode:
            failed.append(check.name)
            click.echo(output)
    if failed:
        message = f"these checks failed: {', '.join(failed)}; no test was run"
        raise click.ClickException(message)
    click.echo(f"checks passed after {time.monotonic() - started:.0f} s; now the tests")


def run_pytest(arguments: Sequence[str]) -> NoReturn:
    """Become pytest: its closing line is the last, its exit code is ours, and signals reach it without a detour."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *arguments])  # noqa: S606  no shell is wanted
