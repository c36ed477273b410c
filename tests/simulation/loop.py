"""A seeded scheduler of processes that share one thread: an asyncio loop for each, and threads as greenlets.

A process is what dies and sleeps as a whole. It has a queue of ready callbacks, run in their order as asyncio runs
them, and jobs: what the program hands to a thread. A job runs until the next thing that it asks of Kafka or of the
database (`pause`), and goes on when it is its turn. Whose turn it is, is drawn: among the processes and their jobs that
could go on. Time is virtual: it moves a little with each turn, and to the next timer when nobody can go on.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any, Final, cast

from greenlet import getcurrent, greenlet

TURN_S: Final = 0.001
"""What a turn takes."""

GOES_ON: Final = 0.6
"""How often a process has a second round of its event loop before others have their turn."""

ASK_EVERY: Final = 20
TURNS_MAX: Final = 60_000


class Stuck(AssertionError):
    """Nothing comes to an end any more."""


class Died(BaseException):
    """The process that runs ends at once: raised where it finds out, and caught by nobody but the scheduler."""


class Handle:
    """A callback that was asked for."""

    __slots__ = ("arguments", "at", "callback", "is_cancelled", "process")

    def __init__(
        self, process: Process, callback: Callable[..., object], arguments: tuple[Any, ...], at: float
    ) -> None:
        self.process = process
        self.callback = callback
        self.arguments = arguments
        self.at = at
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not call it."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Tell whether it will not be called."""
        return self.is_cancelled

    def when(self) -> float:
        """Return when it is to be called."""
        return self.at


class Process:
    """What dies and sleeps as a whole."""

    __slots__ = ("asleep_until", "is_dead", "jobs", "name", "ready")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: deque[Handle] = deque()
        self.jobs: list[Job] = []
        self.asleep_until = 0.0
        self.is_dead = False


class Job(greenlet):
    """What a process has handed to a thread; the greenlet is used again for others, also of other schedules."""

    process: Process
    work: Callable[[], None]


_IDLE: Final[list[Job]] = []


def _work() -> None:
    job = getcurrent()
    while True:
        job.work()
        job.work = _nothing
        _IDLE.append(job)
        job.parent.switch()


class SimulatedLoop:
    """The scheduler, and the event loop of whichever process it lets run."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.turns = 0
        self.processes: list[Process] = []
        self.current = Process("nobody")
        self.trace: list[str] | None = None
        self.on_turn: Callable[[Process, str], None] = lambda _process, _label: None
        self._timers: list[tuple[float, int, Handle]] = []
        self._timer_number = 0
        self._scheduler = getcurrent()
        self._draw = self.random.random
        self.unasked: list[BaseException] = []
        """Exceptions of tasks that nobody waited for."""
        self.background: list[Any] = []
        """What goes on in nobody's process: while there is something, it has its turns too."""
        self.on_background: Callable[[], None] = _nothing
        self.alarm: float = math.inf
        """The turn at which `on_alarm` is called, at each turn from then on until it is set anew."""
        self.on_alarm: Callable[[], None] = _nothing

    # -- processes and jobs ------------------------------------------------------------------------------------

    def start(self, name: str, begin: Callable[[], object]) -> Process:
        """Let a process begin."""
        process = Process(name)
        self.processes.append(process)
        process.ready.append(Handle(process, begin, (), self.now))
        return process

    def kill(self, process: Process) -> None:
        """End a process between two of its steps, as SIGKILL does."""
        if process.is_dead:
            return
        process.is_dead = True
        process.ready.clear()
        process.jobs.clear()
        self.processes.remove(process)

    def sleep_process(self, process: Process, seconds: float) -> None:
        """Let a process stand still, as SIGSTOP does, and go on after a while."""
        process.asleep_until = self.now + seconds
        self.call_at(process.asleep_until, _nothing)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Run what blocks as a job."""
        del executor
        future: asyncio.Future[Any] = self.create_future()
        process = self.current

        def run() -> None:
            result, error = None, None
            try:
                result = func(*args)
            except Died:
                return
            except Exception as failure:  # noqa: BLE001 - whatever it is, it is the future's
                error = failure
            if process.is_dead or future.cancelled():
                return
            if error is not None:
                cast("Any", error).process = process  # which may die before it asks, and then nobody does
                future.set_exception(error)
            else:
                future.set_result(result)

        job = _IDLE.pop() if _IDLE else Job(_work, self._scheduler)
        job.process, job.work = process, run
        process.jobs.append(job)
        return future

    def in_job(self) -> bool:
        """Tell whether a job runs, and not a callback."""
        return getcurrent() is not self._scheduler

    def pause(self, process: Process, label: str) -> None:
        """Let others have their turn; called by a job of a process before each thing it asks of the world outside."""
        if process.is_dead:  # what it has left is being cleared away
            raise Died
        self.pass_by(process, label)
        job = getcurrent()
        if isinstance(job, Job):
            process.jobs.append(job)
            self._scheduler.switch()

    def pass_by(self, process: Process, label: str) -> None:
        """Let a process be met at a place between two such; called by a job or on the loop."""
        if self.trace is not None:
            self.trace.append(f"{self.now:8.3f} {process.name} {label}")
        self.on_turn(process, label)
        if process.is_dead:
            raise Died

    def block(self, seconds: float) -> None:
        """Let the job that runs wait."""
        process = self.current
        job = getcurrent()
        if process.is_dead or not isinstance(job, Job):
            raise Died
        self.call_later(seconds, lambda: process.jobs.append(job))
        self._scheduler.switch()

    # -- turns -------------------------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool]) -> None:
        """Let processes do one step after the other; `until` is asked when time was spent waiting, and now and then.

        Raises:
            Stuck: it does not come to an end.

        """
        ask_at = self.turns
        while True:
            self._turn()
            turns = self.turns
            if turns >= self.alarm:
                self.on_alarm()
            if turns >= ask_at:
                ask_at = turns + ASK_EVERY
                if until():
                    return
                if turns > TURNS_MAX:
                    raise Stuck(f"not at an end after {turns} turns, {self.now:.0f} s")

    def _turn(self) -> None:  # noqa: C901 - in one piece, because everything else waits for it
        timers, draw, background = self._timers, self._draw, self.background
        now = self.now + TURN_S
        while True:
            while timers and timers[0][0] <= now:
                handle = heappop(timers)[2]
                if not handle.is_cancelled and not handle.process.is_dead:
                    handle.process.ready.append(handle)
            able: list[Any] = []
            for process in self.processes:
                if process.ready and process.asleep_until <= now:
                    able.append(process)
                if process.jobs and process.asleep_until <= now:
                    able += process.jobs
            if background and draw() * (1 + len(able)) < 1:
                choice = None
                break
            if able:
                choice = able[int(draw() * len(able))] if len(able) > 1 else able[0]
                break
            if not timers:
                raise Stuck("nobody can go on, and nothing is waited for")
            now = timers[0][0]
        self.now = now
        self.turns += 1
        if choice is None:
            self.on_background()
        elif type(choice) is Job:
            self.current = process = choice.process
            process.jobs.remove(choice)
            choice.switch()
        else:
            self.current = choice
            self._run_ready(choice, rounds=1 + (draw() < GOES_ON))

    def _run_ready(self, process: Process, *, rounds: int) -> None:
        """Run what is ready now in one go, as an event loop does, and maybe what that has made ready."""
        ready = process.ready
        for _ in range(rounds):
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle.is_cancelled:
                    handle.callback(*handle.arguments)
                    if process.is_dead or process.asleep_until > self.now:
                        return

    # -- what asyncio asks of a loop ---------------------------------------------------------------------------

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
        """Call it at the process's next turn."""
        del context
        handle = Handle(self.current, callback, args, self.now)
        if not self.current.is_dead:
            self.current.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
        """Call it at a time."""
        del context
        handle = Handle(self.current, callback, args, when)
        self._timer_number += 1
        heappush(self._timers, (when, self._timer_number, handle))
        return handle

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
        """Call it after a while."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future."""
        return asyncio.Future(loop=self)  # type: ignore[arg-type]  # what futures need of a loop it has

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Any = None) -> Any:
        """Return a task; it belongs to the process that runs."""
        del context
        return asyncio.Task(coro, loop=self, name=name or "task")  # type: ignore[arg-type]  # the same

    get_debug = bool
    """Tells that nothing is checked beside the work: `bool()` is False, and asyncio asks with each future."""

    def is_running(self) -> bool:
        """Tell that it runs."""
        return True

    def is_closed(self) -> bool:
        """Tell that it is not closed."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Take no notice of what a dead process has left; an exception that nobody asked for is a fault of ours."""
        error = context.get("exception")
        if error is None or isinstance(error, Died):
            return
        if not getattr(error, "process", self.current).is_dead:
            self.unasked.append(error)


def _nothing() -> None:
    """Only the time is wanted."""
