"""Credentials for aiokafka, made of what librdkafka's clients are configured with: both are let in the same way."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError

import faust
from aiokafka.abc import AbstractTokenProvider
from faust.auth import OAuthCredentials

from process.kafka_refusals import no_token

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAINTEXT: Final = "PLAINTEXT"
"""What librdkafka does where nothing is said."""
TOKEN_TIMEOUT_S: Final = 10.0
SAID_BYTES_MAX: Final = 500
"""Of why somebody is given none."""
USED_UP: Final = 0.8
"""A token is asked for anew after this share of its life, as Kafka's own clients do."""


def broker_credentials(config: Mapping[str, str]) -> Any:  # noqa: ANN401 - Faust's types know no common one
    """Return Faust's credentials for librdkafka's configuration; None where Kafka asks nobody who he is."""
    context = tls_context(config)
    if not config.get("security.protocol", PLAINTEXT).startswith("SASL"):
        return None if context is None else faust.SSLCredentials(context)
    if config["sasl.mechanism"] == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=Tokens(config), ssl_context=context)
    return faust.SASLCredentials(
        username=config["sasl.username"],
        password=config["sasl.password"],
        mechanism=config["sasl.mechanism"],
        ssl_context=context,
    )


def tls_context(config: Mapping[str, str]) -> ssl.SSLContext | None:
    """Return what TLS to a broker is made with, whom to believe and who we are; None where there is none."""
    if not config.get("security.protocol", PLAINTEXT).endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=config.get("ssl.ca.location"))
    if certificate := config.get("ssl.certificate.location"):
        context.load_cert_chain(certificate, config["ssl.key.location"], config.get("ssl.key.password"))
    return context


class NoToken(OSError):  # noqa: N818  read as what is wrong
    """None can be had, and so no connection; the message names who gives them, and the settings."""


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Tokens by client id and secret (RFC 6749, section 4.4), each used for most of its life."""

    def __init__(self, config: Mapping[str, str]) -> None:
        self._config = config
        self._url = config["sasl.oauthbearer.token.endpoint.url"]
        self._client = config["sasl.oauthbearer.client.id"], config["sasl.oauthbearer.client.secret"]
        self._scope = config.get("sasl.oauthbearer.scope")
        self._token = ""
        self._good_until_s = 0.0

    async def token(self) -> str:
        """Return a token for a new connection.

        Raises:
            NoToken: who gives tokens does not answer, refuses, or answers something else.

        """
        if time.monotonic() >= self._good_until_s:
            try:
                await asyncio.get_running_loop().run_in_executor(None, self._ask)
            except NoToken:
                raise
            except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
                raise NoToken(no_token(self._config, f"{error}")) from error
        return self._token

    def _ask(self) -> None:
        asked = {"grant_type": "client_credentials"} | ({} if self._scope is None else {"scope": self._scope})
        by = base64.b64encode(":".join(map(urllib.parse.quote_plus, self._client)).encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - https, or http on this machine, as the settings see to
            self._url, urllib.parse.urlencode(asked).encode(), {"Authorization": f"Basic {by}"}
        )
        believed = ssl.create_default_context(cafile=self._config.get("https.ca.location"))
        try:
            with urllib.request.urlopen(request, timeout=TOKEN_TIMEOUT_S, context=believed) as got:  # noqa: S310 - the same
                given = json.load(got)
        except HTTPError as error:
            with error:
                said = error.read(SAID_BYTES_MAX).decode(errors="replace")
            raise NoToken(no_token(self._config, f"{error}: {said}")) from error
        self._token = given["access_token"]
        self._good_until_s = time.monotonic() + USED_UP * float(given.get("expires_in", 0))
