"""The port of a component: what is answered there, and that the work does not depend on it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from process.histogram import Histogram, buckets_of
from process.monitoring import CONNECTIONS_MAX, Monitoring, start_monitoring
from process.settings import Settings, SettingsError, load_settings
from tests.monitoring import ask, scrape

HEALTHY: dict[str, str] = {}


class Component:
    """Something that says how it is."""

    def __init__(self) -> None:
        self.stands = HEALTHY
        self.lacks = HEALTHY

    def live(self) -> Mapping[str, str]:
        """Return what stands."""
        return self.stands

    def ready(self) -> Mapping[str, str]:
        """Return what is missing."""
        return self.lacks


@pytest.fixture
def component() -> Component:
    """Give one that is well."""
    return Component()


@pytest.fixture
def monitoring(component: Component) -> Iterator[Monitoring]:
    """Give its port."""
    with closing(listening(component)) as started:
        yield started


def listening(component: Component, **given: object) -> Monitoring:
    """Return a port that answers for a component."""
    started = start_monitoring("stream", settings(**given), health=component, collectors=[])
    assert started is not None
    return started


def settings(**given: object) -> Settings:
    """Return settings with any free port unless said otherwise."""
    return load_settings(**({"monitoring_port": 0} | given))


def test_health_is_what_the_component_says(component: Component, monitoring: Monitoring) -> None:
    """Well: 200. Else 503, with the reasons; and the same as numbers."""
    assert [ask(monitoring.url, f"/health/{path}").status for path in ("live", "ready")] == [200, 200]
    component.lacks = {"state": "the worker is taking over"}
    assert ask(monitoring.url, "/health/live").status == 200
    waiting = ask(monitoring.url, "/health/ready")
    assert (waiting.status, waiting.missing) == (503, component.lacks)
    component.stands = {"event_loop": "no progress for 31 s"}
    standing = ask(monitoring.url, "/health/live")
    assert (standing.status, standing.missing) == (503, component.stands)
    found = scrape(monitoring.url)
    assert (found.of("referrals_live"), found.of("referrals_ready")) == (0, 0)
    assert found.of("referrals_build_info", component="stream") == 1
    assert found.of("process_open_fds") > 0


def test_other_paths_and_methods(monitoring: Monitoring) -> None:
    """There is nothing else, HEAD is GET without its body, and nothing can be changed."""
    host, port = monitoring.url.removeprefix("http://").split(":")
    assert ask(monitoring.url, "/").status == 404
    for method, status, has_body in (("GET", 200, True), ("HEAD", 200, False), ("POST", 501, True)):
        with closing(http.client.HTTPConnection(host, int(port), timeout=10)) as connection:
            connection.request(method, "/health/live?probe=1")
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (status, has_body)


def test_who_only_connects_takes_a_place_and_no_more(monitoring: Monitoring) -> None:
    """As many as there are places; one more is closed at once, and when one goes the next is answered."""
    host, port = monitoring.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(CONNECTIONS_MAX)]
    try:
        with closing(socket.create_connection((host, int(port)), timeout=10)) as one_more:
            assert one_more.recv(1) == b""
    finally:
        for each in idle:
            each.close()
    statuses: list[int] = []
    while not statuses:  # the threads of those that went are told in a moment
        try:
            statuses.append(ask(monitoring.url, "/health/live").status)
        except OSError:
            continue
    assert statuses == [200]


def test_a_port_that_is_taken_is_said_and_another_used(component: Component, monitoring: Monitoring) -> None:
    """The work must not end because two workers of a machine were given one port."""
    taken = int(monitoring.url.rpartition(":")[2])
    with capture_logs() as logs, closing(listening(component, monitoring_port=taken)) as other:
        assert ask(other.url, "/health/live").status == 200
        assert other.url != monitoring.url
    assert [log["event"] for log in logs] == ["monitoring_port_taken", "monitoring_listens"]
    assert logs[0]["port"] == taken


def test_without_a_port_the_work_goes_on(component: Component) -> None:
    """`off` is nobody's port; a host that is not this machine's is said."""
    assert start_monitoring("stream", settings(monitoring_port="off"), health=component, collectors=[]) is None
    with capture_logs() as logs:
        nowhere = settings(monitoring_host="192.0.2.1")  # reserved for documentation
        assert start_monitoring("stream", nowhere, health=component, collectors=[]) is None
    assert [log["event"] for log in logs] == ["monitoring_cannot_listen"]


@pytest.mark.parametrize("port", ["65536", "-1", "http", "1.5"])
def test_what_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    """In one line that says what is one."""
    monkeypatch.setenv("REFERRALS_MONITORING_PORT", port)
    with pytest.raises(SettingsError, match=f"^REFERRALS_MONITORING_PORT: '{port}' is no port: give 1 to 65535, 0 for"):
        load_settings()


def test_a_histogram_counts_what_prometheus_would() -> None:
    """A value on a bound is in its bucket, one beyond all in the last."""
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert (histogram.count, histogram.total) == (4, 12.0)
    assert buckets_of((1.0, 2.0), histogram.in_bucket) == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
