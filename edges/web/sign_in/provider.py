"""An OpenID provider: where somebody is sent to sign in, and what it says of him (OpenID Connect Core 1.0).

The authorization code flow with PKCE, state and nonce, and nothing else. The provider's metadata are read from its
issuer and kept for an hour; its keys are fetched again when a token names one that is not known, so it may rotate them.
What it says is believed when it is signed by one of these keys with the algorithm of that key, by this issuer, for this
client, for this browser's sign-in, and now: clocks may be a minute apart.

Failure handling: a provider that is away, slow, or answers with what it should not is `ProviderAway`, and everything
but signing in goes on; who is signed in stays so.
"""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, quote_plus, urlencode, urlsplit

import httpx
import jwt
import msgspec

from edges.web.problems import Problem
from edges.web.provider_keys import BadToken, ProviderKeys
from edges.web.sign_in.claims import Claims, ClaimsMapping, Person
from process.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edges.web.sign_in.flow import Flow
    from process.settings import Settings

__all__ = ["CALLBACK", "Declined", "NotVouchedFor", "OpenIdProvider", "ProviderAway", "open_provider"]

CALLBACK: Final = "/sign-in/callback"
"""Where the provider sends people back to, at `public_url`."""
LEEWAY_S: Final = 60
"""How far the provider's clock may be from ours."""
TIMEOUT_S: Final = 8.0
METADATA_KEPT_S: Final = 3_600.0
METADATA_RETRY_S: Final = 5.0
"""A provider that is away is asked at most so often."""
ANSWER_BYTES_MAX: Final = 256 * 1024

_DISCOVERY: Final = "/.well-known/openid-configuration"
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "nonce")


class ProviderAway(Exception):  # noqa: N818  read as what is wrong
    """The provider does not answer as it should; the message says what, for the log."""


class Declined(Exception):  # noqa: N818  read as what is wrong
    """Somebody turned back."""


class NotVouchedFor(Exception):  # noqa: N818  read as what is wrong
    """What came back shows nobody; the message says why, for the log, and holds nothing that came."""


class _Metadata(NamedTuple):
    authorization_url: str
    token_url: str
    keys: ProviderKeys
    keys_url: str
    takes_basic: bool
    """Whether the client's secret goes into the header, and not into the form."""


class OpenIdProvider:
    """The provider of the settings."""

    def __init__(self, settings: Settings) -> None:
        """Take it from the settings; raise SettingsError where they cannot be used."""
        self._issuer = settings.oidc_issuer or ""
        if not settings.oidc_client_id:
            raise SettingsError(
                "REFERRALS_OIDC_CLIENT_ID: not set, and REFERRALS_OIDC_ISSUER is; the provider gives one"
            )
        if settings.public_url is None:
            raise SettingsError(
                "REFERRALS_PUBLIC_URL: not set, and REFERRALS_OIDC_ISSUER is; the provider sends people back there, "
                f"and has to know the address: that one, and {CALLBACK}"
            )
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
        self._redirect_uri = settings.public_url.rstrip("/") + CALLBACK
        self._scopes = settings.oidc_scopes
        self._mapping = ClaimsMapping(settings)
        self.name = settings.oidc_name or urlsplit(self._issuer).hostname or self._issuer
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)
        self._metadata: _Metadata | None = None
        self._read_s: float | None = None
        self._tried_s: float | None = None
        self._reading = asyncio.Lock()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def where_to_sign_in(self, flow: Flow) -> str:
        """Return the address to send a browser to; raise ProviderAway."""
        metadata = await self._find_metadata()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": self._scopes,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge,
            "code_challenge_method": "S256",
        }
        divider = "&" if urlsplit(metadata.authorization_url).query else "?"
        return metadata.authorization_url + divider + urlencode(asked, quote_via=quote)

    async def person(self, flow: Flow, answer: Mapping[str, str]) -> Person:
        """Return who has signed in, by the parameters that the browser came back with; its state was compared.

        Raises:
            Declined: somebody did not want to.
            ProviderAway: it does not say; another try may do.
            NotVouchedFor: what it says proves nothing.
            NotKnownHere: it says who he is, and that is nobody here.

        """
        if answer.get("iss", self._issuer) != self._issuer:  # RFC 9207
            raise NotVouchedFor("the answer comes from another issuer than REFERRALS_OIDC_ISSUER")
        if answer.get("error") == "access_denied":
            raise Declined("somebody turned back at the provider")
        if "code" not in answer:
            raise NotVouchedFor(f"the provider sends {_word(answer.get('error'))} and no code")
        metadata = await self._find_metadata()
        token = await self._exchange(metadata, flow, answer["code"])
        return self._mapping.person(await self._verified(metadata, flow, token))

    async def _exchange(self, metadata: _Metadata, flow: Flow, code: str) -> str:
        """Return the ID token for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": flow.verifier,
        }
        headers = {"Accept": "application/json"}
        if self._secret is not None and metadata.takes_basic:
            pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret)}"  # RFC 6749, 2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self._client_id
            if self._secret is not None:
                form["client_secret"] = self._secret
        answer = await self._ask("POST", metadata.token_url, "for the code", headers=headers, data=form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotVouchedFor("the provider gave no id_token; is `openid` among the scopes that the client may have?")
        return token

    async def _verified(self, metadata: _Metadata, flow: Flow, token: str) -> Claims:
        """Return the claims of an ID token that proves something."""
        try:
            key = await metadata.keys.find(jwt.get_unverified_header(token).get("kid"))
            claims: Claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._client_id,
                leeway=LEEWAY_S,
                options={"require": list(_REQUIRED)},
            )
        except BadToken:
            raise NotVouchedFor(
                "the id_token is signed by no key of the provider's, or by none that may sign"
            ) from None
        except Problem as fault:
            raise ProviderAway(fault.detail) from None
        except Exception as fault:  # noqa: BLE001  whatever a decoder trips over is the token's fault
            raise NotVouchedFor(f"the id_token is not good: {type(fault).__name__}") from None
        if claims["nonce"] != flow.nonce:
            raise NotVouchedFor("the id_token was made for another sign-in: its nonce is not ours")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise NotVouchedFor("the id_token was made for another client: its azp is not REFERRALS_OIDC_CLIENT_ID")
        return claims

    async def _find_metadata(self) -> _Metadata:
        async with self._reading:
            now_s = time.monotonic()
            if self._metadata is not None and self._read_s is not None and now_s - self._read_s < METADATA_KEPT_S:
                return self._metadata
            if self._tried_s is not None and now_s - self._tried_s < METADATA_RETRY_S:
                if self._metadata is not None:
                    return self._metadata
                raise ProviderAway("the provider did not answer just now")
            self._tried_s = now_s
            try:
                self._metadata = self._read_metadata(await self._ask("GET", self._discovery_url, "for its metadata"))
                self._read_s = time.monotonic()
            except (ProviderAway, NotVouchedFor):
                if self._metadata is None:
                    raise
            return self._metadata

    @property
    def _discovery_url(self) -> str:
        return self._issuer.rstrip("/") + _DISCOVERY

    def _read_metadata(self, answer: dict[str, Any]) -> _Metadata:
        if answer.get("issuer") != self._issuer:
            called = str(answer.get("issuer"))[:200]
            raise ProviderAway(
                f"the provider calls itself {called!r}: REFERRALS_OIDC_ISSUER must be that, to the letter"
            )
        urls = []
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            url = answer.get(name)
            if not (isinstance(url, str) and urlsplit(url).hostname and _is_as_safe(url, self._issuer)):
                raise ProviderAway(f"the provider's {name} is no address that is asked by https")
            urls.append(url)
        authorization_url, token_url, keys_url = urls
        ways = answer.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        known = self._metadata
        return _Metadata(
            authorization_url=authorization_url,
            token_url=token_url,
            keys=known.keys
            if known and known.keys_url == keys_url
            else ProviderKeys(keys_url, "REFERRALS_OIDC_ISSUER"),
            keys_url=keys_url,
            takes_basic=isinstance(ways, list) and "client_secret_basic" in ways,
        )

    async def _ask(self, method: str, url: str, what: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401  httpx's own
        """Return an object that the provider answers with."""
        content = b""
        try:
            async with asyncio.timeout(TIMEOUT_S), self._http.stream(method, url, **given) as answer:
                status = answer.status_code
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > ANSWER_BYTES_MAX:
                        raise ProviderAway(f"asked {what}, the provider sends more than {ANSWER_BYTES_MAX:,} bytes")
        except (httpx.HTTPError, TimeoutError) as fault:
            raise ProviderAway(f"asked {what}, the provider does not answer: {type(fault).__name__}") from None
        try:
            body = msgspec.json.decode(content)
        except msgspec.DecodeError:
            body = None
        if status in {400, 401, 403}:
            error = body.get("error") if isinstance(body, dict) else None
            raise NotVouchedFor(f"asked {what}, the provider refuses with {status} and says {_word(error)}")
        if status != 200 or not isinstance(body, dict):  # noqa: PLR2004  OK
            raise ProviderAway(f"asked {what}, the provider answers {status}, and no JSON object with 200")
        return body


def open_provider(settings: Settings) -> OpenIdProvider | None:
    """Return the provider of the settings, None where there is none; raise SettingsError."""
    return None if settings.oidc_issuer is None else OpenIdProvider(settings)


def _is_as_safe(url: str, issuer: str) -> bool:
    """Tell whether an address is asked by https; by http only where the issuer is, on this machine."""
    return url.startswith("https://") or (url.startswith("http://") and issuer.startswith("http://"))


def _word(error: object) -> str:
    """Return an error's name as OAuth has them, for the log; what is none may be anything, and is left out."""
    return error[:60] if isinstance(error, str) and error.replace("_", "").isalnum() else "nothing"
