"""The demo from start to end: start, traffic, catch up, verify, stop."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from local.demo.figures import Place
from local.demo.scratch import scratch_names
from local.installation import COMPONENTS, STREAM, WEB, Installation, start_installation

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator
    from types import FrameType

    from local import parts
    from local.demo.figures import Figures
    from local.demo.organisations import Showpiece
    from local.demo.views import View
    from local.demo.watching import Watch
    from local.sample.programme import Programme
    from process.settings import Settings
    from proof.verify.report import Report

PAST_DAYS: Final = 90
PAST_CLICKS: Final = 45_000
"""What was before the demo began: 500 a day, so that half a minute of the usual traffic makes today a busy day among
others in the charts, and not the only one. They are sent while the components start, which takes as long."""

CATCH_UP_TIMEOUT_S: Final = 120.0
"""After the last fault all lag is gone within this time; see the invariants of reliability."""
VERIFY_WAIT_S: Final = 30.0
LOOK_TIMEOUT_S: Final = 10.0
STAGE_INTERVAL_S: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoOptions:
    """What the demo shows."""

    seconds: float
    """Of traffic."""
    events_per_s: float
    seed: int
    mentors: int
    organisations: int
    kills_workers: bool
    """Two stream workers, and now and then a SIGKILL for one of them."""
    keeps_running: bool
    """After the verification, until it is stopped."""
    kind: parts.Kind


def run_demo(options: DemoOptions, settings: Settings, view: View) -> Report:
    """Run the demo and return the oracle's report; everything is stopped then.

    Ctrl-C while the traffic runs ends the traffic, and the rest goes on. Raises KeyboardInterrupt at another time, or
    at another one; PartsError where something does not start; CannotRead where the oracle cannot read.
    """
    workers = 2 if options.kills_workers else 1
    is_external = options.kind in {"auto", "external"}
    with (
        scratch_names(settings, is_external=is_external, announce=view.announce) as own,
        start_installation(
            own,
            data_dir=None,
            durable=False,
            components=[*[STREAM.name] * workers, *(name for name in COMPONENTS if name != STREAM.name), WEB],
            kind=options.kind,
            wait_ready=False,
            announce=view.announce,
        ) as installation,
    ):
        programme, showpiece = _prepare(installation, options)
        report = _show(installation, programme, showpiece, options, view)
        _say(report, view)
        if options.keeps_running:
            _keep_running(installation, showpiece, view)
    view.announce("stopped")
    return report


def _prepare(installation: Installation, options: DemoOptions) -> tuple[Programme, Showpiece]:
    """Return the programme, its organisations made, while the components start."""
    from local.demo.organisations import make_organisations  # noqa: PLC0415  imported while the components start
    from local.sample.programme import Programme  # noqa: PLC0415  the same

    programme = Programme(
        seed=options.seed,
        organisations=options.organisations,
        mentors=options.mentors,
        events_per_s=options.events_per_s,
        start=datetime.now(UTC),
        past_days=PAST_DAYS,
        past_clicks=PAST_CLICKS,
    )
    return programme, make_organisations(programme, installation.settings, web_url=installation.web_url)


def _show(
    installation: Installation, programme: Programme, showpiece: Showpiece, options: DemoOptions, view: View
) -> Report:
    """Let the traffic run while the components come up, which takes them a second or two longer, and then verify."""
    from local.demo.chaos import killing  # noqa: PLC0415  imported while the components start
    from local.demo.watching import watching  # noqa: PLC0415  the same

    with view.live(_places(installation, showpiece)), watching(installation, _showing(view)) as watch:
        with ExitStack() as during_traffic, ThreadPoolExecutor(1, thread_name_prefix="ready") as pool:
            ready = pool.submit(installation.wait_until_ready, view.announce)
            if options.kills_workers:
                during_traffic.enter_context(killing(installation, is_ready=ready.done, announce=view.announce))
            _send_traffic(programme, installation.settings, options, view)
            ready.result()
        view.stage("traffic has ended, catching up")
        _catch_up(watch)
        report = _verify(installation.settings, view)
        view.stage("verified" if report.is_clean else "verified: differences")
    return report


def _showing(view: View) -> Callable[[Figures], None]:
    """Return what shows each look, and announces the first milestone and the first award."""
    awaited = {"milestone", "award"}

    def show(figures: Figures) -> None:
        view.show(figures)
        for what, count in (("milestone", figures.milestones), ("award", figures.awards)):
            if count and what in awaited:
                awaited.remove(what)
                view.announce(f"the first {what} is there")

    return show


def _send_traffic(programme: Programme, settings: Settings, options: DemoOptions, view: View) -> None:
    """Send what was before at once, then the programme at its pace until its time is over or Ctrl-C.

    Returns when Kafka has all of it.
    """
    from local.sample.faults import Faults  # noqa: PLC0415  imported while the components start
    from local.sample.traffic import send  # noqa: PLC0415  the same

    faults = Faults(seed=options.seed, partitions=settings.partitions)
    past, present = map(faults.among, programme.past_and_present())
    view.stage(f"the programme's last {programme.past_days} days")
    send(past, settings)
    stop = threading.Event()
    started_s = time.monotonic()

    def is_stopped() -> bool:
        return stop.is_set() or time.monotonic() - started_s >= options.seconds

    with _ctrl_c_sets(stop), ThreadPoolExecutor(1, thread_name_prefix="traffic") as pool:
        try:
            sending: Future[Counter[str]] = pool.submit(
                send, present, settings, events_per_s=options.events_per_s, is_stopped=is_stopped
            )
            while not sending.done() and not is_stopped():
                passed_s = time.monotonic() - started_s
                view.stage(f"sample traffic, {passed_s:.0f} of {options.seconds:.0f} s", passed_s / options.seconds)
                stop.wait(STAGE_INTERVAL_S)
            sending.result()
        finally:
            stop.set()


def _catch_up(watch: Watch) -> None:
    """Wait until no component is behind; where that takes too long the oracle says what is missing."""
    deadline_s = time.monotonic() + CATCH_UP_TIMEOUT_S
    while watch.next_look(LOOK_TIMEOUT_S).lag and time.monotonic() < deadline_s:
        pass


def _verify(settings: Settings, view: View) -> Report:
    from proof.verify.oracle import Oracle  # noqa: PLC0415  imported when it is needed

    def show(done: int, total: int) -> None:
        view.stage("verifying against an independent oracle", done / total if total else None)

    view.stage("verifying against an independent oracle", 0.0)
    return Oracle(settings, on_progress=show).check(wait_s=VERIFY_WAIT_S, with_database=True)


def _say(report: Report, view: View) -> None:
    from proof.verify.report import AWARDS_TABLE, COUNTS, DISPOSITIONS, MILESTONES  # noqa: PLC0415  the same

    compared = report.compared
    went = ", ".join(
        f"{sum(table.dispositions[name] for table in report.sources.values()):,} {name}" for name in DISPOSITIONS
    )
    view.say(f"each of the {report.records:,} source records has one disposition: {went}")
    if report.is_clean:
        view.say(
            f"verified: {report.records:,} events, {compared[COUNTS]:,} mentors, {compared[MILESTONES]:,} milestones, "
            f"{compared[AWARDS_TABLE]:,} awards: everything agrees",
            "bold green",
        )
    else:
        view.say(
            f"NOT verified: {len(report.differences):,} differences, {report.unprocessed:,} records not processed",
            "bold red",
        )


def _keep_running(installation: Installation, showpiece: Showpiece, view: View) -> None:
    """Say how to work with it, and wait until somebody stops it."""
    view.say("it goes on running, Ctrl-C stops it; the dashboard:")
    view.say(f"  {showpiece.dashboard}")
    view.say("in another terminal:")
    for name, value in installation.environment.items():
        view.say(f"  export {name}={value}")
    view.say(f"and for the README's webhook, as {showpiece.name}:")
    mentor = showpiece.mentor
    names = {"WEB": installation.web_url, "ORG": mentor.org_id, "MENTOR": mentor.mentor_id, "CODE": mentor.code}
    for name, value in {**names, "SECRET": showpiece.webhook_secret}.items():
        view.say(f"  export {name}={value}")
    view.say(f"the components' logs are in {installation.parts.data_dir / 'logs'}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        view.announce("stopping")


def _places(installation: Installation, showpiece: Showpiece) -> list[Place]:
    """Return where the servers are, without the password: people look over shoulders."""
    from local.demo.organisations import write_address  # noqa: PLC0415  as above

    database = urlsplit(installation.settings.database_url)
    kafka = f"{installation.parts.kafka.kind} {installation.settings.bootstrap_servers}"
    postgres = f"{installation.parts.postgres.kind} {database.hostname}:{database.port}{database.path}"
    address = write_address(showpiece, installation.parts.data_dir)
    return [
        Place(f"{kafka}   {postgres}"),
        Place(f"logs in {installation.parts.data_dir / 'logs'}"),
        Place(f"dashboard of {showpiece.name}", link=showpiece.dashboard, link_file=address),
    ]


@contextmanager
def _ctrl_c_sets(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C set the event while the body runs; the second one interrupts as ever."""
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature of signal handlers
        signal.signal(signal.SIGINT, before)
        stop.set()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
