"""What a component under test says of itself at its monitoring port, which its log names."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import NamedTuple

import orjson
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 10.0


class Said(NamedTuple):
    """An answer."""

    status: int
    text: str

    @property
    def missing(self) -> dict[str, str]:
        """What a health answer says is missing."""
        found: dict[str, str] = json.loads(self.text).get("missing", {})
        return found


class Scrape(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """Samples by name and labels."""

    def of(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a name that have these labels among theirs."""
        wanted = labels.items()
        found = [value for (each, has), value in self.items() if each == name and wanted <= set(has)]
        assert found, f"no {name} with {labels}"
        return sum(found)

    @property
    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _ in self}


def ask(url: str, path: str) -> Said:
    """Return what is answered there."""
    try:
        with urllib.request.urlopen(f"{url}{path}", timeout=TIMEOUT_S) as answer:  # noqa: S310  a component of ours
            return Said(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Said(error.code, error.read().decode())


def scrape(url: str) -> Scrape:
    """Return all samples."""
    said = ask(url, "/metrics")
    assert said.status == 200, said.text
    return read(said.text)


def read(text: str) -> Scrape:
    """Return the samples of Prometheus's text."""
    return Scrape(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


def url_in(log: str) -> str:
    """Return where a component says in its log that it answers, the last time that it does."""
    lines = (line[line.index("{") :] for line in log.splitlines() if '"monitoring_listens"' in line)
    (*_, last) = lines
    url: str = orjson.loads(last)["url"]
    return url
