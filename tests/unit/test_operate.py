"""Alerts, dashboard and runbook against the metrics that there are: nothing looks at a name that nobody exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from edges.mail.metrics import MailHealth, MailMetrics, MailState
from edges.registry.outbox import OutboxRelay
from edges.web.clicks.filtered import FilteredClicks
from edges.web.clicks.landing import LandingPages
from edges.web.clicks.recorder import ClickRecorder
from edges.web.clicks.unsure import UnsureClicks
from edges.web.database import Database
from edges.web.installation_figures import InstallationFigures
from edges.web.metrics import Metrics
from edges.web.pipeline import Pipeline
from edges.web.producer import AcknowledgedProducer
from edges.web.readiness import WebHealth
from models.badges import Reason
from process.monitoring import Monitoring
from process.settings import load_settings
from sinks.metrics import DecisionMetrics, SinkHealth, SinkMetrics, SinkState
from sinks.milestone_source import MemoryMilestoneSource
from sinks.watchdog import Watchdog
from streams.app import create_app
from streams.engine.health import EngineHealth
from streams.engine.metrics import EngineMetrics

DOCS: Final = Path(__file__).resolve().parents[2] / "docs" / "operate"
PROMETHEUS_ADDS: Final = {"up": {"job", "instance"}}
ADDED_LABELS: Final = {"job", "instance", "le"}
"""Of the scrape, and of a histogram's buckets."""

_SELECTOR: Final = re.compile(r"\b([a-z]+(?:_[a-z]+)*)\b(?:\{([^}]*)\})?")
_PREFIXES: Final = ("stream_", "referrals_", "process_")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Give the labels of each sample name that a component exports."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), monitoring_port=0)
    app = create_app(settings)
    state, source = SinkState(), MemoryMilestoneSource()
    nothing = cast("Database", None)
    mail = MailState()
    recorder = ClickRecorder(settings)
    web = Metrics()
    Pipeline(settings, web.registry)._lag.labels("stream")  # noqa: SLF001 - as its first look does
    figures = InstallationFigures(nothing, settings.reconcile_at)
    figures._rows = [(0, None, None, None, None, None)]  # noqa: SLF001 - as Postgres answers where there is nothing
    unsure = UnsureClicks(cast("LandingPages", None), recorder)
    relay = OutboxRelay(settings)
    of_web = WebHealth(producer=AcknowledgedProducer(settings), database=nothing, relay=relay, clicks=recorder)
    for collector in (recorder, FilteredClicks(nothing), unsure, figures, of_web):
        web.registry.register(cast("Collector", collector))
    registries = [web.registry]
    for component, health, collectors in (
        ("stream", EngineHealth(app), [EngineMetrics(app, {}), app.metrics]),
        (
            "badges",
            SinkHealth(state, source, Watchdog()),
            [SinkMetrics({"badges": (state, source)}), DecisionMetrics(Counter[Reason]())],
        ),
        ("mail", MailHealth(mail), [MailMetrics(mail)]),
    ):
        with closing(Monitoring(component, settings, health, collectors)) as monitoring:
            registries.append(monitoring._registry)  # noqa: SLF001 - what it would answer with
    return {name: labels for registry in registries for name, labels in samples_of(registry).items()}


def samples_of(registry: CollectorRegistry) -> dict[str, set[str]]:
    """Return the labels of each sample; also of families that have none yet."""
    found: dict[str, set[str]] = {}
    for family in registry.collect():
        for name in sample_names(family):
            found.setdefault(name, set()).update(getattr(family, "_labelnames", ()))
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def sample_names(family: Metric) -> list[str]:
    """Return what a family's samples are called."""
    if family.type == "counter":
        return [f"{family.name}_total"]
    if family.type == "histogram":
        return [f"{family.name}_{part}" for part in ("bucket", "sum", "count")]
    return [family.name]


def read_yaml(name: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Return what a file says."""
    return yaml.safe_load((DOCS / name).read_text(encoding="utf-8"))


def alerts() -> list[dict[str, Any]]:
    """Return the alert rules."""
    return [rule for group in read_yaml("alerts.yaml")["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels that show something."""
    dashboard = json.loads((DOCS / "dashboard.json").read_text(encoding="utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> list[tuple[str, str]]:
    """Return every expression with where it stands."""
    rules = [(rule["alert"], rule["expr"]) for rule in alerts()]
    return rules + [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """Return the sample names of an expression, each with the labels that it is asked for by."""
    found = []
    for name, matchers in _SELECTOR.findall(expression):
        if name in PROMETHEUS_ADDS or name.startswith(_PREFIXES):
            found.append((name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))))
    return found


def grouped_by(expression: str) -> set[str]:
    """Return the labels that an expression groups by."""
    return {label for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in re.split(r",\s*", labels)}


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_each_expression_asks_for_what_is_exported(exported: dict[str, set[str]], where: str, expression: str) -> None:
    """Each name by some component, each label of a name by the same."""
    found = selectors(expression)
    assert found, where
    known = exported | PROMETHEUS_ADDS
    for name, labels in found:
        assert name in known, f"{where}: nobody exports {name}"
        assert labels <= known[name] | ADDED_LABELS, f"{where}: {name} has no such label"
    of_all = set().union(*(known[name] for name, _ in found))
    assert grouped_by(expression) <= of_all | ADDED_LABELS, where


def test_an_expression_that_asks_for_nothing_that_exists_is_seen(exported: dict[str, set[str]]) -> None:
    """What the test above rests on."""
    assert selectors('sum by (job) (rate(stream_nothing_total{state="x"}[5m])) > up') == [
        ("stream_nothing_total", {"state"}),
        ("up", set()),
    ]
    assert "stream_nothing_total" not in exported


def test_labels_are_words_of_the_program(exported: dict[str, set[str]]) -> None:
    """None names an organisation, a mentor, a member or a code; a new label is thought about here."""
    assert set().union(*exported.values()) <= {
        *("component", "version", "sink", "topic", "disposition", "state", "phase", "table", "reason", "threshold"),
        *("decision", "kind", "outcome", "last_success", "route", "method", "status", "became", "le"),
    }


def test_names_follow_prometheus(exported: dict[str, set[str]]) -> None:
    """A prefix, base units, `_total` of what only grows and of nothing else."""
    for name in exported:
        assert name.startswith(_PREFIXES), name
        assert not re.search(r"_(ms|milliseconds|minutes|hours|kb|mb|percent)(_|$)", name), name


def test_each_alert_has_its_entry_in_the_runbook() -> None:
    """By name, with the link that the alert gives; no entry is of an alert that is gone."""
    entries = re.findall(r"^## (\w+)$", (DOCS / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(entries) == sorted(rule["alert"] for rule in alerts())
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["runbook"] == f"docs/operate/runbook.md#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"]


def test_each_entry_says_what_to_type_first() -> None:
    """Somebody is woken by it: one command before all others, and what its answer means."""
    text = (DOCS / "runbook.md").read_text(encoding="utf-8")
    first = re.compile(r"^First: `(?:curl|docker compose|referrals|psql|df) .+?`.*: .+", re.MULTILINE)
    for entry in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        assert first.search(entry), entry.splitlines()[0]


def test_the_runbook_leads_somewhere() -> None:
    """Its links to entries, and the events that it tells to look for, are there."""
    text = (DOCS / "runbook.md").read_text(encoding="utf-8")
    entries = {entry.lower() for entry in re.findall(r"^## (\w+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\(#(\w+)\)", text)) <= entries
    source = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("commands", "edges", "models", "process", "sinks", "streams")
        for file in (DOCS.parents[1] / folder).rglob("*.py")
    )
    events = set(re.findall(r"`((?:sink|kafka|codes|badges|mail)\.[a-z_]+|[a-z]+(?:_[a-z]+)+)`", text))
    said = {event for event in events if re.search(rf'"{re.escape(event)}"', source)}
    metrics = {event for event in events if event.startswith(_PREFIXES)}
    assert events - said - metrics == set()


def test_the_list_of_metrics_is_whole(exported: dict[str, set[str]]) -> None:
    """README.md has each metric, and none that there is not."""
    section = (DOCS / "README.md").read_text(encoding="utf-8").partition("## Metrics")[2].partition("\n## ")[0]
    listed = {name for name in re.findall(r"`([a-z_]+)`", section) if name.startswith(_PREFIXES)}
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported if not name.startswith("process_")}
    histograms = {name for name in listed if f"{name}_bucket" in exported}
    assert listed - exported.keys() - histograms == set()
    assert {name for name in ours if name not in listed} == set()


def test_what_compose_mounts_is_there() -> None:
    """Prometheus and Grafana are given these files, and the jobs are the components."""
    compose = yaml.safe_load((DOCS.parents[1] / "docker-compose.yml").read_text(encoding="utf-8"))
    mounts = [each.split(":")[0] for name in ("prometheus", "grafana") for each in compose["services"][name]["volumes"]]
    ours = [each for each in mounts if each.startswith("./")]
    assert ours
    assert all((DOCS.parents[1] / each).exists() for each in ours)
    jobs = {job["job_name"] for job in read_yaml("prometheus.yaml")["scrape_configs"]}
    assert jobs == {"stream", "badges", "counts", "mail", "web"}
    assert jobs <= compose["services"].keys()


@pytest.mark.parametrize("arguments", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts.test.yaml")])
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    """Prometheus's own tool reads the rules, and each alert fires when it should and not before."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian's package `prometheus` has it")
    checked = subprocess.run([promtool, *arguments], cwd=DOCS, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
