"""docker-compose.yml runs whole: traffic becomes awards; workers stop, hang and are replaced, and counts stay exact."""

from __future__ import annotations

import json
import re
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from os import kill

import docker
import httpx
import psycopg
import pytest
from docker.models.containers import Container
from docker.models.images import Image

from local.parts.ports import LOOPBACK
from tests.containers.stack import (
    COMPONENTS,
    Stack,
    events_of,
    health,
    inside,
    process_of,
    tag_another_version,
    wait_until,
)
from tests.crew import READY, Traffic, events

pytestmark = pytest.mark.long
STOP_MAX_S = 10.0
SUCCESSOR_MAX_S = 3.0
"""From its end to the successor's partitions, all of them."""
EVENTS_PER_S = 200.0
HUNG_MAX_S = 120.0


@contextmanager
def load(stack: Stack, seed: int) -> Iterator[None]:
    """Send traffic during the body."""
    traffic = Traffic(events(None, stack.settings, seed=seed, mentors=300), stack.settings, events_per_s=EVENTS_PER_S)
    traffic.start()
    try:
        yield
    finally:
        traffic.end()


def test_every_container_is_healthy(stack: Stack) -> None:
    """The components run as nobody in particular, cannot write, and what runs once has ended well."""
    for name in ("kafka", "postgres", *COMPONENTS):
        (container,) = stack.containers(name)
        assert health(container) == "healthy", container.logs(tail=20).decode()
    for name in COMPONENTS:
        (container,) = stack.containers(name)
        assert container.attrs["HostConfig"]["ReadonlyRootfs"]
        assert container.attrs["HostConfig"]["CapDrop"] == ["ALL"]
        assert inside(container, "sh", "-c", "id -u; touch /app/x 2>/dev/null || echo cannot") == ["10001", "cannot"]
    for name in ("topics", "migrations", "logins"):
        (once,) = stack.containers(name, stopped=True)
        assert once.attrs["State"]["ExitCode"] == 0


def test_a_click_and_a_confirmation_become_an_award(stack: Stack) -> None:
    """As the README goes, with each command in a container: organisation, code, click, confirmation, award, proof."""
    made = json.loads(stack.command("orgs", "create", "Alder", "--landing-url", "https://example.org", "--json").stdout)
    org, mentor, member = made["org_id"], str(uuid.uuid4()), str(uuid.uuid4())
    issued = stack.command("codes", "issue", "--org", org, "--mentor", mentor)
    assert issued.returncode == 0, issued.stderr
    found = re.search(r"\b[0-9A-HJKMNP-TV-Z]{10,12}\b", issued.stdout)
    assert found, issued.stdout
    code = found[0]
    clicked = httpx.get(
        f"http://{LOOPBACK}:{stack.web_port}/r/{code}?c=whatsapp", headers={"User-Agent": "Mozilla/5.0"}
    )
    assert clicked.status_code in {302, 303, 307}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    value = {"attribution_id": str(uuid.uuid4()), "referral_code": code, "new_member_id": member, "status": "confirmed"}
    line = json.dumps({"topic": "registrations", "value": value | {"occurred_at": now}})
    published = stack.command("publish", "-", given=line + "\n")
    assert published.returncode == 0, published.stderr

    def awards() -> int:
        with psycopg.connect(stack.settings.database_url) as connection:
            found = connection.execute("SELECT count(*) FROM badge_awards WHERE mentor_id = %s", [mentor]).fetchone()
            return int(found[0]) if found else 0

    wait_until(lambda: awards() == 1, "no award")
    verified = stack.command("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_each_component_comes_by_its_own_login(stack: Stack) -> None:
    """And by no other: whoever has one component's password has not the owner's rights."""
    with psycopg.connect(stack.settings.database_url) as connection:
        found = connection.execute("SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr IS NOT NULL")
        seen = {str(name) for (name,) in found.fetchall()}
    assert {"referrals.badges", "referrals.counts", "referrals.web"} <= seen
    assert seen <= {f"referrals.{name}" for name in COMPONENTS} | {"referrals"}


def test_prometheus_sees_each_component(stack: Stack) -> None:
    """The configuration that compose mounts finds them, and its rules load."""
    address = f"http://{LOOPBACK}:{stack.prometheus_port}/api/v1"

    def up() -> set[str]:
        found = httpx.get(f"{address}/query", params={"query": "up == 1"}).json()["data"]["result"]
        return {each["metric"]["job"] for each in found}

    wait_until(lambda: up() == set(COMPONENTS), "Prometheus does not see all")
    groups = httpx.get(f"{address}/rules").json()["data"]["groups"]
    assert all(rule["health"] != "err" for group in groups for rule in group["rules"])


def test_a_worker_stops_in_time_and_its_successor_goes_on(stack: Stack) -> None:
    """Under load `docker stop` needs no kill: it ends with 0, and the other has its partitions at once."""
    (second,) = stack.scale(2)
    first = next(each for each in stack.containers("stream") if each.id != second.id)
    with load(stack, seed=1):
        time.sleep(5)
        before = len(events_of(second, READY))
        asked = time.time()
        first.stop(timeout=30)
        ended = time.time()
        took_s = ended - asked
        wait_until(lambda: len(events_of(second, READY)) > before, "the successor has nothing")
        ready = events_of(second, READY)[-1]
        time.sleep(2)
    first.reload()
    assert first.attrs["State"]["ExitCode"] == 0, first.logs(tail=20).decode()
    assert took_s < STOP_MAX_S
    successor_s = _epoch_s(ready["timestamp"]) - ended
    print(f"stopped in {took_s:.2f} s; the successor has its partitions {successor_s:.2f} s later")  # noqa: T201
    assert successor_s < SUCCESSOR_MAX_S
    stack.assert_exact()


def test_a_worker_that_hangs_is_started_again(stack: Stack) -> None:
    """Stopped by SIGSTOP it answers nobody: the other takes over; the health check ends it, and it is started again."""
    stack.scale(2)
    hung, other = stack.containers("stream")
    with load(stack, seed=2):
        before = len(events_of(other, READY))
        kill(process_of(hung), signal.SIGSTOP)
        taken_s = wait_until(lambda: len(events_of(other, READY)) > before, "the other has not taken over")
        again_s = wait_until(lambda: _starts(hung) > 1, "it is not started again", wait_s=HUNG_MAX_S)
        wait_until(lambda: health(hung) == "healthy", "it is not healthy again")
    print(f"taken over after {taken_s:.1f} s, started again {again_s:.1f} s later")  # noqa: T201
    stack.assert_exact()


@pytest.mark.parametrize("component", ["badges", "counts", "web"])
def test_the_others_stop_in_time(stack: Stack, component: str) -> None:
    """They end with 0 too, and start again."""
    (container,) = stack.containers(component)
    asked = time.monotonic()
    container.stop(timeout=30)
    took_s = time.monotonic() - asked
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0, container.logs(tail=20).decode()
    assert took_s < STOP_MAX_S
    container.start()
    wait_until(lambda: health(container) == "healthy", f"{component} is not healthy again")


def test_a_rolling_upgrade_under_load(stack: Stack, docker_engine: docker.DockerClient, image: Image) -> None:
    """New workers of another image join before old ones leave, as docs/containers.md says; nothing is lost or twice."""
    old = stack.containers("stream")
    with load(stack, seed=3):
        tag_another_version(docker_engine, image)
        new = stack.scale(len(old) + 2)
        for each in new:
            assert inside(each, "python", "-P", "-m", "commands", "--version") == ["referrals", "9.9.9"]
        for each in old:
            each.stop(timeout=30)
            assert each.wait()["StatusCode"] == 0
            each.remove()
        time.sleep(3)
    assert {each.id for each in stack.containers("stream")} == {each.id for each in new}
    stack.assert_exact()


def _epoch_s(timestamp: str) -> float:
    """Return the time of a log's line, in seconds."""
    return datetime.fromisoformat(timestamp).timestamp()


def _starts(container: Container) -> int:
    """Return how often a container has been started by its restart policy or by somebody."""
    container.reload()
    return 1 + int(container.attrs["RestartCount"])
