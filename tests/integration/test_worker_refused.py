"""Workers that the broker does not let into the group, or not to their work: each says so, and goes or waits."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from local import parts
from local.parts.kafka import LocalKafka
from process.settings import Settings
from tests.crew import READY, Crew

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

SESSION_TIMEOUT_MS_MAX: Final = 20_000

STRICT: Final = f"""
group.max.size=1
group.max.session.timeout.ms={SESSION_TIMEOUT_MS_MAX}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""
"""What cannot be set on a broker that runs. All clients are User:ANONYMOUS, who may do all where no ACL is."""

TIMEOUT_S: Final = 30.0
EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2


@pytest.fixture(scope="module", name="parts")
def strict_parts() -> Iterator[parts.Parts]:
    """Give a Kafka that takes one member for each group, and short session timeouts only, and has an authorizer."""
    with parts.start("local", data_dir=None, durable=False, in_memory=True, announce=_announce) as running:
        kafka = running.kafka
        assert isinstance(kafka, LocalKafka)
        kafka.stop()
        (properties,) = running.data_dir.rglob("server.properties")
        with properties.open("a") as written:
            written.write(STRICT)
        kafka.start()
        yield running


@pytest.fixture(scope="module")
def migrated_template() -> str:
    """Give a database without tables: the stream app asks for none."""
    return "template1"


@pytest.fixture
def crew(settings: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Give an installation without a worker."""
    running = Crew(settings, tmp_path)
    try:
        yield running
    finally:
        running.stop()


def deny(settings: Settings, resource: ResourceType, name: str, operation: AclOperation) -> None:
    """Take a right from everybody, and leave the others that a topic's readers and writers have."""
    rights = [(operation, AclPermissionType.DENY)]
    if resource is ResourceType.TOPIC and operation is not AclOperation.DESCRIBE:
        others = {AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.READ, AclOperation.WRITE}
        rights += [(other, AclPermissionType.ALLOW) for other in others - {operation}]
    bindings = [
        AclBinding(resource, name, ResourcePatternType.PREFIXED, "User:ANONYMOUS", "*", each, permission)
        for each, permission in rights
    ]
    admin = AdminClient(dict(settings.kafka_client_config()))  # kept: one that is collected answers nothing
    for answer in admin.create_acls(bindings).values():
        answer.result(TIMEOUT_S)


def test_a_worker_too_many_says_so_and_takes_over_when_another_ends(crew: Crew) -> None:
    """The group is full: that ends by itself, so it waits, and is there when it is needed."""
    crew.start("first")
    crew.wait_log("first", READY)
    crew.start("second")
    crew.wait_log("second", "group.max.size")
    assert READY not in crew.log("second")
    crew.end("first")
    crew.wait_log("second", READY)
    assert "worker_leaves" not in crew.log("second")


def test_a_session_timeout_that_the_broker_refuses_ends_the_worker(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names what was refused, the broker's setting, and ours."""
    monkeypatch.setenv("REFERRALS_SESSION_TIMEOUT_S", str(SESSION_TIMEOUT_MS_MAX // 1000 + 1))
    crew.start("worker")
    assert crew.wait_end("worker") == EXIT_SETTINGS
    for text in ("21", "group.max.session.timeout.ms", "REFERRALS_SESSION_TIMEOUT_S"):
        assert text in crew.log("worker")


@pytest.mark.parametrize(
    ("resource", "named", "operation", "says"),
    [
        (ResourceType.GROUP, "{app_id}", AclOperation.READ, "READ on group"),
        (ResourceType.TOPIC, "{prefix}clicks", AclOperation.READ, "READ on topic"),
        (ResourceType.TOPIC, "{prefix}clicks", AclOperation.DESCRIBE, "DESCRIBE"),
        (ResourceType.TRANSACTIONAL_ID, "{app_id}", AclOperation.WRITE, "WRITE on transactional-id"),
        (ResourceType.TOPIC, "{app_id}", AclOperation.READ, "READ on topic"),
        (ResourceType.TOPIC, "{app_id}", AclOperation.DESCRIBE, "DESCRIBE"),
        (ResourceType.TOPIC, "{app_id}", AclOperation.WRITE, "WRITE on topic"),
    ],
    ids=[
        "group",
        "source",
        "source-unseen",
        "transactional-id",
        "changelog-read",
        "changelog-unseen",
        "changelog-written",
    ],
)
def test_a_right_that_is_missing_ends_the_worker(
    crew: Crew, settings: Settings, resource: ResourceType, named: str, operation: AclOperation, says: str
) -> None:
    """The line names the right and what it is missing for."""
    values: dict[str, Any] = {"app_id": settings.app_id, "prefix": settings.topic_prefix}
    deny(settings, resource, named.format(**values), operation)
    crew.start("worker")
    assert crew.wait_end("worker") == EXIT_FAILED, crew.log("worker")[-3000:]
    assert says in crew.log("worker")
    assert named.format(**values) in crew.log("worker")


def _announce(line: str) -> None:
    print(line, file=sys.__stderr__, flush=True)
