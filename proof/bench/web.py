"""The HTTP side against bare Litestar routes, in alternating rounds, and what an organisation of 100,000 mentors costs.

`referrals web` and `proof.bench.web_bare` run side by side, one process each, and take turns: one is asked as much as
it can answer, the other waits. Then ours gets half of what it has just answered at most, at random times, for the
percentiles. Of everything the median of the rounds is told.

What an organisation is asked about, and how long that takes, is in `web_figures.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

from local.parts import Parts
from operations.topics import create_topics
from proof.bench.web_figures import Figure, measure_figures
from proof.bench.web_scene import Scene, make_scene
from proof.bench.web_servers import BARE, OURS, Server, generator_alone, running, web_settings
from sinks.migrate import migrate

RATIO_REQUIRED: Final = {"webhook": 0.5, "share link": 0.6, "counts": 0.5}
P99_MS_MAX: Final = 50.0
SELECT_1_MAX: Final = 10.0
"""What an organisation's figures may take for each of their statements, in round trips of SELECT 1."""

EXPECTED: Final = {"webhook": 202, "share link": 302, "counts": 200}
ORDINARY: Final = 0.5
"""The load for the percentiles, as part of the most."""
ORDINARY_CONNECTIONS: Final = 256
WARM_S: Final = 1.0
ALONE_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Round:
    """One server, asked as much as it can answer."""

    per_s: float
    server_cpus: float
    generator_cpus: float

    @property
    def cpu_ms(self) -> float:
        """The server's CPU time for an answer."""
        return 1_000 * self.server_cpus / self.per_s


@dataclass(frozen=True, kw_only=True)
class Ordinary:
    """Ours, with half of what it has just answered at most."""

    per_s: float
    percentiles_s: Sequence[float]
    """The first is p1, the last p99."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A route of ours and the bare one: in each round ours, bare, and ours with an ordinary load."""

    route: str
    rounds: Sequence[tuple[Round, Round, Ordinary]]

    @property
    def ratio(self) -> float:
        """Requests per second, ours to bare: the median of the rounds."""
        return median(ours.per_s / bare.per_s for ours, bare, _ in self.rounds)

    @property
    def cpu_ratio(self) -> float:
        """The same of requests per second of the server's CPU time, which other processes disturb less."""
        return median(bare.cpu_ms / ours.cpu_ms for ours, bare, _ in self.rounds)

    def percentile_s(self, percent: int) -> float:
        """Return a percentile of the times with an ordinary load: the median of the rounds."""
        return median(ordinary.percentiles_s[percent - 1] for _, _, ordinary in self.rounds)


@dataclass(frozen=True, kw_only=True)
class WebFigures:
    """What was measured."""

    generator_per_s: float
    """What the load generator reaches against a socket that answers at once."""
    comparisons: Sequence[Comparison]
    figures: Sequence[Figure]


def measure_web(
    parts: Parts,
    routes: Sequence[str],
    *,
    seconds: float,
    rounds: int,
    connections: int,
    announce: Callable[[str], None],
) -> WebFigures:
    """Measure these routes and the organisation's figures."""
    settings = web_settings(parts)
    create_topics(settings)
    migrate(settings.database_url)
    announce("web: filling the database")
    scene = make_scene(settings)
    alone = generator_alone(scene.counts()[0], seconds=ALONE_S, connections=connections)
    with running(OURS, settings, parts) as ours, running(BARE, settings, parts) as bare:
        comparisons = []
        for route in routes:
            announce(f"web: {route}, {rounds} rounds")
            asking = _Asking(route, scene, seconds=seconds, connections=connections)
            comparisons.append(asking.compare(ours, bare, rounds=rounds))
        announce(f"web: an organisation's figures and lists, {rounds} rounds")
        figures = measure_figures(scene, ours, settings, rounds=rounds)
    return WebFigures(generator_per_s=alone.per_s, comparisons=comparisons, figures=figures)


class _Asking:
    """Asks servers for one route."""

    def __init__(self, route: str, scene: Scene, *, seconds: float, connections: int) -> None:
        self._route = route
        self._make_requests = {"webhook": scene.webhooks, "share link": scene.share_links, "counts": scene.counts}[
            route
        ]
        self._seconds = seconds
        self._connections = connections

    def compare(self, ours: Server, bare: Server, *, rounds: int) -> Comparison:
        """Let both take turns."""
        self._most(ours, WARM_S)
        self._most(bare, WARM_S)
        found = []
        for _ in range(rounds):
            most, bare_most = self._most(ours, self._seconds), self._most(bare, self._seconds)
            found.append((most, bare_most, self._ordinary(ours, ORDINARY * most.per_s)))
        return Comparison(route=self._route, rounds=found)

    def _most(self, server: Server, seconds: float) -> Round:
        # Requests are made anew, because a webhook's signature is good for five minutes.
        found, cpu_s = server.ask(
            self._make_requests(), expected=EXPECTED[self._route], seconds=seconds, connections=self._connections
        )
        return Round(per_s=found.per_s, server_cpus=cpu_s / found.seconds, generator_cpus=found.cpu_s / found.seconds)

    def _ordinary(self, server: Server, per_s: float) -> Ordinary:
        found, _ = server.ask(
            self._make_requests(),
            expected=EXPECTED[self._route],
            seconds=self._seconds,
            connections=ORDINARY_CONNECTIONS,
            per_s=per_s,
        )
        return Ordinary(per_s=per_s, percentiles_s=quantiles(found.latencies_s, n=100))
