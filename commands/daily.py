"""What the leader of the stream workers does at REFERRALS_RECONCILE_AT and each minute: `referrals reconcile`.

At that time for the organisations without an interval of their own; each minute for those whose interval is over, if
there are any. It is a process of its own.
So the worker's loop stays free, and whatever happens there is none of the stream app's concern. The process has the
worker's end of a pipe as standard input: it stops when that closes, however the worker ends.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final, Literal

import orjson
import structlog

from edges.reconciliation.errors import StoreFailed

COMMAND: Final = (sys.executable, "-P", "-m", "commands", "reconcile", "--json", "--until-stdin-ends", "--due")
STOP_GRACE_S: Final = 5.0

SUMMED: Final = ("members_read", "matched", "back_filled", "withdrawn", "unknown_code", "unclear", "bad_rows")
EXIT_BUSY: Final = 75
FAILED_NAMED: Final = 10
"""Organisations that a line of the log names."""

log = structlog.get_logger("stream")


async def reconcile_due(database_url: str) -> None:
    """Run it for the organisations whose own interval is over; nothing is started where there are none."""
    try:
        due = await asyncio.to_thread(_due, database_url)
    except StoreFailed as fault:
        log.warning("reconciliation_not_planned", reason=str(fault))
        return
    if due:
        await _reconcile("interval")


def _due(database_url: str) -> list[str]:
    from edges.reconciliation.store import RunStore  # noqa: PLC0415  a worker without a database needs no Postgres

    with RunStore(database_url) as store:
        return store.due(by_own_interval=True)


async def reconcile_in_process() -> None:
    """Run it for the organisations without an interval of their own; takes nothing, or Faust would give it the app."""
    await _reconcile("crontab")


async def _reconcile(due: Literal["interval", "crontab"]) -> None:
    """Run it and log what it found; a failure is logged and not raised. Cancelled, it stops the process."""
    try:
        log.info("reconciliation_started")
        process = await asyncio.create_subprocess_exec(
            *COMMAND, due, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        try:
            output = await process.stdout.read() if process.stdout is not None else b""
            status = await process.wait()
        finally:
            await _stop(process)
        found = _found(output)
        if status == EXIT_BUSY:
            log.info("reconciliation_busy", **found)
        elif status and (not found or "failed" in found):
            log.warning("reconciliation_failed", exit_code=status, **found)
        elif status:
            log.warning("reconciliation_left_rows", see="referrals reconcile status", **found)
        else:
            log.info("reconciliation_done", **found)
    except OSError as error:  # no memory for a process, for example
        log.warning("reconciliation_failed", reason=str(error))


async def _stop(process: asyncio.subprocess.Process) -> None:
    """See that the process has ended."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_GRACE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _found(output: bytes) -> dict[str, object]:
    """Return what the command reports, summed up, as far as it came to that."""
    try:
        report = orjson.loads(output)
    except orjson.JSONDecodeError:
        return {}
    runs = report["runs"]
    failed = {run["org_id"]: run["error"] for run in runs if run["error"] is not None}
    incomplete = {run["org_id"]: run["incomplete"] for run in runs if run["incomplete"] is not None}
    return {
        "organisations": len({run["org_id"] for run in runs}),
        **{name: sum(run[name] for run in runs) for name in SUMMED},
        "seconds": report["seconds"],
        **({"incomplete": dict(list(incomplete.items())[:FAILED_NAMED])} if incomplete else {}),
        **({"failed": dict(list(failed.items())[:FAILED_NAMED]), "failures": len(failed)} if failed else {}),
    }
