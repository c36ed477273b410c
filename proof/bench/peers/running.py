"""One run: build, measure in turn, show, and write data and plots."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import psutil

from local.parts import Parts
from proof.bench.load import POPULATIONS
from proof.bench.peers import latency
from proof.bench.peers.contenders import CONTENDERS, Absent, Announce, Command, Contender
from proof.bench.peers.kills import Survival, survive
from proof.bench.peers.latency import Percentiles
from proof.bench.peers.measuring import Round, measure
from proof.bench.peers.plots import plots
from proof.bench.peers.report import show
from proof.bench.peers.scene import Source
from proof.bench.peers.summary import Run, summarise

DATA: Final = "peers.json"
KILLED_POPULATION: Final = "uniform"
BY_SHARE: Final = "uniform"
"""The population whose throughput is the whole of which a share is asked for."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be measured."""

    names: tuple[str, ...]
    populations: tuple[str, ...]
    events: int
    slow_events: int
    rounds: int
    kills: int
    rates: tuple[float, ...]
    shares: tuple[float, ...]
    """Of each contender's own throughput, percent."""
    seconds: float


def run(parts: Parts, wanted: Wanted, *, output: Path, announce: Announce) -> bool:
    """Measure, print the tables, write `peers.json` and the plots; return whether all is sound (see `Run.is_sound`).

    What was measured before an error or Ctrl-C is shown and written too.
    """
    chosen = [contender for name, contender in CONTENDERS.items() if name in wanted.names]
    commands, absent = _build(chosen, announce)
    found = Run(
        machine=_machine(parts, wanted),
        titles={contender.name: contender.title for contender in chosen},
        absent=absent,
        rounds=[],
        latencies=[],
        survivals=[],
    )
    try:
        for population in wanted.populations:
            for one in _rounds(parts, population, commands, wanted, announce):
                found.rounds.append(one)
        for rate in wanted.rates:
            for latencies in _latencies(parts, rate, commands, wanted, announce):
                found.latencies.append(latencies)
        for share in wanted.shares:
            for latencies in _at_share(parts, share, commands, found, wanted, announce):
                found.latencies.append(latencies)
        if wanted.kills:
            for survival in _survivals(parts, commands, wanted, announce):
                found.survivals.append(survival)
    finally:
        show(found)
        _write(found, output)
        announce(f"data and plots are in {output}")
    return found.is_sound


def _write(found: Run, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / DATA).write_bytes(orjson.dumps(found.as_data(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    for name, drawing in plots(found).items():
        (output / name).write_text(drawing, encoding="utf-8")


def _build(chosen: list[Contender], announce: Announce) -> tuple[dict[str, Command], dict[str, str]]:
    commands, absent = {}, {}
    for contender in chosen:
        try:
            commands[contender.name] = contender.build(announce)
        except Absent as error:
            absent[contender.name] = str(error)
            announce(f"{contender.name} is absent: {error}")
    return commands, absent


def _sources(
    parts: Parts, population: str, commands: dict[str, Command], wanted: Wanted, announce: Announce
) -> dict[str, Source]:
    """Return each contender's source; those who are measured with the same number of events share one."""
    sizes = {name: wanted.slow_events if CONTENDERS[name].is_slow else wanted.events for name in commands}
    sources = {size: Source(parts, POPULATIONS[population], size, announce) for size in dict.fromkeys(sizes.values())}
    return {name: sources[size] for name, size in sizes.items()}


def _rounds(
    parts: Parts, population: str, commands: dict[str, Command], wanted: Wanted, announce: Announce
) -> Iterator[Round]:
    sources = _sources(parts, population, commands, wanted, announce)
    for number in range(1, wanted.rounds + 1):
        for name, command in commands.items():
            one = measure(sources[name], CONTENDERS[name], command, number=number)
            announce(f"{population}, round {number}, {name}: {one.fault or f'{one.events_per_s:,.0f} events/s'}")
            yield one


def _survivals(parts: Parts, commands: dict[str, Command], wanted: Wanted, announce: Announce) -> Iterator[Survival]:
    sources = _sources(parts, KILLED_POPULATION, commands, wanted, announce)
    for name, command in commands.items():
        one = survive(sources[name], CONTENDERS[name], command, kills=wanted.kills)
        announce(f"{name}, killed {one.kills} times: {one.fault or f'{one.differences:,} differences'}")
        yield one


def _latencies(
    parts: Parts, rate: float, commands: dict[str, Command], wanted: Wanted, announce: Announce
) -> Iterator[Percentiles]:
    for name, command in commands.items():
        one = latency.measure(parts, CONTENDERS[name], command, rate=rate, seconds=wanted.seconds, announce=announce)
        announce(f"{name}: {_said(one)}")
        yield one


def _at_share(
    parts: Parts, share: float, commands: dict[str, Command], found: Run, wanted: Wanted, announce: Announce
) -> Iterator[Percentiles]:
    """Measure each at a share of what it did in this run; who has no throughput is left out."""
    for name, command in commands.items():
        mine = summarise(name, [one for one in found.rounds if (one.contender, one.population) == (name, BY_SHARE)])
        if mine.events_per_s is None:
            continue
        one = latency.measure(
            parts,
            CONTENDERS[name],
            command,
            rate=mine.events_per_s.median * share / 100,
            share=share,
            seconds=wanted.seconds,
            announce=announce,
        )
        announce(f"{name}: {_said(one)}")
        yield one


def _said(one: Percentiles) -> str:
    return one.fault or f"p50 {one.percentiles_ms[50]:.1f} ms, p99 {one.percentiles_ms[99]:.1f} ms"


def _machine(parts: Parts, wanted: Wanted) -> dict[str, Any]:
    """Return what a reader must know of the machine and the load."""
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "kafka": parts.kafka.kind,
        "events": wanted.events,
        "slow_events": wanted.slow_events,
        "rounds": wanted.rounds,
    }
