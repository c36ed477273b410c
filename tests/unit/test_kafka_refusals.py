"""Who is not let in by Kafka is told by whom, and which settings say so; librdkafka's words are as it has said them."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, cast

import pytest
from structlog.testing import capture_logs

from process import kafka_refusals as module
from process.kafka_refusals import NO_TOKEN, Refusals, refusal
from process.settings import load_settings
from streams.engine.credentials import NoToken, Tokens
from tests.tokens import giver_of_tokens

URL: Final = "https://id.example/token"
CONFIG: Final = {
    "sasl.mechanism": "OAUTHBEARER",
    "sasl.oauthbearer.token.endpoint.url": URL,
    "sasl.oauthbearer.client.id": "stream",
    "https.ca.location": "/ca.pem",
}


class Said:
    """An error of librdkafka's."""

    def __init__(self, text: str) -> None:
        self._text = text

    def str(self) -> str:
        """Return what it says."""
        return self._text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f'{NO_TOKEN}{{"error": "invalid_client"}}', f"{URL} (REFERRALS_SASL_OAUTH_TOKEN_URL) gave none to stream"),
        (f"{NO_TOKEN}SSL certificate problem", "/ca.pem (REFERRALS_SASL_OAUTH_CA_LOCATION) vouches for who answers"),
        (
            "sasl_ssl://a:1/bootstrap: SASL authentication error: {} (after 3ms in state AUTH_REQ)",
            "by OAUTHBEARER (REFERRALS_SASL_MECHANISM): see that it and REFERRALS_SASL_OAUTH_CLIENT_ID",
        ),
        (
            "sasl_ssl://a:1/1: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker",
            "the authorities of this machine (REFERRALS_SSL_CA_LOCATION) must",
        ),
        (
            "ssl://a:1/1: Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required",
            "none (REFERRALS_SSL_CERTIFICATE_LOCATION and REFERRALS_SSL_KEY_LOCATION)",
        ),
        ("a:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)", None),
        ("1/1 brokers are down", None),
        (
            "GroupCoordinator: a:1: SASL OAUTHBEARER mechanism handshake failed: Local: Broker transport failure: x",
            None,
        ),
    ],
)
def test_a_refusal_names_who_and_by_which_setting(said: str, told: str | None) -> None:
    """A broker that is away refuses nobody."""
    found = refusal(CONFIG, said)
    assert found is None if told is None else told in str(found)


def test_a_password_is_named_as_such() -> None:
    """By the settings of its mechanism."""
    said = "SASL authentication error: Authentication failed during authentication due to invalid credentials"
    assert "REFERRALS_SASL_USERNAME and REFERRALS_SASL_PASSWORD" in str(refusal({"sasl.mechanism": "PLAIN"}, said))


def test_it_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at each of several tries a second; what passes is not said at all, and after a minute it is news no more."""
    refusals = Refusals(CONFIG, client="counts")
    error = cast("Any", Said(f"{NO_TOKEN}no"))
    with capture_logs() as logs:
        assert refusals.note(cast("Any", Said("SASL handshake failed: Request not valid in current SASL state")))
        assert refusals.recent is None
        assert not refusals.note(cast("Any", Said("1/1 brokers are down")))
        assert refusals.note(error)
        assert refusals.note(error)
    ((said),) = logs
    assert (said["event"], said["client"], said["reason"]) == ("kafka_refuses", "counts", refusals.recent)
    monkeypatch.setattr(module, "RECENT_S", -1.0)
    assert refusals.recent is None


def test_aiokafkas_tokens_are_renewed_and_refused_in_the_same_words() -> None:
    """One token for most of its life; a refusal is a failed connection to aiokafka, and names the settings."""
    with giver_of_tokens(lambda user: f"of {user}", life_s=300) as tokens:
        settings = load_settings(
            security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER", sasl_oauth_token_url=tokens.url,
            sasl_oauth_client_id="stream", sasl_oauth_client_secret="of stream",  # noqa: S106 - of a giver for a test
        )  # fmt: skip
        kept = Tokens(settings.kafka_client_config())
        assert asyncio.run(kept.token()) == asyncio.run(kept.token())
        assert tokens.given["stream"] == 1
        tokens.is_open = False
        with pytest.raises(NoToken, match=re.escape(f"{tokens.url} (REFERRALS_SASL_OAUTH_TOKEN_URL)")) as refused:
            asyncio.run(Tokens(settings.kafka_client_config()).token())
        assert 'HTTP Error 401: Unauthorized: {"error": "invalid_client"}' in str(refused.value)
        assert isinstance(refused.value, OSError)
