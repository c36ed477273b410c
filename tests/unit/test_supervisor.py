"""The supervisor: restarts what ends by itself, stops everything at its end."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from local.parts.ports import free_ports, is_listening
from local.parts.supervisor import DELAY_MAX_S, Supervisor, restart_delay_s

SLEEP = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(600)"]


def wait_until(holds: Callable[[], bool], timeout_s: float = 20) -> None:
    """Wait for something that other processes do."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(name="said")
def fixture_said() -> list[str]:
    """Give the list of what the supervisor announces."""
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Supervisor:
    """Give a supervisor whose components know the variable MARK."""
    return Supervisor(log_dir=tmp_path / "logs", env={"MARK": "seen"}, announce=said.append)


def test_delays_grow_to_a_bound() -> None:
    """The first restart is at once, then the delay doubles from 0.2 s to 5 s."""
    assert [restart_delay_s(failures) for failures in range(1, 9)] == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert restart_delay_s(100_000) == DELAY_MAX_S


def test_a_killed_component_is_started_again(supervisor: Supervisor, said: list[str]) -> None:
    """A component that is killed comes back as another process, and that is announced."""
    with supervisor:
        supervisor.start("sleeper", SLEEP)
        first = supervisor.pids["sleeper"]
        supervisor.kill("sleeper")
        wait_until(lambda: supervisor.restarts["sleeper"] == 1 and supervisor.pids.get("sleeper", first) != first)
        assert psutil.pid_exists(supervisor.pids["sleeper"])
    assert ["SIGKILL" in line and "sleeper" in line for line in said] == [True]


def test_a_failing_component_is_tried_again_and_again(supervisor: Supervisor, said: list[str]) -> None:
    """A component that fails at its start is tried until it is stopped; exit code and last words are announced."""
    with supervisor:
        code = "import pathlib, sys; tried = pathlib.Path(sys.argv[1]); tried.exists() and sys.exit(3)"
        code = f"{code}; tried.touch(); print('{{}}'); print('the port is taken'); sys.exit(3)"
        supervisor.start("failing", [sys.executable, "-S", "-c", code, str(supervisor.log("tried"))])
        wait_until(lambda: supervisor.restarts["failing"] >= 3)
    assert all("exit code 3" in line for line in said)
    # The second says nothing, and what the first said is not its reason.
    assert ['it said "the port is taken"' in line for line in said[:2]] == [True, False]


def test_a_component_that_does_not_answer_any_more_is_replaced(
    supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one that has not answered yet, nor one whose answer is that it is not well; that one sees to it itself."""
    monkeypatch.setattr("local.parts.supervisor.LOOK_S", 0.05)
    monkeypatch.setattr("local.parts.supervisor.ANSWER_S", 0.5)
    (port,) = free_ports(1)
    code = (
        "import http.server, sys, time\n"
        "class Unwell(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_response(503); self.end_headers()\n"
        "time.sleep(1)\n"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Unwell).serve_forever()\n"
    )
    live_url = f"http://127.0.0.1:{port}/health/live"
    with supervisor:
        supervisor.start("unwell", [sys.executable, "-S", "-c", code, str(port)], live_url=live_url)
        first = supervisor.pids["unwell"]
        wait_until(lambda: is_listening(port))
        time.sleep(1)
        assert (supervisor.pids, said) == ({"unwell": first}, [])
        supervisor.kill("unwell", signal.SIGSTOP)
        wait_until(lambda: supervisor.restarts["unwell"] == 1 and supervisor.pids.get("unwell", first) != first)
    assert said[0] == "unwell has not answered 6 times in a row and is ended"
    assert "SIGKILL" in said[1]


def test_a_component_that_is_done_stays_so(supervisor: Supervisor, said: list[str]) -> None:
    """Exit code 0 means that nothing is left to do."""
    with supervisor:
        supervisor.start("done", [sys.executable, "-S", "-c", ""])
        wait_until(lambda: said == ["done has ended"])
        assert supervisor.restarts == {"done": 0}


def test_output_and_environment(supervisor: Supervisor) -> None:
    """A component sees the environment it was given, and its output is in its log."""
    with supervisor:
        command = [sys.executable, "-S", "-c", "import os; print(os.environ['MARK'], os.environ['OWN'])"]
        supervisor.start("printing", command, env={"OWN": "too"})
        wait_until(lambda: supervisor.log("printing").exists() and "seen too" in supervisor.log("printing").read_text())


def test_all_are_stopped_at_the_end(supervisor: Supervisor) -> None:
    """At the end no process is left, also not one that was stopped by SIGSTOP."""
    with supervisor:
        supervisor.start("one", SLEEP)
        supervisor.start("two", SLEEP)
        pids = supervisor.pids.values()
        supervisor.kill("one", signal.SIGSTOP)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert supervisor.pids == {}


def test_the_last_started_is_stopped_first(supervisor: Supervisor, tmp_path: Path) -> None:
    """Components are stopped in the reverse of the order in which they were started."""
    ended = tmp_path / "ended"
    code = (
        "import signal, sys, pathlib, time\n"
        "def end(*_):\n"
        "    with open(sys.argv[1], 'a') as file: file.write(sys.argv[2])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    with supervisor:
        for name in "ab":
            supervisor.start(name, [sys.executable, "-S", "-c", code, str(ended), name])
        wait_until(lambda: all(supervisor.log(name).exists() and supervisor.log(name).read_text() for name in "ab"))
    assert ended.read_text() == "ba"
