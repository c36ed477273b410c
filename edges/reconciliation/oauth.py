"""Tokens by OAuth 2.0's client credentials (RFC 6749, section 4.4): asked for when needed, renewed before they end.

Failure handling: an answer 429 or 5xx, a connection that fails and a silence are tried again, as the endpoint's; what
is refused is final, and named by its code alone: the description that comes with it may say more than a log should.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from msgspec import Struct

from edges.reconciliation.address import origin_of
from edges.reconciliation.endpoint import PATIENT, PAUSE_FIRST_S, PAUSE_MAX_S, TIMEOUT, Patience, peace, retry_after_s
from edges.reconciliation.errors import BadSource, SourceBusy, SourceFailed
from edges.reconciliation.reasons import Fault

ATTEMPTS: Final = 5
EARLY_S: Final = 300.0
"""How long before its end a token is renewed; of a short one a fifth of its life."""
DEFAULT_LIFE_S: Final = 3600.0
"""Where the answer does not say: RFC 6749 leaves it open."""
ANSWER_BYTES_MAX: Final = 1024 * 1024

_LOGIN: Final = "https://login.microsoftonline.com"
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,200}")
_TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_CODE: Final = re.compile(r"[A-Za-z_]{1,60}")
_MICROSOFT_CODE: Final = re.compile(r"AADSTS[0-9]{3,9}")


class Client(Struct, frozen=True, kw_only=True):
    """Who asks for tokens, and where; its secret is kept apart."""

    token_url: str
    client_id: str
    scope: str = ""

    def check(self) -> None:
        """Raise BadSource for what cannot be used."""
        origin_of(self.token_url)
        if not self.client_id.strip():
            raise BadSource("--client-id is empty")


class _Granted(Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105  not one
    expires_in: float | str | None = None


class _Refused(Struct):
    error: str = ""
    error_description: str = ""


def of_tenant(tenant: str, client_id: str, url: str) -> Client:
    """Return who asks Microsoft Entra for tokens for the environment of an address; raise BadSource."""
    if not _TENANT.fullmatch(tenant):
        raise BadSource(f"--tenant {tenant}: give the directory's id, or its name (example.onmicrosoft.com)")
    parts = urlsplit(url)
    return Client(
        token_url=f"{_LOGIN}/{quote(tenant)}/oauth2/v2.0/token",
        client_id=client_id,
        scope=f"{parts.scheme}://{parts.netloc}/.default",
    )


class ClientCredentials:
    """The tokens of one client; a context manager."""

    def __init__(
        self,
        client: Client,
        secret: str,
        *,
        patience: Patience = PATIENT,
        sleep: Callable[[float], Any] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make it without connecting."""
        self._client = client
        self._secret = secret
        self._attempts = min(ATTEMPTS, patience.attempts)
        self._connects = min(self._attempts, patience.connects)
        self._has_answered = False
        self._sleep = sleep
        self._clock = clock
        self._token = ""
        self._good_until_s = 0.0
        is_loopback = origin_of(client.token_url).is_loopback
        self._http = httpx.Client(timeout=TIMEOUT, trust_env=not is_loopback, follow_redirects=False)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Let the connections go."""
        self._http.close()

    def token(self) -> str:
        """Return a token that is good for a while.

        Raises:
            SourceBusy: who grants them asks for peace.
            SourceFailed: none is granted.

        """
        if not self._token or self._clock() >= self._good_until_s:
            self._ask()
        return self._token

    def forget(self) -> None:
        """Forget a token that was refused; the next one is asked for."""
        self._token = ""

    def _ask(self) -> None:
        attempt = 0
        while (again := self._try(PAUSE_FIRST_S * 2**attempt)) is not None:
            fault, pause_s = again
            if pause_s > PAUSE_MAX_S:
                raise SourceBusy(peace(fault, pause_s), pause_s=pause_s)
            attempt += 1
            if attempt >= (self._attempts if self._has_answered else self._connects):
                raise SourceFailed(fault.tried(attempt))
            self._sleep(pause_s)

    def _try(self, pause_s: float) -> tuple[Fault, float] | None:
        """Ask once; return why to try again, and after which pause; None: there is a token."""
        form = {"grant_type": "client_credentials", "client_id": self._client.client_id, "client_secret": self._secret}
        if self._client.scope:
            form["scope"] = self._client.scope
        try:
            answer = self._http.post(self._client.token_url, data=form, headers={"Accept": "application/json"})
        except httpx.ConnectError as error:
            return Fault("no-connection", {"place": self._place, "said": str(error)}), pause_s
        except httpx.HTTPError as error:
            return Fault("no-answer", {"place": self._place, "said": type(error).__name__}), pause_s
        self._has_answered = True
        if answer.status_code in _TRY_AGAIN:
            asked_s = retry_after_s(answer.headers.get("Retry-After"))
            fault = Fault("answered", {"place": self._place, "said": str(answer.status_code)})
            return fault, pause_s if asked_s is None else asked_s
        if answer.status_code != httpx.codes.OK:
            said = f"{answer.status_code}{_named(answer)}"
            raise SourceFailed(Fault("client-refused", {"place": self._place, "said": said}))
        try:
            granted = msgspec.json.decode(answer.content[:ANSWER_BYTES_MAX], type=_Granted)
            life_s = DEFAULT_LIFE_S if granted.expires_in is None else float(granted.expires_in)
        except (msgspec.MsgspecError, ValueError):
            raise SourceFailed(Fault("no-token", {"place": self._place})) from None
        if (
            granted.token_type.lower() != "bearer"
            or not granted.access_token.isprintable()
            or not granted.access_token.isascii()
        ):
            raise SourceFailed(Fault("no-bearer-token", {"place": self._place}))
        self._token = granted.access_token
        self._good_until_s = self._clock() + max(life_s - min(EARLY_S, life_s / 5), 0.0)
        return None

    @property
    def _place(self) -> str:
        parts = urlsplit(self._client.token_url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _named(answer: httpx.Response) -> str:
    """Return the code of a refusal: `invalid_client, AADSTS7000215`."""
    try:
        refused = msgspec.json.decode(answer.content[:ANSWER_BYTES_MAX], type=_Refused)
    except msgspec.MsgspecError:
        return ""
    codes = [
        found[0]
        for found in (_CODE.fullmatch(refused.error), _MICROSOFT_CODE.match(refused.error_description))
        if found
    ]
    return f" ({', '.join(codes)})" if codes else ""
