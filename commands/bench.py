"""`referrals bench`: measures, apart from the tests, what DESIGN.md says of speed and size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from local.parts import Parts


populations_option = click.option(
    "--population",
    "populations",
    multiple=True,
    type=click.Choice(["uniform", "zipf"]),
    default=["uniform", "zipf"],
    show_default=True,
    help="100,000 mentors drawn uniformly; 1,000 by Zipf's law.",
)


@click.group()
def command() -> None:
    """Measure throughput, latency, memory, recovery, long runs and the HTTP side, and compare with other engines.

    Kafka and Postgres are started for it, on the same machine. How each figure is measured stands in
    proof/bench/README.md. Trust ratios within one run more than figures of two.
    """


@command.command()
@click.option("--events", default=1_000_000, show_default=True, help="Events for the engine.")
@click.option("--plain-events", default=60_000, show_default=True, help="Events for plain Faust, which is slow.")
@click.option("--rounds", default=2, show_default=True, help="Rounds of each, in turn.")
@populations_option
@click.option(
    "--only",
    type=click.Choice(["engine", "plain"]),
    help="Measure one of the two alone, without ratios.",
)
def throughput(events: int, plain_events: int, rounds: int, populations: tuple[str, ...], only: str | None) -> None:
    """Compare the engine's events/s with a plain Faust app that does the same job, one worker each, 12 partitions.

    Exit code 1 where a ratio is below what it must be. Every result is checked; a wrong one ends the run.
    """
    from proof.bench.load import POPULATIONS  # noqa: PLC0415 - `--help` needs none of it
    from proof.bench.report import show_throughput  # noqa: PLC0415 - the same
    from proof.bench.throughput import compare, engine_contender, plain_contender  # noqa: PLC0415 - the same

    contenders = {"engine": engine_contender(events), "plain": plain_contender(plain_events)}
    chosen = [contender for name, contender in contenders.items() if only in {None, name}]
    with _parts() as parts:
        comparisons = [
            compare(parts, POPULATIONS[name], chosen, rounds=rounds, announce=_announce) for name in populations
        ]
    if not show_throughput(comparisons):
        raise SystemExit(1)


@command.command()
@click.option("--rate", default=500.0, show_default=True, help="Events per second.")
@click.option("--seconds", default=60.0, show_default=True, help="Length of the measured load.")
@click.option("--awards/--no-awards", default=True, show_default=True, help="Measure the award rows too.")
def latency(rate: float, seconds: float, *, awards: bool) -> None:
    """Measure from a confirmed registration to its milestone readable, and to its award row committed.

    Exit code 1 where a percentile is above what it must be.
    """
    from proof.bench.latency import measure_latency  # noqa: PLC0415 - `--help` needs none of it
    from proof.bench.report import show_latency  # noqa: PLC0415 - the same

    with _parts(durable=True) as parts:  # Postgres waits for its disk, as in production
        found = measure_latency(parts, events_per_s=rate, seconds=seconds, awards=awards, announce=_announce)
    if not show_latency(found):
        raise SystemExit(1)


@command.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Rows of each kind.")
def memory(rows: int) -> None:
    """Measure the bytes that a mentor's and a member's row take.

    Exit code 1 where a row takes more than it may.
    """
    from proof.bench.memory import measure_memory  # noqa: PLC0415 - `--help` needs none of it
    from proof.bench.report import show_memory  # noqa: PLC0415 - the same
    from proof.bench.rows import KINDS  # noqa: PLC0415 - the same

    if not show_memory([measure_memory(kind, rows) for kind in KINDS]):
        raise SystemExit(1)


@command.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Rows of each kind.")
def recovery(rows: int) -> None:
    """Measure how fast changelogs are loaded.

    Exit code 1 where that is slower than it must be.
    """
    from proof.bench.recovery import measure_recovery  # noqa: PLC0415 - `--help` needs none of it
    from proof.bench.report import show_recovery  # noqa: PLC0415 - the same
    from proof.bench.rows import KINDS  # noqa: PLC0415 - the same

    with _parts() as parts:
        found = [measure_recovery(parts, kind, rows, announce=_announce) for kind in KINDS]
    if not show_recovery(found):
        raise SystemExit(1)


@command.command()
@click.option("--events", default=1_000_000, show_default=True, help="Events of each.")
@click.option("--rounds", default=2, show_default=True, help="Rounds of each, in turn.")
def scale(events: int, rounds: int) -> None:
    """Compare one worker on 12 partitions and 100,000 mentors with more of each, and with one hot mentor.

    Exit code 1 where a ratio is below what it must be. Every result is checked; a wrong one ends the run.
    """
    from proof.bench.report import show_scale  # noqa: PLC0415 - `--help` needs none of it
    from proof.bench.scale import measure_scale  # noqa: PLC0415 - the same

    with _parts() as parts, _parts(replicated=True) as replicated:
        found = measure_scale(parts, replicated, events=events, rounds=rounds, announce=_announce)
    if not show_scale(found):
        raise SystemExit(1)


@command.command()
@click.option("--rate", default=500.0, show_default=True, help="Events per second.")
def rebalances(rate: float) -> None:
    """Measure what a steady load sees of a second worker that comes, is stopped, comes again and is killed."""
    from proof.bench.rebalances import measure_rebalances  # noqa: PLC0415 - `--help` needs none of it
    from proof.bench.report import show_rebalances  # noqa: PLC0415 - the same

    with _parts() as parts:
        found = measure_rebalances(parts, events_per_s=rate, announce=_announce)
    show_rebalances(found, events_per_s=rate)


@command.command()
@click.option("--minutes", default=35.0, show_default=True, help="Length of the load; the first 5 are not measured.")
@click.option("--rate", default=500.0, show_default=True, help="Events per second.")
def soak(minutes: float, rate: float) -> None:
    """Measure what a worker's memory grows by under a steady load whose state does not grow.

    Exit code 1 where it grows by more than it may. A wrong result ends the run.
    """
    from proof.bench.report import show_soak  # noqa: PLC0415 - `--help` needs none of it
    from proof.bench.soak import measure_soak  # noqa: PLC0415 - the same

    with _parts() as parts:
        found = measure_soak(parts, minutes=minutes, events_per_s=rate, announce=_announce)
    if not show_soak(found):
        raise SystemExit(1)


@command.command()
@click.option(
    "--route",
    "routes",
    multiple=True,
    type=click.Choice(["webhook", "share link", "counts"]),
    default=["webhook", "share link", "counts"],
    show_default=True,
    help="Routes to compare.",
)
@click.option("--rounds", default=5, show_default=True, help="Rounds of each, in turn.")
@click.option("--seconds", default=4.0, show_default=True, help="Length of a round.")
@click.option("--connections", default=64, show_default=True, help="Connections that ask at the same time.")
def web(routes: tuple[str, ...], rounds: int, seconds: float, connections: int) -> None:
    """Compare the HTTP side's requests/s with bare Litestar routes, one process each; and an organisation's figures.

    Exit code 1 where a figure is not what it must be. A wrong answer ends the run.
    """
    from proof.bench.web import measure_web  # noqa: PLC0415 - `--help` needs none of it
    from proof.bench.web_report import show_web  # noqa: PLC0415 - the same

    with _parts() as parts:
        found = measure_web(parts, routes, seconds=seconds, rounds=rounds, connections=connections, announce=_announce)
    if not show_web(found):
        raise SystemExit(1)


PEERS = ("engine", "native", "flink-1s", "flink-100ms", "kafka-streams", "python-loop", "faust")


@command.command()
@click.option("--events", default=1_000_000, show_default=True, help="Events for each but plain Faust.")
@click.option("--slow-events", default=60_000, show_default=True, help="Events for plain Faust, which is slow.")
@click.option("--rounds", default=3, show_default=True, help="Rounds of each, in turn.")
@populations_option
@click.option(
    "--peer",
    "names",
    multiple=True,
    type=click.Choice(PEERS),
    default=PEERS,
    show_default=True,
    help="Who is measured.",
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    type=float,
    default=[20.0, 2_000.0],
    show_default=True,
    help="Events per second at which latency is measured.",
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    type=click.FloatRange(0, 100, min_open=True),
    help="Percent of each one's own uniform throughput, found in the same run, at which latency is measured too.",
)
@click.option("--seconds", default=30.0, show_default=True, help="Length of each measured load of latency.")
@click.option("--kills", default=3, show_default=True, help="How often each is killed at work.")
@click.option("--only", type=click.Choice(["throughput", "latency", "kills"]), help="Measure one of the three alone.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs/peers"),
    show_default=True,
    help="Where the data and the plots are written.",
)
def peers(  # noqa: PLR0913 - each is an option
    *,
    events: int,
    slow_events: int,
    rounds: int,
    populations: tuple[str, ...],
    names: tuple[str, ...],
    rates: tuple[float, ...],
    shares: tuple[float, ...],
    seconds: float,
    kills: int,
    only: str | None,
    output: Path,
) -> None:
    """Compare the engine with Flink, Kafka Streams, a loop written by hand, a native limit and plain Faust.

    Each does the same job and is checked by the same oracle. They are built here, from their registries: a JDK 17 and
    Maven, Cargo and a C compiler are needed for those that they build. Who cannot be built is shown as absent, who
    counts wrong as wrong. Exit code 1 where anybody counted wrong or failed, or nobody could be measured.
    """
    from proof.bench.peers.running import BY_SHARE, Wanted, run  # noqa: PLC0415 - `--help` needs none of it

    if shares and (only not in {None, "throughput"} or BY_SHARE not in populations):
        raise click.UsageError(f"--share is of the {BY_SHARE} throughput, which this run does not measure")
    wanted = Wanted(
        names=names,
        populations=populations if only in {None, "throughput"} else (),
        events=events,
        slow_events=slow_events,
        rounds=rounds,
        kills=kills if only in {None, "kills"} else 0,
        rates=rates if only in {None, "latency"} else (),
        shares=shares,
        seconds=seconds,
    )
    with _parts(as_shipped=True) as parts:
        is_sound = run(parts, wanted, output=output, announce=_announce)
    if not is_sound:
        raise SystemExit(1)


@contextmanager
def _parts(*, durable: bool = False, as_shipped: bool = False, replicated: bool = False) -> Iterator[Parts]:
    from local import parts  # noqa: PLC0415 - `--help` needs no Kafka

    with parts.start(
        "local",
        data_dir=None,
        durable=durable,
        as_shipped=as_shipped,
        replicated=replicated,
        announce=_announce,
    ) as running:
        yield running


def _announce(line: str) -> None:
    click.echo(line, err=True)
