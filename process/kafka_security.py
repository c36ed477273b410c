"""Who this installation is to a secured Kafka: TLS with a certificate of its own or without, passwords, tokens.

What librdkafka's clients are told is all there is; aiokafka in the stream app is told the same
(streams/engine/credentials.py). Files are read when a client is made: components look at them and start afresh when
they were renewed (process/renewal.py).
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from process.kafka_refusals import BY_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from process.setting_groups.kafka import Kafka

_NEEDED: Final = {
    BY_TOKEN: ("sasl_oauth_token_url", "sasl_oauth_client_id", "sasl_oauth_client_secret"),
    "PLAIN": ("sasl_username", "sasl_password"),
    "SCRAM-SHA-256": ("sasl_username", "sasl_password"),
    "SCRAM-SHA-512": ("sasl_username", "sasl_password"),
}
_FILES: Final = ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location")


def security_faults(settings: Kafka) -> Iterator[str]:
    """Yield what is missing for the protocol that is set, or has no effect under it."""
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism
    under = f"{_name('security_protocol')}={protocol}"
    if protocol.startswith("SASL"):
        if mechanism is None:
            yield f"{under} needs {_name('sasl_mechanism')}: {', '.join(_NEEDED)}"
    elif mechanism is not None:
        yield f"{_name('sasl_mechanism')} has no effect with {under}: set it to SASL_SSL"
    given = [field for field in _FILES if getattr(settings, field) is not None]
    if given and not protocol.endswith("SSL"):
        yield f"{_name(given[0])} has no effect with {under}: set it to SSL or SASL_SSL"
    if settings.sasl_oauth_ca_location is not None:
        given.append("sasl_oauth_ca_location")
    for field in given:
        if not getattr(settings, field).is_file():
            yield f"{_name(field)}: there is no file {getattr(settings, field)}"
    if (settings.ssl_certificate_location is None) != (settings.ssl_key_location is None):
        yield f"{_name('ssl_certificate_location')} and {_name('ssl_key_location')} go together: give both, or none"


def nobody(settings: Kafka) -> str | None:
    """Return what is missing to be somebody to Kafka; None where nothing is.

    Apart from the other faults: who asks no Kafka (`mail`, `db migrate`) has the settings that all have, and no user.
    """
    mechanism = settings.sasl_mechanism
    if mechanism is None:
        return None
    missing = [_name(field) for field in _NEEDED[mechanism] if getattr(settings, field) is None]
    return f"{_name('sasl_mechanism')}={mechanism} needs {' and '.join(missing)}" if missing else None


def client_security(settings: Kafka) -> dict[str, str]:
    """Return what a client of librdkafka is configured with to be let in."""
    config: dict[str, str] = {"security.protocol": settings.security_protocol}
    if settings.security_protocol.endswith("SSL"):
        config["ssl.endpoint.identification.algorithm"] = "https"  # the certificate must name the host
        for field in _FILES:
            if (path := getattr(settings, field)) is not None:
                config[field.replace("_", ".")] = str(path)
        if settings.ssl_key_password is not None:
            config["ssl.key.password"] = settings.ssl_key_password.get_secret_value()
    if settings.security_protocol.startswith("SASL"):
        config["sasl.mechanism"] = str(settings.sasl_mechanism)
        if settings.sasl_mechanism == BY_TOKEN and settings.sasl_oauth_client_secret is not None:
            config["sasl.oauthbearer.method"] = "oidc"
            config["sasl.oauthbearer.token.endpoint.url"] = str(settings.sasl_oauth_token_url)
            config["sasl.oauthbearer.client.id"] = str(settings.sasl_oauth_client_id)
            config["sasl.oauthbearer.client.secret"] = settings.sasl_oauth_client_secret.get_secret_value()
            if settings.sasl_oauth_scope:
                config["sasl.oauthbearer.scope"] = settings.sasl_oauth_scope
            believed = settings.sasl_oauth_ca_location or authorities_of_this_machine()
            if believed is not None:
                config["https.ca.location"] = str(believed)
        elif settings.sasl_password is not None:
            config["sasl.username"] = str(settings.sasl_username)
            config["sasl.password"] = settings.sasl_password.get_secret_value()
    return config


def authorities_of_this_machine() -> str | None:
    """Return the file of the authorities that this machine believes; None where there is none.

    The libcurl in librdkafka's wheels, which asks for tokens, knows that file of the machine it was built on alone,
    and takes no folder (seen: librdkafka 2.16, Debian). OpenSSL's own says it where it is a file; these are the others
    that systems have.
    """
    own = ssl.get_default_verify_paths().cafile
    known = (
        "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
        "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
        "/etc/ssl/ca-bundle.pem",  # SUSE
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",  # macOS
    )
    return own or next((file for file in known if Path(file).is_file()), None)


def _name(field: str) -> str:
    return f"REFERRALS_{field.upper()}"
