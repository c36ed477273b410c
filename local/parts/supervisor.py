"""Runs the components as processes, and starts again one that ends by itself or does not answer any more.

Leaving and being started again is the stream app's sound answer to being fenced and to a broker that is away (see
`streams/engine`), so somebody must do it: this, for `up`, `demo` and the tests; the container engine in production.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local.parts.process import last_words, launch, stop
from local.parts.running import Running

DELAY_FIRST_S = 0.2
DELAY_MAX_S = 5.0  # a broker that comes back is noticed soon, one that stays away costs a start every 5 s
HEALTHY_AFTER_S = 30.0  # one that lived so long failed for a new reason
STOP_GRACE_S = 20.0
LOOK_S = 5.0
"""A component that says where it answers is asked this often."""
ANSWER_S = 3.0
SILENCES_MAX = 6
"""One that has answered once, and then so often does not, is ended: it hangs where not even its own watchdog runs. They
are counted and not timed, so that a machine that slept is no reason."""


def restart_delay_s(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: none at first, then 0.2 s, doubled up to 5 s."""
    return 0.0 if failures <= 1 else min(DELAY_MAX_S, DELAY_FIRST_S * 2.0 ** min(failures - 2, 30))


class Supervisor:
    """Component processes by name. A context manager: at its end all are stopped, the last one started first."""

    def __init__(
        self,
        *,
        log_dir: Path,
        env: Mapping[str, str],
        announce: Callable[[str], None],
        running: Running | None = None,
    ) -> None:
        """Keep each component's log in `log_dir`; `env` is added to our own environment.

        `announce` is told of each end and restart, from another thread. `running` is where the processes are noted for
        the next start, should we be killed (`Parts.running`).
        """
        self._log_dir = log_dir
        self._env = {**os.environ, **env}
        self._announce = announce
        self._running = running
        self._components: dict[str, _Component] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop all components, the last one started first."""
        for name in reversed(list(self._components)):
            self.stop(name)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the components that run now."""
        return {name: pid for name, component in self._components.items() if (pid := component.pid) is not None}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each component was started again."""
        return {name: component.restarts for name, component in self._components.items()}

    def log(self, name: str) -> Path:
        """Return the file that holds a component's output."""
        return self._log_dir / f"{name}.log"

    def start(
        self,
        name: str,
        command: Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        live_url: str | None = None,
    ) -> None:
        """Start a component.

        Args:
            name: its name.
            command: what is run; None: the command `referrals NAME`.
            env: for this one alone.
            live_url: where it answers while it lives, whatever it says; None: it is not asked.

        """
        if name in self._components:
            message = f"a component called {name!r} runs already"
            raise ValueError(message)
        self._log_dir.mkdir(parents=True, exist_ok=True)
        component = _Component(
            name,
            command or [sys.executable, "-P", "-m", "commands", name],
            env={**self._env, **(env or {})},
            log=self.log(name),
            announce=self._announce,
            running=self._running,
            live_url=live_url,
        )
        self._components[name] = component
        component.start()

    def kill(self, name: str, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a component; one that it ends from is started again."""
        os.kill(self.pids[name], with_signal)

    def stop(self, name: str) -> None:
        """Stop a component for good: SIGTERM, then SIGKILL after a grace."""
        self._components.pop(name).stop()


class _Component:
    """One component: its process now, and the thread that watches it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        announce: Callable[[str], None],
        running: Running | None,
        live_url: str | None,
    ) -> None:
        self.restarts = 0
        self._live_url = live_url
        self._name = name
        self._command = command
        self._env = env
        self._log = log
        self._announce = announce
        self._running = running
        self._process: subprocess.Popen[bytes] | None = None
        self._log_began = 0
        self._is_stopping = threading.Event()
        self._lock = threading.Lock()  # a process is not started while `stop` looks for the one to stop
        self._watcher = threading.Thread(target=self._watch, name=f"watch-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id, None between an end and the restart."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        self._launch()
        self._watcher.start()

    def stop(self) -> None:
        with self._lock:
            self._is_stopping.set()
            if self._process is not None:
                stop(self._process, with_signal=signal.SIGTERM, grace_s=STOP_GRACE_S)
        self._watcher.join()

    def _launch(self) -> None:
        with self._lock:
            if self._is_stopping.is_set():
                return
            self._log_began = self._log.stat().st_size if self._log.exists() else 0
            self._process = launch(self._command, log=self._log, env=self._env)
            if self._running is not None:
                self._running.add(self._process.pid)

    def _watch(self) -> None:
        failures = 0
        while self._process is not None:
            started = time.monotonic()
            status = self._wait(self._process)
            if self._is_stopping.is_set():
                return
            if status == 0:
                self._announce(f"{self._name} has ended")
                return
            failures = 1 if time.monotonic() - started > HEALTHY_AFTER_S else failures + 1
            delay_s = restart_delay_s(failures)
            how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with exit code {status}"
            when = f" in {delay_s:.1f} s" if delay_s else ""
            why = last_words(self._log, self._log_began) if status > 0 else ""
            said = f'; it said "{why}"' if why else ""
            self._announce(f"{self._name} {how}, starting it again{when}{said}; its log is {self._log}")
            if self._is_stopping.wait(delay_s):
                return
            self.restarts += 1
            self._launch()

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the end of the process, and see to it where it does not answer any more; return its status."""
        silences: int | None = None  # None: it has not answered yet, and may take its time
        while True:
            try:
                return process.wait(None if self._live_url is None else LOOK_S)
            except subprocess.TimeoutExpired:
                if _answers(str(self._live_url)):
                    silences = 0
                elif silences is not None:
                    silences += 1
                if silences == SILENCES_MAX and not self._is_stopping.is_set():
                    self._announce(f"{self._name} has not answered {SILENCES_MAX} times in a row and is ended")
                    process.kill()


def _answers(url: str) -> bool:
    """Tell whether somebody answers there, whatever he says."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_S):  # noqa: S310 - an address of ours
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
