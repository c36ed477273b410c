"""Why Kafka does not let us in, and by which settings: what librdkafka says of it names neither setting nor remedy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import KafkaError

_PASSES: Final = ("Request not valid in current SASL state", "Local: Broker transport failure")
"""A connection that was to show a new token, and was too early for the broker; or one that ended while it showed who we
are. librdkafka comes with another one."""
SAY_AGAIN_S: Final = 300.0
"""librdkafka says it at each try, several times a second."""
RECENT_S: Final = 60.0
"""Who is still refused has heard of it within this time: a token is asked for again after 10 s."""

BY_TOKEN: Final = "OAUTHBEARER"  # noqa: S105 - the name of a mechanism
NO_TOKEN: Final = "Failed to acquire SASL OAUTHBEARER token: "  # noqa: S105 - what librdkafka says
_NOT_BELIEVED: Final = ("certificate verify", "trust anchors", "local issuer certificate", "self-signed certificate")
_BY_CERTIFICATE: Final = ("alert certificate", "alert bad certificate", "alert unknown ca", "alert handshake failure")

log = structlog.get_logger("kafka")


class Refusals:
    """What a client has heard of being refused; logs it now and then. To be told each error, from any thread."""

    def __init__(self, config: Mapping[str, str], *, client: str) -> None:
        """Begin; `config` is how to reach Kafka, `client` is who the log says it is."""
        self._config = config
        self._client = client
        self._heard: tuple[float, str] | None = None
        self._said_s = -SAY_AGAIN_S

    def note(self, error: KafkaError) -> bool:
        """Hear of an error; tell whether there is no more to be said of it: it is a refusal, or passes."""
        if _passes(error.str()):
            return True
        found = refusal(self._config, error.str())
        if found is None:
            return False
        now_s = time.monotonic()
        self._heard = now_s, found
        if now_s >= self._said_s + SAY_AGAIN_S:
            self._said_s = now_s
            log.warning("kafka_refuses", client=self._client, reason=found, error=error.str(), then="it is tried again")
        return True

    @property
    def recent(self) -> str | None:
        """Why we are refused; None where we have not been a moment ago."""
        heard = self._heard
        return None if heard is None or time.monotonic() - heard[0] > RECENT_S else heard[1]


def refusal(config: Mapping[str, str], said: str) -> str | None:
    """Return who refuses whom and which settings say so; None where an error is about something else.

    Args:
        config: what the client was made with (`Settings.kafka_client_config`).
        said: what librdkafka says was wrong.

    """
    if said.startswith(NO_TOKEN):
        return no_token(config, said.removeprefix(NO_TOKEN))
    if _passes(said):
        return None
    if "SASL" in said and ("authentication" in said or "handshake" in said):
        mechanism = config.get("sasl.mechanism")
        who = (
            "REFERRALS_SASL_OAUTH_CLIENT_ID and REFERRALS_SASL_OAUTH_SCOPE"
            if mechanism == BY_TOKEN
            else "REFERRALS_SASL_USERNAME and REFERRALS_SASL_PASSWORD"
        )
        return f"Kafka refuses who we are, by {mechanism} (REFERRALS_SASL_MECHANISM): see that it and {who} are right"
    if any(words in said for words in _NOT_BELIEVED):
        by = config.get("ssl.ca.location", "the authorities of this machine")
        return f"nobody vouches for the broker's certificate: {by} (REFERRALS_SSL_CA_LOCATION) must"
    if any(words in said for words in _BY_CERTIFICATE):
        by = config.get("ssl.certificate.location", "none")
        return (
            f"Kafka refuses the certificate that we show, {by} (REFERRALS_SSL_CERTIFICATE_LOCATION and "
            "REFERRALS_SSL_KEY_LOCATION)"
        )
    return None


def _passes(said: str) -> bool:
    return "SASL" in said and any(words in said for words in _PASSES)


def no_token(config: Mapping[str, str], why: str) -> str:
    """Return who gave no token to whom, why, and which settings say so; `config` as above."""
    url, client = config["sasl.oauthbearer.token.endpoint.url"], config["sasl.oauthbearer.client.id"]
    text = (
        f"no token to come to Kafka with: {url} (REFERRALS_SASL_OAUTH_TOKEN_URL) gave none to {client} "
        f"(REFERRALS_SASL_OAUTH_CLIENT_ID) that can be used: {why}; see that both and "
        "REFERRALS_SASL_OAUTH_CLIENT_SECRET are right"
    )
    if not url.startswith("https:"):
        return text
    by = config.get("https.ca.location", "nobody on this machine")
    return f"{text}, and that {by} (REFERRALS_SASL_OAUTH_CA_LOCATION) vouches for who answers there"
