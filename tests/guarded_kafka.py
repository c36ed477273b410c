"""A real Kafka that asks who somebody is and what he may: users by SASL/PLAIN, rights by ACLs."""

from __future__ import annotations

from typing import Final

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from local.parts.kafka import LocalKafka
from local.parts.ports import LOOPBACK, free_ports

USER: Final = "app"
PASSWORD: Final = "of-the-app"  # noqa: S105  on a broker that lives for a test
TIMEOUT_S: Final = 30.0

_ACCESS = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
"""


class GuardedKafka(LocalKafka):
    """Who comes by the usual address is the administrator, who comes by the guarded one is whom he says he is."""

    @property
    def guarded_servers(self) -> str:
        """The address where one has to say who one is."""
        return f"{LOOPBACK}:{self._guarded_port}"

    def prepare(self) -> None:
        """Write the configuration with a second listener."""
        (self._guarded_port,) = free_ports(1)
        super().prepare()
        file = self._directory / "server.properties"
        guarded = f"GUARDED://{LOOPBACK}:{self._guarded_port}"
        text = file.read_text().replace("\nlisteners=", f"\nlisteners={guarded},")
        text = text.replace("\nadvertised.listeners=", f"\nadvertised.listeners={guarded},")
        text = text.replace("protocol.map=", "protocol.map=GUARDED:SASL_PLAINTEXT,")
        file.write_text(text + _ACCESS.format(user=USER, password=PASSWORD))


def allow(admin: AdminClient, resource: ResourceType, prefix: str, *operations: AclOperation) -> None:
    """Allow the user operations on everything whose name begins so."""
    rights = [
        AclBinding(
            resource, prefix, ResourcePatternType.PREFIXED, f"User:{USER}", "*", operation, AclPermissionType.ALLOW
        )
        for operation in operations
    ]
    for answer in admin.create_acls(rights, request_timeout=TIMEOUT_S).values():
        answer.result()
