"""docs/operate/dashboard.json, decoded by Grafana's own types: Grafana itself cannot be had from package registries."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.go_programs import compiled

DASHBOARD: Final = Path(__file__).resolve().parents[2] / "docs/operate/dashboard.json"
SOURCE: Final = Path(__file__).with_name("decoding")

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # the first run compiles


@pytest.fixture(scope="module")
def decoder() -> Path:
    """Give the program that decodes; compiled once for each state of its source."""
    return compiled(SOURCE, of="Grafana")


def faults(decoder: Path, dashboard: Path) -> list[str]:
    """Return what Grafana's types refuse of a dashboard."""
    done = subprocess.run([decoder, dashboard], check=False, capture_output=True, text=True)
    assert done.returncode == bool(done.stdout), done.stderr
    return done.stdout.splitlines()


def test_grafanas_types_take_it(decoder: Path) -> None:
    """Every field is one, of its type, and none is missing that each kind of panel has."""
    assert faults(decoder, DASHBOARD) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"colorMode": ', '"colourMode": ', "unexpected field 'colourMode'"),
        ('"schemaVersion": ', '"schemeVersion": ', "schemaVersion: required field is missing"),
        ('"gridPos": {"h": 5', '"gridPos": {"h": "5"', "gridPos.h: json: cannot unmarshal string"),
        ('"unit": "short"', '"unit": 5', "cannot unmarshal number into Go struct field FieldConfig.defaults.unit"),
    ],
)
def test_a_mistake_is_found(decoder: Path, tmp_path: Path, old: str, new: str, says: str) -> None:
    """A field that there is not, one that is missing, two of another type."""
    text = DASHBOARD.read_text(encoding="utf-8")
    assert old in text
    mistaken = tmp_path / "dashboard.json"
    mistaken.write_text(text.replace(old, new), encoding="utf-8")
    assert any(says in fault for fault in faults(decoder, mistaken))
