"""`--parts=docker`: testcontainers starts both with a real engine, and they can be killed and started again."""

from __future__ import annotations

import docker
import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from local import parts
from tests.containers.stack import address_of, wait_until


def test_docker_parts_live_through_a_crash(docker_engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both start, keep address and data over a kill, and are gone afterwards."""
    monkeypatch.setenv("DOCKER_HOST", address_of(docker_engine))
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")  # one more image, for who is killed before `close`
    before = {each.id for each in docker_engine.containers.list(all=True)}
    said: list[str] = []
    with parts.start("docker", data_dir=None, durable=False, announce=said.append) as running:
        assert "apache/kafka" in said[-1]
        assert "postgres:18 in Docker" in said[-1]
        url = running.create_database("kept")
        running.postgres.kill()
        running.postgres.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        running.kafka.kill()
        running.kafka.start()
        assert AdminClient({"bootstrap.servers": running.bootstrap_servers}).list_topics(timeout=10).brokers
        assert running.kafka.pid > 1
        ours = [each for each in docker_engine.containers.list() if each.id not in before]
        assert len(ours) == 2
        for container in ours:
            ports = container.attrs["HostConfig"]["PortBindings"].values()
            assert {binding["HostIp"] for port in ports for binding in port} == {"127.0.0.1"}
    wait_until(lambda: {each.id for each in docker_engine.containers.list(all=True)} <= before, "containers are left")
