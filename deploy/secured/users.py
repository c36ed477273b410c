"""Give each component's user on Kafka the password that docker-compose.secured.yml has for him; safe to repeat."""

from __future__ import annotations

import os
from typing import Final

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are not in its __all__
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

USERS: Final = ("stream", "badges", "counts", "web")
ITERATIONS: Final = 8192
TIMEOUT_S: Final = 30.0


def main() -> None:
    """Set the passwords, and say whose."""
    prefix = os.environ.get("REFERRALS_TOPIC_PREFIX") or "referrals."
    passwords = {name: os.environ.get(f"KAFKA_{name.upper()}_PASSWORD", "") for name in USERS}
    missing = [f"KAFKA_{name.upper()}_PASSWORD" for name, password in passwords.items() if not password]
    if missing:
        raise SystemExit(f"not set: {', '.join(missing)}; docs/containers.md has the lines that make them, in .env")
    admin = AdminClient(
        {
            "bootstrap.servers": os.environ["REFERRALS_BOOTSTRAP_SERVERS"],
            "security.protocol": "SSL",
            "ssl.ca.location": os.environ["REFERRALS_SSL_CA_LOCATION"],
            "ssl.certificate.location": os.environ["REFERRALS_SSL_CERTIFICATE_LOCATION"],
            "ssl.key.location": os.environ["REFERRALS_SSL_KEY_LOCATION"],
            "topic.metadata.refresh.interval.ms": 5_000,  # a cluster that just starts may have no controller yet
        }
    )
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    given = [UserScramCredentialUpsertion(f"{prefix}{name}", how, passwords[name].encode()) for name in USERS]
    for user, answer in admin.alter_user_scram_credentials([*given]).items():
        answer.result(TIMEOUT_S)
        print(f"{user} has his password")


if __name__ == "__main__":
    main()
