"""A real Kafka behind TLS: a listener for passwords (SCRAM), one for certificates, one for tokens; rights by ACLs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from local.parts.kafka import LocalKafka
from local.parts.ports import LOOPBACK, free_ports
from tests.guarded_kafka import PASSWORD, TIMEOUT_S, USER

KEY_PASSWORD: Final = "of the key"  # noqa: S105 - of a key that lives for a test
LISTENERS: Final = {"SCRAM": "SASL_SSL", "MUTUAL": "SSL", "TOKENS": "SASL_SSL"}

_ACCESS: Final = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={broker}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
sasl.enabled.mechanisms=SCRAM-SHA-512,OAUTHBEARER
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.principal.mapping.rules=RULE:^CN=(.*?)$/$1/
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.tokens.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.tokens.oauthbearer.connections.max.reauth.ms=3600000
listener.name.tokens.oauthbearer.sasl.jaas.config=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
"""


class Certificate(NamedTuple):
    """A certificate with its key."""

    made: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def as_pem(self) -> bytes:
        """Return the certificate alone."""
        return self.made.public_bytes(Encoding.PEM)

    def write(self, file: Path, *, key: Path | None = None, password: str | None = None) -> Path:
        """Write it, and its key behind it or to a file of its own."""
        lock = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
        secret = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        made = self.as_pem()
        if key is None:
            file.write_bytes(secret + made)
        else:
            file.write_bytes(made)
            key.write_bytes(secret)
        return file


def certify(name: str, by: Certificate | None = None) -> Certificate:
    """Return a certificate for a name, at the loopback address; without an authority it is one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.made.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
    )
    return Certificate(builder.sign(key if by is None else by.key, SHA256()), key)


class SecuredBrokers(Protocol):
    """One or several, as who uses them sees them."""

    @property
    def bootstrap_servers(self) -> str:
        """Where the administrator comes."""

    @property
    def folder(self) -> Path:
        """Where the certificates are."""

    def at(self, listener: str) -> str:
        """Return the addresses of a listener."""

    def password_of(self, user: str) -> str:
        """Return what a user proves himself with."""

    def let_in(self, *users: str) -> None:
        """Give users their passwords."""


class SecuredKafka(LocalKafka):
    """Who comes by the usual address is the administrator; by each other one, whom he proves to be."""

    @cached_property
    def authority(self) -> Certificate:
        """Who vouches for the broker, and for its users."""
        return certify("authority")

    @property
    def folder(self) -> Path:
        """Where the certificates are: `authority.pem`, and the user's `user.pem` with its key, `user.key`."""
        return self._directory

    def at(self, listener: str) -> str:
        """Return the address of a listener."""
        return f"{LOOPBACK}:{self._ports[listener]}"

    def prepare(self) -> None:
        """Write the certificates, and the configuration with the listeners."""
        self._ports = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
        super().prepare()
        authority = self.authority
        (self.folder / "authority.pem").write_bytes(authority.as_pem())
        broker = certify("broker", authority).write(self.folder / "broker.pem")
        user = certify(USER, authority)
        user.write(self.folder / "user.pem", key=self.folder / "user.key", password=KEY_PASSWORD)
        file = self.folder / "server.properties"
        places = ",".join(f"{name}://{self.at(name)}" for name in LISTENERS)
        text = file.read_text().replace("\nlisteners=", f"\nlisteners={places},")
        text = text.replace("\nadvertised.listeners=", f"\nadvertised.listeners={places},")
        kinds = ",".join(f"{name}:{kind}" for name, kind in LISTENERS.items())
        text = text.replace("protocol.map=", f"protocol.map={kinds},")
        file.write_text(text + _ACCESS.format(broker=broker, authority=self.folder / "authority.pem"))

    @staticmethod
    def password_of(user: str) -> str:
        """Return what a user proves himself with."""
        return PASSWORD if user == USER else f"{PASSWORD} {user}"

    def let_in(self, *users: str) -> None:
        """Give users their passwords."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        given = [UserScramCredentialUpsertion(user, how, self.password_of(user).encode()) for user in users]
        for answer in admin.alter_user_scram_credentials([*given]).values():
            answer.result(TIMEOUT_S)
