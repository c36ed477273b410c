"""The processes of an installation under test: started, killed, put to sleep, and their logs kept."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from local.sample.faults import Faults
from local.sample.programme import Programme, SampleRecord
from local.sample.traffic import send
from operations.topics import create_topics
from process.settings import Settings
from proof.verify.oracle import Oracle
from proof.verify.report import Report
from tests.component import DEADLINE_S, ROOT, Component, environment

__all__ = ["READY", "ROOT", "Crew", "Traffic", "differences", "events", "wait_until"]

READY: Final = "partitions_ready"
"""What a stream worker logs when it has its partitions."""

CATCH_UP_S: Final = 120.0
"""After the last fault all lag must be gone within this (reliability.md, I7)."""


class Crew:
    """Components of one installation, by name."""

    def __init__(self, settings: Settings, log_dir: Path) -> None:
        self.settings = settings
        self._log_dir = log_dir
        self._components: dict[str, Component] = {}
        create_topics(settings)

    def start(self, name: str, component: str = "stream", *, fault: str = "") -> None:
        """Start a component; `fault` names a point at which it kills itself."""
        log = self._log_dir / f"{name}.log"
        self._components[name] = Component(component, self.settings, log, fault=fault)

    def environment(self) -> dict[str, str]:
        """Return the environment by which a component finds this installation."""
        return environment(self.settings)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a component a signal."""
        self._components[name].signal(number)

    def kill(self, name: str) -> None:
        """Kill a component as a crash would."""
        self._components[name].kill()

    def end(self, name: str) -> None:
        """Stop a component by SIGTERM, wherever it is in its start or work."""
        component = self._components[name]
        component.signal(signal.SIGTERM)
        code = component.wait()
        has_just_begun = code == -signal.SIGTERM and not component.has_logged  # Python itself was not ready
        assert has_just_begun or code in {0, 128 + signal.SIGTERM}, (
            f"{name} ended with {code}: {self.log(name)[-2000:]}"
        )

    def is_running(self, name: str) -> bool:
        """Tell whether a component's process lives."""
        return self._components[name].is_running

    def pid(self, name: str) -> int:
        """Return a component's process id."""
        return self._components[name].pid

    def wait_end(self, name: str) -> int:
        """Wait until a component has ended by itself, and return its exit code."""
        return self._components[name].wait()

    def wait_killed(self, name: str) -> None:
        """Wait until a component has killed itself at its fault point."""
        assert self._components[name].wait() == -signal.SIGKILL, self.log(name)

    def wait_log(self, name: str, text: str, *, times: int = 1) -> None:
        """Wait until a component has logged something so many times."""
        wait_until(lambda: self.log(name).count(text) >= times, f"{name} did not log {text!r} {times} times")

    def log(self, name: str) -> str:
        """Return what a component has logged."""
        return self._components[name].log

    def stop(self) -> None:
        """Stop everything by SIGTERM and see that each process ends well."""
        running = {name: component for name, component in self._components.items() if component.is_running}
        try:
            for component in running.values():
                component.signal(signal.SIGTERM)
            for name, component in running.items():
                code = component.wait()
                assert code == 0, f"{name} ended with {code}: {component.log[-2000:]}"
        finally:
            for component in running.values():
                component.kill()

    def check(self) -> Report:
        """Wait for the end of all lag and let the oracle compare everything."""
        return Oracle(self.settings).check(wait_s=CATCH_UP_S, with_database=True)

    def assert_exact(self) -> None:
        """Wait for the end of all lag and let the oracle find nothing wrong; else say what, and how everybody is."""
        report = self.check()
        tails = "\n".join(component.tail() for component in self._components.values())
        assert report.is_clean, f"{differences(report)}\n{tails}"


class Traffic(threading.Thread):
    """Sends records at a pace while the test does its worst; what went wrong is raised where the test waits for it."""

    def __init__(self, records: Iterable[SampleRecord], settings: Settings, *, events_per_s: float | None) -> None:
        super().__init__(name="traffic", daemon=True)
        self._records = records
        self._settings = settings
        self._events_per_s = events_per_s
        self._error: Exception | None = None
        self._ended = threading.Event()

    def run(self) -> None:
        """Send; called by the thread."""
        try:
            send(self._records, self._settings, events_per_s=self._events_per_s, is_stopped=self._ended.is_set)
        except Exception as error:  # noqa: BLE001 - raised again where the test waits
            self._error = error

    def finish(self) -> None:
        """Wait until everything is sent and acknowledged."""
        self.join()
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Send no more, and see that it went on until now and that all that was sent is acknowledged."""
        assert self.is_alive() or self._error is not None, "the records ended before the test did"
        self._ended.set()
        self.finish()


def events(count: int | None, settings: Settings, *, seed: int, mentors: int = 2_000) -> Iterator[SampleRecord]:
    """Return a programme's first records, endlessly many with None, 1 % of them spoilt and more of them awkward."""
    faults = Faults(seed=seed, partitions=settings.partitions)
    return faults.among(islice(Programme(seed=seed, mentors=mentors).events(), count))


def wait_until(holds: Callable[[], bool], failure: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"{failure} within {DEADLINE_S:.0f} s"
        time.sleep(0.05)


def differences(report: Report) -> str:
    """Return what a report found wrong, for an assertion's message."""
    return "\n".join(str(difference) for difference in report.differences[:20]) or f"unprocessed {report.unprocessed}"
