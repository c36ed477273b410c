"""What each component may do on a cluster that asks: the least with which it does its work, and nothing of another's.

READ and WRITE let somebody look as well (Kafka's DESCRIBE). A group's READ is to be a member of it, or to commit in its
name; its DESCRIBE is to see its offsets, and what librdkafka asks for before it reads anything, also where nothing is
committed. A transactional id's WRITE is to begin under it, and so to fence who has begun before.
"""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from models.changes import MEMBERS, WAITING
from models.topics import (
    CODES,
    DEAD_LETTERS,
    MENTOR_COUNTS,
    MILESTONES,
    PARTITION_CHANGES,
    REGISTRATIONS,
    REPLAYS,
    SOURCES,
    TOPICS,
)
from process.administrator import Administrator, answer_to

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from models.topics import Topic
    from process.settings import Settings

REQUEST_TIMEOUT_S: Final = 30.0
PLACE: Final = "{component}"
"""Where a pattern of principals has the component's name."""

READ, WRITE, DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE
CREATE, ALTER_CONFIGS, DESCRIBE_CONFIGS = (
    AclOperation.CREATE,
    AclOperation.ALTER_CONFIGS,
    AclOperation.DESCRIBE_CONFIGS,
)
LITERAL, PREFIXED = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED

_KINDS: Final = {
    ResourceType.TOPIC: "topic",
    ResourceType.GROUP: "group",
    ResourceType.TRANSACTIONAL_ID: "transactional-id",
}
"""As kafka-acls names them."""


class CannotGrant(Exception):  # noqa: N818  read as what it is
    """The cluster does not let rights be looked at or given; the message says why."""


class Component(StrEnum):
    """Who has a user of his own; the commands of each are in docs/secure.md."""

    STREAM = "stream"
    BADGES = "badges"
    COUNTS = "counts"
    WEB = "web"
    REGISTRY = "registry"
    RECONCILE = "reconcile"
    PUBLISH = "publish"
    DEAD_LETTERS = "dead-letters"
    ERASE_MEMBER = "erase-member"
    VERIFY = "verify"
    TOPICS = "topics"


class OwnTopics(NamedTuple):
    """The stream app's own topics, by full name."""

    changelogs: Sequence[str]
    """The first has the positions at which rows stand."""
    leader: str
    """Whose owner is the leader; nothing is written to it."""


class Right(NamedTuple):
    """Operations on one resource, or on all whose name begins so."""

    kind: ResourceType
    name: str
    operations: tuple[AclOperation, ...]
    pattern: ResourcePatternType = LITERAL

    def bindings(self, principal: str) -> list[AclBinding]:
        """Return it as Kafka keeps it, for one who has it."""
        return [
            AclBinding(self.kind, self.name, self.pattern, principal, "*", operation, AclPermissionType.ALLOW)
            for operation in self.operations
        ]


def rights(settings: Settings, own: OwnTopics) -> dict[Component, list[Right]]:
    """Return what each component needs in an installation.

    Why a worker reads what it writes: who begins without rows reads what was announced (streams/beginning.py), and what
    is in a wrong partition of a source is moved. The HTTP side reads for its page Pipeline, and commits offsets for its
    spool; dead letters are counted, and its page sends them again as the command does, so it has that one's rights.
    """
    prefix, app = settings.topic_prefix, settings.app_id

    def topics(names: Iterable[Topic | str], *operations: AclOperation) -> list[Right]:
        full = [name if isinstance(name, str) else name.full_name(prefix) for name in names]
        return [Right(ResourceType.TOPIC, name, operations) for name in full]

    def group(name: str, *operations: AclOperation, pattern: ResourcePatternType = LITERAL) -> Right:
        return Right(ResourceType.GROUP, name, operations, pattern)

    def identity(name: str, pattern: ResourcePatternType = LITERAL) -> Right:
        return Right(ResourceType.TRANSACTIONAL_ID, name, (WRITE,), pattern)

    return {
        Component.STREAM: [
            *topics(SOURCES, READ, WRITE, DESCRIBE_CONFIGS),
            *topics((MENTOR_COUNTS, MILESTONES), READ, WRITE, DESCRIBE_CONFIGS),
            *topics((DEAD_LETTERS,), WRITE, DESCRIBE_CONFIGS),
            *topics((PARTITION_CHANGES,), READ),
            *topics(own.changelogs, READ, WRITE, DESCRIBE_CONFIGS),
            *topics((own.leader,), READ, DESCRIBE_CONFIGS),
            group(app, READ),
            *(group(name, DESCRIBE) for name in (f"{app}-recovery", f"{prefix}reconcile")),
            identity(f"{app}-", PREFIXED),
        ],
        Component.BADGES: [
            *topics((MILESTONES,), READ),
            *topics((DEAD_LETTERS,), WRITE),
            group(f"{prefix}badges", READ),
        ],
        Component.COUNTS: [
            *topics((*SOURCES, MENTOR_COUNTS, REPLAYS, PARTITION_CHANGES), READ),
            *topics((DEAD_LETTERS,), READ, WRITE),
            *(group(f"{prefix}{name}", READ) for name in ("counts", "history", "letters")),
            group(f"{prefix}partition-changes", DESCRIBE),
        ],
        Component.WEB: [
            *topics(SOURCES, READ, WRITE),
            *topics((MENTOR_COUNTS, MILESTONES, DEAD_LETTERS), READ),
            *topics((REPLAYS,), READ, WRITE, CREATE, DESCRIBE_CONFIGS),
            *(
                group(name, DESCRIBE)
                for name in (
                    app,
                    *(f"{prefix}{each}" for each in ("badges", "counts", "history", "lag", "dead-letters")),
                )
            ),
            group(f"{prefix}clicks-", READ, pattern=PREFIXED),
            identity(f"{prefix}clicks-", PREFIXED),
            identity(f"{prefix}dead-letter-replay"),
        ],
        Component.REGISTRY: topics((CODES,), WRITE),
        Component.RECONCILE: [*topics((REGISTRATIONS,), READ, WRITE), group(f"{prefix}reconcile", DESCRIBE)],
        Component.PUBLISH: topics(SOURCES, WRITE),
        Component.DEAD_LETTERS: [
            *topics(SOURCES, WRITE),
            *topics((DEAD_LETTERS,), READ),
            *topics((REPLAYS,), READ, WRITE, CREATE, DESCRIBE_CONFIGS),
            group(f"{prefix}dead-letters", DESCRIBE),
            identity(f"{prefix}dead-letter-replay"),
        ],
        Component.ERASE_MEMBER: [
            *topics(SOURCES, DESCRIBE),
            *topics((REGISTRATIONS,), READ, WRITE, DESCRIBE_CONFIGS),
            *topics((DEAD_LETTERS, *(_changelogs_with_ids(own))), READ, DESCRIBE_CONFIGS),
            group(f"{prefix}erase-member", DESCRIBE),
        ],
        Component.VERIFY: [
            *topics((*TOPICS, REPLAYS, PARTITION_CHANGES), READ),
            *topics(own.changelogs[:1], READ),
            group(app, DESCRIBE),
            *(
                group(f"{prefix}{name}", DESCRIBE)
                for name in ("verify", "partition-changes", "explain", "producers-check", "dead-letters")
            ),
        ],
        Component.TOPICS: [
            *topics((*TOPICS, *own.changelogs, own.leader), CREATE, DESCRIBE, ALTER_CONFIGS, DESCRIBE_CONFIGS),
            group(app, DESCRIBE),
        ],
    }


def _changelogs_with_ids(own: OwnTopics) -> list[str]:
    return [name for name in own.changelogs if name.endswith((f"-{MEMBERS}-changelog", f"-{WAITING}-changelog"))]


def principals(pattern: str, components: Iterable[Component], chosen: Mapping[Component, str]) -> dict[Component, str]:
    """Return who each component is: as chosen, else by the pattern, in which `{component}` is its name."""
    return {component: chosen.get(component) or pattern.replace(PLACE, component) for component in components}


def commands(granted: Iterable[Right], principal: str, *, servers: str, command_config: str | None) -> list[str]:
    """Return kafka-acls commands that give somebody these rights, one for what has the same operations."""
    alike: dict[tuple[ResourceType, tuple[AclOperation, ...], ResourcePatternType], list[str]] = {}
    for right in granted:
        alike.setdefault((right.kind, right.operations, right.pattern), []).append(right.name)
    begin = ["kafka-acls", "--bootstrap-server", servers]
    begin += [] if command_config is None else ["--command-config", command_config]
    return [
        shlex.join(
            [
                *(*begin, "--add", "--allow-principal", principal),
                *([] if pattern is LITERAL else ["--resource-pattern-type", "prefixed"]),
                *(part for operation in operations for part in ("--operation", named(operation))),
                *(part for name in names for part in (f"--{_KINDS[kind]}", name)),
            ]
        )
        for (kind, operations, pattern), names in alike.items()
    ]


def named(operation: AclOperation) -> str:
    """Return an operation as kafka-acls names it: `DescribeConfigs`."""
    return "".join(word.capitalize() for word in operation.name.split("_"))


def said(binding: AclBinding) -> str:
    """Return an ACL in words: `User:a: Read on topic b`."""
    begins = "" if binding.resource_pattern_type is LITERAL else "all that begin with "
    effect = "" if binding.permission_type is AclPermissionType.ALLOW else "not "
    kind = ResourceType(binding.restype)
    right = named(AclOperation(binding.operation))
    return f"{binding.principal}: {effect}{right} on {_KINDS.get(kind, kind.name.lower())} {begins}{binding.name}"


class Acls:
    """The cluster's ACLs, as an administrator sees and adds to them; both methods block."""

    def __init__(self, settings: Settings) -> None:
        self._admin = Administrator({**settings.kafka_client_config(), "log_level": 2})

    def of(self, who: Collection[str]) -> set[AclBinding]:
        """Return all that these principals have; raise CannotGrant."""
        self._require(DESCRIBE)  # without it librdkafka says that there are none (seen: 2.16)
        try:
            return answer_to(lambda left_s: self._of(who, left_s), REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise _cannot(error) from None

    def _of(self, who: Collection[str], within_s: float) -> set[AclBinding]:
        answers = [
            self._admin.describe_acls(
                AclBindingFilter(
                    restype=ResourceType.ANY,
                    name=None,  # type: ignore[arg-type]  # any; its types do not know that
                    resource_pattern_type=ResourcePatternType.ANY,
                    principal=principal,
                    host=None,  # type: ignore[arg-type]  # the same
                    operation=AclOperation.ANY,
                    permission_type=AclPermissionType.ANY,
                ),
                request_timeout=within_s,
            )
            for principal in sorted(set(who))
        ]
        return {binding for answer in answers for binding in answer.result()}

    def add(self, bindings: Collection[AclBinding]) -> None:
        """Add ACLs; raise CannotGrant."""
        if not bindings:
            return
        self._require(AclOperation.ALTER)
        try:
            answer_to(lambda left_s: self._add(bindings, left_s), REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise _cannot(error) from None

    def _require(self, operation: AclOperation) -> None:
        try:
            allowed = answer_to(self._allowed, REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise _cannot(error) from None
        if operation not in allowed:
            raise CannotGrant(
                f"this user lacks the right {named(operation)} on the cluster, which who gives rights must have: "
                "let somebody of super.users run this"
            )

    def _add(self, bindings: Collection[AclBinding], within_s: float) -> None:
        for answer in self._admin.create_acls(list(bindings), request_timeout=within_s).values():
            answer.result()

    def _allowed(self, within_s: float) -> Collection[AclOperation]:
        asked = self._admin.describe_cluster(include_authorized_operations=True, request_timeout=within_s)
        return asked.result().authorized_operations or ()


def _cannot(error: KafkaException) -> CannotGrant:
    cause = error.args[0]
    if cause.code() == KafkaError.SECURITY_DISABLED:
        return CannotGrant(
            "this cluster asks nobody what he may: no rights are kept. Set authorizer.class.name on the brokers, "
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer, and super.users for who gives rights"
        )
    return CannotGrant(f"Kafka refuses: {cause.str()}")
