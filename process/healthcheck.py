"""The image's HEALTHCHECK asks whether the component in this container lives: python -P -m process.healthcheck [--end].

It asks `/health/live` where the components answer, whichever of them runs here: the image is one for all. Exit code 0
where it lives, 1 where it does not or nobody answers. It is run every few seconds, so it imports next to nothing, and
therefore not the settings.

Docker says `unhealthy` of what stands still, and leaves it alone. With `--end` the third failure in a row after the
component has answered once kills it, and the container's restart policy starts it again. For that the container needs
an init of its own (`init: true`): within a container nobody can kill its first process.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

MONITORING_PORTS: Final = (9464, 9465, 9466, 9467)
"""Of stream, badges and counts, unless told otherwise; `process.monitoring.PORTS`."""
WEB_PORT: Final = 8080
"""Of web, unless told otherwise."""
FAILURES_MAX: Final = 3

_TIMEOUT_S: Final = 5.0
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  listens there, and is asked at the loopback address
_INIT: Final = 1


def addresses(environment: dict[str, str]) -> list[tuple[str, int]]:
    """Return where a component may answer, by host and port: the monitoring port first, then the HTTP side's."""

    def host(name: str) -> str:
        given = environment.get(name, "")
        return "127.0.0.1" if given in _EVERYWHERE else given

    port = environment.get("REFERRALS_MONITORING_PORT", "")
    monitoring = (int(port),) if port.isdecimal() and int(port) else MONITORING_PORTS
    web = environment.get("REFERRALS_WEB_PORT", "")
    return [(host("REFERRALS_MONITORING_HOST"), each) for each in monitoring] + [
        (host("REFERRALS_WEB_HOST"), int(web) if web.isdecimal() else WEB_PORT)
    ]


def ask(host: str, port: int) -> tuple[bool, str] | None:
    """Return whether the component there lives, and what it says; None where nobody listens."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/health/live")
        answer = connection.getresponse()
        text = answer.read(4096).decode(errors="replace")
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException) as fault:
        return False, f"{host}:{port} does not answer: {fault!r}"
    finally:
        connection.close()
    return answer.status == http.HTTPStatus.OK, f"{host}:{port} says {answer.status}: {text.strip()}"


def end_after(failures: Path, *, is_live: bool, maximum: int = FAILURES_MAX) -> bool:
    """Count failures in a row, in a file, from the first success on; return whether they are as many as may be."""
    if is_live:
        failures.write_text("0")
        return False
    try:
        count = int(failures.read_text()) + 1
    except (OSError, ValueError):
        return False  # has never answered: it may still wait for Kafka, or load
    failures.write_text(str(count))
    return count >= maximum


def end_component(processes: Path = Path("/proc")) -> None:
    """Kill what this container's init has started; of SIGKILL a process that is stopped dies too."""
    for stat in processes.glob("[0-9]*/stat"):
        with suppress(OSError):
            _, parent = stat.read_text().rpartition(")")[2].split()[:2]  # the name before it may hold anything
            if int(parent) == _INIT:
                os.kill(int(stat.parent.name), signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Ask, say what was answered, and return the exit code."""
    answers = [answer for address in addresses(dict(os.environ)) if (answer := ask(*address)) is not None]
    is_live = bool(answers) and all(live for live, _ in answers)
    said = "\n".join(text for _, text in answers) or "nobody listens at a component's port"
    if "--end" in arguments and end_after(Path("/tmp/health-failures"), is_live=is_live):  # noqa: S108  a tmpfs of ours
        said += f"\n{FAILURES_MAX} times in a row: killed, to be started again"
        end_component()
    sys.stdout.write(f"{said}\n")
    return 0 if is_live else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
