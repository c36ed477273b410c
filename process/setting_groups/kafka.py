"""Where Kafka is, its topics, and how it is spoken to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from process.addresses import is_loopback
from process.kafka_security import security_faults
from process.setting_groups.kinds import SafeAddress, TopicName

DEFAULT_PREFIX = "referrals."


class Kafka(BaseModel):
    """Kafka."""

    bootstrap_servers: str = Field("127.0.0.1:9092", description="Kafka's addresses: host:port, separated by commas.")
    topic_prefix: TopicName = Field(
        DEFAULT_PREFIX, description="First part of every topic's name; one for each installation."
    )
    partitions: int = Field(
        12,
        ge=1,
        le=1000,
        description="Partitions of the source topics; `topics create` makes them, `state reshard` adds some.",
    )
    replication_factor: int = Field(1, ge=1, le=10, description="Replicas of the topics that `topics create` makes.")

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="How Kafka is spoken to. PLAINTEXT is taken for granted on this machine alone: to reach another "
        "one it is set. docs/secure.md has what goes together.",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None, description="How this installation proves who it is, under SASL_SSL and SASL_PLAINTEXT."
    )
    sasl_username: str | None = Field(None, description="Its name (PLAIN, SCRAM).")
    sasl_password: SecretStr | None = Field(None, description="Its password (PLAIN, SCRAM).")
    sasl_oauth_token_url: SafeAddress | None = Field(
        None,
        description="Where tokens are given for client id and secret (OAUTHBEARER); https, or http on this machine.",
    )
    sasl_oauth_client_id: str | None = Field(None, description="Its name where tokens are given (OAUTHBEARER).")
    sasl_oauth_client_secret: SecretStr | None = Field(None, description="Its secret there.")
    sasl_oauth_scope: str | None = Field(None, description="What is asked for there, if anything must be.")
    sasl_oauth_ca_location: Path | None = Field(
        None,
        description="File with the authorities that vouch for who gives tokens (PEM); without it those of the machine "
        "do, and never those of REFERRALS_SSL_CA_LOCATION.",
    )
    ssl_ca_location: Path | None = Field(None, description="File with the certificates of Kafka's authority (PEM).")
    ssl_certificate_location: Path | None = Field(
        None, description="File with this installation's own certificate, where Kafka asks for one (PEM)."
    )
    ssl_key_location: Path | None = Field(None, description="File with the key of that certificate (PEM).")
    ssl_key_password: SecretStr | None = Field(None, description="Password of that key, if it has one.")

    @field_validator("bootstrap_servers")
    @classmethod
    def _check_addresses(cls, value: str) -> str:
        for address in value.split(","):
            host, port = _host_and_port(address)
            if not host or port is None:
                message = f"{address.strip()!r} is not an address; give host:port, several separated by commas"
                raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _check_security(self) -> Self:
        if faults := list(security_faults(self)):
            raise ValueError("; ".join(faults))
        if "security_protocol" not in self.model_fields_set:
            for address in self.bootstrap_servers.split(","):
                host, _ = _host_and_port(address)
                if not is_loopback(host):
                    message = (
                        f"REFERRALS_BOOTSTRAP_SERVERS names {host}, another machine, and plaintext is used only where "
                        "asked for: set REFERRALS_SECURITY_PROTOCOL to SASL_SSL or SSL, or to PLAINTEXT if the network "
                        "between is yours alone"
                    )
                    raise ValueError(message)
        return self


def _host_and_port(address: str) -> tuple[str, int | None]:
    """Split `host:port` or `[::1]:port`; the port is None where there is none that can be used."""
    try:
        parts = urlsplit(f"//{address.strip()}")
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None
