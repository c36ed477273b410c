"""docs/containers.md line by line, with docker-compose.secured.yml: a broker dies, versions change, nothing is lost."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Final

import docker
import psycopg
import pytest
from confluent_kafka import KafkaError, Producer
from docker.models.images import Image

from local.parts.ports import LOOPBACK, free_ports
from tests.containers import stand_ins
from tests.containers.engine import ROOT, is_own
from tests.containers.stack import COMPONENTS, IMAGE, address_of, find_compose, tag_another_version
from tests.snippets import run_by

pytestmark = pytest.mark.long
PLAIN, SET_UP, RENEWAL, PRODUCER, UPGRADE = (
    each.text for each in run_by("tests/containers/test_compose_secured.py", "docs/containers.md")
)
REGISTRATIONS_TOPIC: Final = "referrals.registrations.v1"
_START_S: Final = 600
_NEEDED: Final = ("docker-compose.yml", "docker-compose.secured.yml", "deploy", "docs/operate")
_REGISTRATIONS: Final = 60
_CATCH_UP_S: Final = 120
"""A sink whose broker has died is back after half a minute, where all three share two cores."""


class Operator:
    """Somebody at a terminal, in a folder with what compose reads."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def paste(self, block: str) -> str:
        """Run lines as they stand on the page, but for what pulls images and what only shows it in a browser."""
        block = block.replace("docker compose build\n", "").replace("up --build", "up")
        services = f"--wait-timeout {_START_S} {' '.join(COMPONENTS)} prometheus"
        block = re.sub(r"up --detach --wait$", rf"\g<0> {services}", block, flags=re.MULTILINE)
        return self.run("bash", "-euc", block.replace("up --detach", "up --no-build --detach"))

    def run(self, *command: str, given: str | None = None, status: int = 0) -> str:
        """Run a command, and return what it prints; it must end as it should."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def command(self, *arguments: str, given: str | None = None, status: int = 0) -> str:
        """Run one of our commands in a container of its own."""
        ours = ("docker", "compose", "run", "--rm", "-T", "--no-deps", "migrations")
        return self.run(*ours, *arguments, given=given, status=status)


@pytest.fixture(scope="module")
def operator(
    docker_engine: docker.DockerClient,
    image: Image,
    servers: None,  # noqa: ARG001  and these
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """Give somebody who has set it up."""
    compose = find_compose()
    if compose is None:
        pytest.skip("neither compose nor Go, with which it could be made, is installed")
    folder = tmp_path_factory.mktemp("operator")
    for name in _NEEDED:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place)
    tools = folder / "bin"
    tools.mkdir()
    # `docker compose`, however it is had
    other = f'[ "$1" = compose ] || exec {shutil.which("docker")} "$@"'
    (tools / "docker").write_text(f'#!/bin/sh\n{other}\nshift\nexec {" ".join(compose)} "$@"\n')
    (tools / "docker").chmod(0o755)
    names = ("KAFKA", "KAFKA_2", "KAFKA_3", "POSTGRES", "WEB", "PROMETHEUS", "GRAFANA")
    ports = {f"{name}_PORT": str(port) for name, port in zip(names, free_ports(len(names)), strict=True)}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("REFERRALS_")},
        **ports,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "COMPOSE_PROJECT_NAME": f"referrals-secured-{secrets.token_hex(3)}",
        "DOCKER_HOST": address_of(docker_engine),
    }
    if is_own():
        stand_ins.make(docker_engine, stand_ins.PROMETHEUS_IMAGE, stand_ins.POSTGRES_WITH_TLS)
        environment["POSTGRES_IMAGE"] = stand_ins.POSTGRES_WITH_TLS
    somebody = Operator(folder, environment)
    try:
        image.tag(IMAGE, "latest")  # another test may have changed what that is
        somebody.paste(lines(PLAIN, begin="echo") + SET_UP)
        yield somebody
    finally:
        somebody.run("docker", "compose", "down", "--volumes", "--remove-orphans", "--timeout", "5")


def lines(block: str, *, begin: str) -> str:
    """Return the lines of a block that begin with this word."""
    return "".join(line for line in block.splitlines(keepends=True) if line.startswith(begin))


def now() -> str:
    """Return the time as events have it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def make_mentor(operator: Operator, name: str) -> tuple[str, str]:
    """Make an organisation, and return a mentor of it with his code."""
    made = json.loads(operator.command("orgs", "create", name, "--landing-url", "https://example.org", "--json"))
    mentor = str(uuid.uuid4())
    issued = json.loads(operator.command("codes", "issue", "--org", made["org_id"], "--mentor", mentor, "--json"))
    return mentor, issued["referral_code"]


def registrations(code: str) -> str:
    """Return some members' confirmations, as lines for `publish`."""
    value = {"referral_code": code, "status": "confirmed", "occurred_at": now()}
    ids = ({"attribution_id": str(uuid.uuid4()), "new_member_id": str(uuid.uuid4())} for _ in range(_REGISTRATIONS))
    return "".join(json.dumps({"topic": "registrations", "value": value | each}) + "\n" for each in ids)


def test_it_is_used_as_the_page_says(operator: Operator) -> None:
    """The plain installation's lines mean this one, once COMPOSE_FILE names both files."""
    said = operator.paste(lines(PLAIN, begin="docker"))
    assert "org_id: " in said
    assert "clean: 0 source records" in said


@pytest.fixture(scope="module")
def crm(operator: Operator) -> Producer:
    """Give somebody's producer, with a user of its own, made by Kafka's own tools as the page says."""
    password = secrets.token_hex(24)
    operator.paste(PRODUCER.replace("$(openssl rand -hex 24)", password))
    operator.run("docker", "compose", "cp", "kafka:/certificates/authority.pem", ".")
    return Producer(
        {
            "bootstrap.servers": f"{LOOPBACK}:{operator.environment['KAFKA_PORT']}",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "crm",
            "sasl.password": password,
            "ssl.ca.location": str(operator.folder / "authority.pem"),
            "partitioner": "murmur2_random",
        }
    )


def test_a_producer_may_write_what_it_was_given(crm: Producer) -> None:
    """And nothing else."""
    came: dict[str, KafkaError | None] = {}
    for topic in (REGISTRATIONS_TOPIC, "referrals.clicks.v1"):
        crm.produce(topic, b"{}", on_delivery=lambda error, message: came.update({message.topic() or "": error}))
    assert crm.flush(30) == 0
    assert came[REGISTRATIONS_TOPIC] is None
    refused = came["referrals.clicks.v1"]
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_bad_producer_is_found_and_made_good(operator: Operator, crm: Producer) -> None:
    """Its names are not ours: found, sent again as they should be, explained, and one of the members is erased."""
    mentor, code = make_mentor(operator, "Dogwood")
    members = [str(uuid.uuid4()) for _ in range(3)]
    for member in members:
        event = {"referralCode": code, "newMemberId": member, "status": "confirmed", "occurredAt": now()}
        crm.produce(REGISTRATIONS_TOPIC, json.dumps({"attributionId": str(uuid.uuid4())} | event), code)
    crm.produce(REGISTRATIONS_TOPIC, b"{")
    assert crm.flush(30) == 0

    found = json.loads(operator.command("producers", "check", "--topic", "registrations", "--json", status=1))
    assert "fields" in found["kinds"]
    replayed = operator.command("dead-letters", "replay", "--reason", "BadEvent", status=1)
    assert "3 replayed (registrations.v1 3); 0 were before" in replayed  # and what is no registration at all is refused
    operator.command("verify", "--wait", str(_CATCH_UP_S))

    explained = operator.command("explain", mentor, "--members")
    assert "3 confirmed, counted" in explained
    assert members[0] in explained  # who crossed
    operator.command("erase-member", "--yes", "--wait-s", str(_CATCH_UP_S), "-", given=members[0])
    explained = operator.command("explain", mentor, "--members")
    assert "3 confirmed, counted" in explained
    assert members[0] not in explained
    operator.command("verify", "--wait", str(_CATCH_UP_S))


def test_a_broker_dies_under_load_and_nothing_is_lost(operator: Operator) -> None:
    """Every component as its own user, by TLS: from an organisation to awards, while one broker of three is killed."""
    mentor, code = make_mentor(operator, "Alder")
    operator.command("publish", "-", given=registrations(code))
    operator.run("docker", "compose", "kill", "kafka-2")
    operator.command("publish", "-", given=registrations(code))
    operator.command("verify", "--wait", str(_CATCH_UP_S))

    assert f"{2 * _REGISTRATIONS} confirmed, counted" in operator.command("explain", mentor)
    operator.run("docker", "compose", "up", "--no-build", "--detach", "--wait", "kafka-2")
    operator.command("verify", "--wait", str(_CATCH_UP_S))


def test_certificates_are_renewed_under_way(operator: Operator) -> None:
    """As the page says, while registrations come: each server has another one then, and nothing is lost."""
    brokers = [(LOOPBACK, int(operator.environment[f"{name}_PORT"])) for name in ("KAFKA", "KAFKA_2", "KAFKA_3")]
    before = [ssl.get_server_certificate(each) for each in brokers]
    ends = "import pathlib; [each.unlink() for each in pathlib.Path('/certificates').glob('*/certificate.pem')]"
    operator.run("docker", "compose", "run", "--rm", "-T", "--entrypoint", "python", "certificates", "-c", ends)
    mentor, code = make_mentor(operator, "Birch")
    more = registrations(code)
    operator.command("publish", "-", given=more)
    operator.paste(RENEWAL)
    after = [ssl.get_server_certificate(each) for each in brokers]
    assert not {*before} & {*after}
    operator.command("publish", "-", given=more)  # the same: they are counted once
    operator.command("verify", "--wait", str(_CATCH_UP_S))
    assert f"{_REGISTRATIONS} confirmed, counted" in operator.command("explain", mentor)


def test_an_upgrade_rolls_under_load(operator: Operator, docker_engine: docker.DockerClient, image: Image) -> None:
    """As the page says: new workers join, old ones leave, and what came meanwhile is counted once."""
    mentor, code = make_mentor(operator, "Cedar")
    tag_another_version(docker_engine, image)
    ends = Event()
    sent = 0
    with ThreadPoolExecutor(1) as pool:
        upgrading = pool.submit(operator.paste, UPGRADE)
        upgrading.add_done_callback(lambda _: ends.set())
        while not ends.is_set():
            operator.command("publish", "-", given=registrations(code))
            sent += _REGISTRATIONS
        upgrading.result()
    for component in COMPONENTS:
        version = operator.run(
            "docker", "compose", "exec", "-T", component, "python", "-P", "-m", "commands", "--version"
        )
        assert version.split() == ["referrals", "9.9.9"]
    assert sent > _REGISTRATIONS
    operator.command("verify", "--wait", str(_CATCH_UP_S))
    assert f"{sent:,} confirmed, counted" in operator.command("explain", mentor)


def test_postgres_takes_nobody_without_tls(operator: Operator) -> None:
    """Not its owner either, with the right password."""
    env = dict(line.split("=", 1) for line in (operator.folder / ".env").read_text().splitlines())
    address = f"postgresql://referrals:{env['POSTGRES_PASSWORD']}@{LOOPBACK}:{operator.environment['POSTGRES_PORT']}/referrals"
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(f"{address}?sslmode=disable")
    psycopg.connect(f"{address}?sslmode=require").close()


def test_no_component_reads_a_key(operator: Operator) -> None:
    """The servers' are in the same volume as the authority's certificate, and each is its server's alone."""
    found = operator.run(
        *("docker", "compose", "exec", "-T", "web", "sh", "-c"),
        "ls /operator 2>&1; cat /certificates/*/key.pem 2>/dev/null | wc -c; head -1 /certificates/authority.pem",
    )
    assert "cannot access" in found
    assert found.splitlines()[-2:] == ["0", "-----BEGIN CERTIFICATE-----"]
