"""`bench peers` without its parts: what rounds say together, what is wrong or absent is shown, plots are drawn."""

from __future__ import annotations

import importlib
import io
import re
from pathlib import Path
from types import ModuleType
from typing import Final
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from rich.console import Console

from commands.bench import PEERS, peers
from local.parts.jars import KAFKA_VERSION
from models.topics import CODES
from proof.bench.expected import Expected
from proof.bench.load import Load, LoadRecord, Population
from proof.bench.peers.contenders import CONTENDERS, HERE, Absent
from proof.bench.peers.kills import Survival
from proof.bench.peers.latency import Percentiles
from proof.bench.peers.measuring import Round
from proof.bench.peers.plots import plots
from proof.bench.peers.report import show
from proof.bench.peers.summary import Run, Spread, summarise
from proof.bench.peers.svg import WIDTH, Bar, Group, bar_chart

WRONG: Final = "WRONG: 3 differences, the figure is void: mentor a:b: None, expected 1"
SVG: Final = "{http://www.w3.org/2000/svg}"


def a_round(contender: str = "engine", *, wall_s: float = 1.0, fault: str = "") -> Round:
    """Return a round of 100,000 events."""
    return Round(
        contender=contender,
        population="uniform",
        number=1,
        fault=fault,
        events=100_000,
        wall_s=wall_s,
        cpu_s=0.5,
        broker_cpu_s=0.25,
        foreign_cpus=0.1,
    )


def a_run(
    *rounds: Round,
    absent: dict[str, str] | None = None,
    latencies: tuple[Percentiles, ...] = (),
    survivals: tuple[Survival, ...] = (),
) -> Run:
    """Return a run of two contenders."""
    return Run(
        machine={"cpus": 2},
        titles={"engine": "this program", "native": "native <limit>"},
        absent=absent or {},
        rounds=list(rounds),
        latencies=list(latencies),
        survivals=list(survivals),
    )


def shown(run: Run) -> str:
    """Return what is printed of a run."""
    console = Console(file=io.StringIO(), width=200)
    show(run, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rounds_together_are_median_and_spread() -> None:
    """Events and CPU of each round by its own time."""
    summary = summarise("engine", [a_round(wall_s=seconds) for seconds in (1.0, 4.0, 2.0)])
    assert summary.events_per_s == Spread(median=50_000, least=25_000, most=100_000)
    assert summary.cpu_s_per_million == Spread(median=5.0, least=5.0, most=5.0)
    assert summary.broker_cpu_s_per_million == Spread(median=2.5, least=2.5, most=2.5)


def test_a_wrong_round_is_in_no_figure() -> None:
    """It is counted and named instead."""
    summary = summarise("engine", [a_round(wall_s=1.0), a_round(wall_s=0.1, fault=WRONG)])
    assert summary.events_per_s == Spread(median=100_000, least=100_000, most=100_000)
    assert (summary.rounds, summary.wrong, summary.faults) == (2, 1, [WRONG])
    assert summarise("engine", [a_round(fault=WRONG)]).events_per_s is None


def test_wrong_failed_and_absent_are_shown_with_their_reasons() -> None:
    """In the table and below it."""
    text = shown(a_run(a_round(), a_round(fault=WRONG), absent={"native": "not on this machine: cargo"}))
    assert re.search(r"this program .* 100,000 .* WRONG 1 of 2", text)
    assert f"this program, uniform: {WRONG}" in text
    assert re.search(r"native <limit> .* ABSENT", text)
    assert "native <limit>: ABSENT: not on this machine: cargo" in text
    late = Percentiles(contender="native", rate=20, fault="failed: of 10 milestones 3 came")
    text = shown(a_run(a_round(), latencies=(late,)))
    assert re.search(r"native <limit> .* failed", text)
    assert "native <limit>, 20 events/s: failed: of 10 milestones 3 came" in text
    killed = Survival(contender="native", kills=3, differences=1_234, example="mentor a:b: None")
    text = shown(a_run(survivals=(killed,)))
    assert re.search(r"native <limit> .* 3 .* 1,234", text)
    assert "native <limit>, killed: mentor a:b: None" in text


def test_a_run_is_sound_where_somebody_was_measured_and_nobody_wrong() -> None:
    """Too short a round is no fault of the contender's; an absent one neither."""
    short = a_round(fault="too short: right, but done within 0.01 s")
    assert a_run(a_round(), short, absent={"native": "no cargo"}).is_sound
    assert not a_run(a_round(), a_round(fault=WRONG)).is_sound
    assert not a_run(a_round(), a_round(fault="failed: exit code 1")).is_sound
    assert not a_run(absent={"native": "no cargo"}).is_sound


def test_plots_are_drawn_to_scale_and_name_who_has_none() -> None:
    """Each is well-formed; half the figure is half the bar."""
    latency = Percentiles(contender="engine", rate=20, percentiles_ms={50: 5.0, 99: 20.0}, max_ms=30)
    run = a_run(
        a_round(wall_s=1.0), a_round("native", wall_s=0.5), a_round("native", fault=WRONG), latencies=(latency,)
    )
    drawn = {name: ET.fromstring(drawing) for name, drawing in plots(run).items()}  # noqa: S314  our own
    assert drawn.keys() == {"throughput-uniform.svg", "cpu-uniform.svg", "latency-20.svg"}
    engine, native = (float(each.get("width", 0)) for each in drawn["throughput-uniform.svg"].iter(f"{SVG}rect"))
    assert native == pytest.approx(2 * engine, rel=0.01)
    texts = [each.text for each in drawn["throughput-uniform.svg"].iter(f"{SVG}text")]
    assert "200,000, WRONG 1 of 2" in texts
    (absent,) = (drawing for name, drawing in plots(a_run(a_round(), absent={"native": "-"})).items() if "cpu" in name)
    assert ">absent</text>" in absent


def test_a_load_by_each_one_s_own_throughput_is_told_with_its_pace() -> None:
    """Who is faster gets more, so the rate stands beside each figure; others by rate stand in a table of their own."""
    half = [
        Percentiles(
            contender=name, rate=rate, share=50, pace=rate, percentiles_ms={50: 5.0, 90: 9.0, 99: 20.0}, max_ms=30
        )
        for name, rate in (("engine", 40_000), ("native", 300_000))
    ]
    few = Percentiles(contender="engine", rate=50, percentiles_ms={50: 4.0, 90: 8.0, 99: 19.0}, max_ms=29)
    run = a_run(latencies=(few, *half))
    text = shown(run)
    assert "milestone readable, 50 events/s, ms" in text
    assert "milestone readable, 50 % of its own throughput, ms" in text
    assert re.search(r"native <limit> .* 300,000", text)
    drawn = plots(run)
    assert drawn.keys() == {"latency-50.svg", "latency-50-percent.svg"}
    assert "20.0 at 300,000/s" in drawn["latency-50-percent.svg"]


def test_a_long_label_has_its_room() -> None:
    """A wide character takes 0.58 of the type's size; the longest bar ends where its label still has so much."""
    label = "28,085.7 at 1,123,423/s, WRONG"
    bars = [Bar(value=value, label=label) for value in (1.0, 100.0)]
    drawn = ET.fromstring(bar_chart("title", ["p50", "p99"], [Group(name="engine", bars=bars)]))  # noqa: S314  our own
    ends = [float(each.get("x", 0)) for each in drawn.iter(f"{SVG}text") if each.text == label]
    assert max(ends) + 0.58 * 13 * len(label) <= WIDTH
    assert min(ends) < max(ends)


@pytest.mark.parametrize("options", [("--only", "latency"), ("--population", "zipf")])
def test_a_share_of_what_is_not_measured_is_refused(options: tuple[str, ...]) -> None:
    """Before anything is started."""
    told = CliRunner().invoke(peers, ["--share", "80", *options])
    assert told.exit_code == 2
    assert "--share is of the uniform throughput" in told.output


def test_the_option_knows_every_contender() -> None:
    """`--help` needs none of the benchmarks' imports, so the names stand twice."""
    assert tuple(CONTENDERS) == PEERS


@pytest.mark.parametrize(("name", "missing"), [("native", "cargo"), ("flink-1s", "mvn"), ("kafka-streams", "java")])
def test_a_toolchain_that_is_missing_is_named(
    name: str, missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a machine without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Absent, match=missing):
        CONTENDERS[name].build(lambda _: None)


def test_what_is_built_names_no_address_and_the_broker_s_version() -> None:
    """Whoever builds it has a registry; Kafka Streams is of the version that the broker has."""
    files = [file for file in HERE.rglob("*") if file.name in {"pom.xml", "Cargo.lock"}]
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    assert {file.parent.name for file in texts} == {"flink", "kafka_streams", "native"}
    allowed = {"http://maven.apache.org/POM/4.0.0", "https://github.com/rust-lang/crates.io-index"}
    assert {found for text in texts.values() for found in re.findall(r"https?://[^\"<\s]+", text)} <= allowed
    pom = texts[HERE / "kafka_streams" / "pom.xml"]
    named = r"<groupId>org.apache.kafka</groupId>\s*<artifactId>kafka-streams</artifactId>\s*<version>(.+?)</version>"
    assert re.findall(named, pom) == [KAFKA_VERSION]


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the loop written by hand, which asks the environment for its names when it is imported."""
    for name, value in {"BOOTSTRAP_SERVERS": "", "GROUP": "", "SOURCE_PREFIX": "s.", "SINK_PREFIX": "t."}.items():
        monkeypatch.setenv(f"PEER_{name}", value)
    return importlib.import_module("proof.bench.peers.python_loop.loop")


@pytest.mark.parametrize("codes_last", [False, True])
def test_the_loop_counts_what_the_oracle_expects(loop: ModuleType, *, codes_last: bool) -> None:
    """Whether codes come first or last (rule 3)."""
    load = Load(Population(name="few", mentors=40, zipf_exponent=1.0))
    codes, events = list(load.codes()), list(load.events(3_000))
    expected, partition = Expected(), loop.Partition()
    for record in [*codes, *events]:
        expected.take(record)
    records: list[LoadRecord] = [*events, *codes] if codes_last else [*codes, *events]
    for record in records:
        partition.fold(f"s.{record.topic.name}", record.key, record.value)
    counts = {loop.mentor_key(each): loop.encode(each) for each in partition.counted.values()}
    milestones = [value for topic, _, value in partition.outbox if topic == loop.MILESTONES]
    assert len(codes) == expected.records[CODES.name]
    expected.check(counts, milestones)
