"""Who asks: bearer tokens (JWT), and the guards that hold routes to organisation and role.

A token is one that our own secret signed (HS256), or the identity provider whose keys stand at `jwt_jwks_url` (RS256,
ES256). The algorithm follows from the key, never from the token. Without either setting every protected route answers
503 and names the settings, so that the routes that need no token can be run without.

Of what is another organisation's a caller does not learn that it exists: 404.
"""

from __future__ import annotations

import asyncio
import http.client
import math
import time
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, cast

import jwt
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from edges.registry.tokens import ROLES, SECRET_BYTES_MIN, Role
from edges.web.problems import Problem, unavailable
from models.identifiers import canonical_uuid, is_uuid
from process.settings import Settings, SettingsError

__all__ = [
    "BEARER",
    "ROLES",
    "BadToken",
    "Identity",
    "ProviderKeys",
    "Role",
    "TokenVerifier",
    "coordinators_of_org",
    "mentor_or_coordinator",
    "onboarding_of_org",
]

BEARER: Final[list[dict[str, list[str]]]] = [{"bearer": []}]
"""What a guarded route says to OpenAPI: `security=BEARER`."""

LEEWAY_S: Final = 5
"""How far the clocks of two machines may be apart."""
REQUIRED_CLAIMS: Final = ("sub", "org", "role", "exp", "iat", "iss", "aud")

BELIEVED_S: Final = 60.0
"""A token that was verified is believed for so long, if it does not expire before. Verifying takes 75 us, a third of
what an answer from the database takes."""
BELIEVED_MAX: Final = 10_000
"""Tokens believed at the same time, about 400 bytes each."""

KEYS_KEPT_S: Final = 300.0
"""The provider's keys are asked for again after this time."""
KEYS_OUTLIVE_S: Final = 3_600.0
"""They are still used for so long while the provider is away."""
KEYS_RETRY_S: Final = 10.0
"""The provider is asked at most so often: it is away, or a token names a key that nobody has."""
KEYS_TIMEOUT_S: Final = 3.0

MISSING: Final = "the header `Authorization: Bearer TOKEN` is missing"
SEVERAL: Final = "there is more than one header `Authorization`; send one"
NO_BEARER: Final = "the header `Authorization` holds no bearer token; send `Authorization: Bearer TOKEN`"
EXPIRED: Final = "the token has expired; ask for a new one where it came from"
NOT_ACCEPTED: Final = "the token is none of this installation's; send one that was issued for it"

_ALGORITHMS_OF_PROVIDERS: Final = ("RS256", "ES256")

Connection = ASGIConnection[Any, Any, Any, Any]


class Identity(Struct, frozen=True, gc=False):
    """Who asks, as his token says; identifiers in lower case."""

    org_id: str
    subject: str
    role: Role
    expires_s: float = math.inf
    """Until when the token is good, in seconds of Unix time."""


Claims = dict[str, Any]

_WHOLE_ORGANISATION: Final = frozenset({"coordinator", "org_admin"})
"""Roles that may see everybody in their organisation; whatever other role comes may not."""
_NOBODY: Final = (0.0, Identity("", "", "mentor"))


class BadToken(Exception):  # noqa: N818  read as what is wrong
    """A token that proves nothing; the message tells whoever sent it what is missing."""

    def __init__(self, message: str = NOT_ACCEPTED) -> None:
        super().__init__(message)


class TokenVerifier:
    """Turns tokens into identities."""

    def __init__(self, settings: Settings) -> None:
        """Take the secret or the provider from the settings; raise SettingsError where they cannot be used."""
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._secret = settings.jwt_secret.get_secret_value().encode() if settings.jwt_secret else None
        if self._secret is not None and len(self._secret) < SECRET_BYTES_MIN:
            msg = f"REFERRALS_JWT_SECRET has fewer than {SECRET_BYTES_MIN} bytes; make one with: openssl rand -hex 32"
            raise SettingsError(msg)
        self._provider = ProviderKeys(settings.jwt_jwks_url) if settings.jwt_jwks_url else None
        self._believed: dict[bytes, tuple[float, Identity]] = {}

    @property
    def is_configured(self) -> bool:
        """Whether any token can be verified."""
        return self._secret is not None or self._provider is not None

    async def verify(self, token: str) -> Identity:
        """Return whose token it is.

        Raises:
            BadToken: it proves nothing.
            Problem: 503, tokens cannot be verified now.

        """
        fingerprint = sha256(token.encode()).digest()
        good_until, identity = self._believed.get(fingerprint, _NOBODY)
        if time.time() < good_until:
            return identity
        claims = await self._verified_claims(token)
        identity = _identity(claims)
        if len(self._believed) >= BELIEVED_MAX:
            self._believed.clear()
        self._believed[fingerprint] = (min(identity.expires_s, time.time() + BELIEVED_S), identity)
        return identity

    async def _verified_claims(self, token: str) -> Claims:
        if not self.is_configured:
            msg = "no token can be verified here: set REFERRALS_JWT_SECRET or REFERRALS_JWT_JWKS_URL"
            raise unavailable(msg)
        if self._provider is None:
            return self._decode(token, self._secret, "HS256")
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except Exception as fault:  # a token is a stranger's text, and whatever a decoder trips over is its fault
            raise BadToken from fault
        if self._secret is not None and key_id is None:
            return self._decode(token, self._secret, "HS256")
        key = await self._provider.find(key_id)
        return self._decode(token, key.key, key.algorithm_name)

    def _decode(self, token: str, key: Any, algorithm: str) -> Claims:  # noqa: ANN401  a key of any kind
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_S,
                options={"require": list(REQUIRED_CLAIMS)},
            )
        except jwt.ExpiredSignatureError as fault:
            raise BadToken(EXPIRED) from fault
        except Exception as fault:  # the same
            raise BadToken from fault


class ProviderKeys:
    """The keys of an identity provider (JWKS), fetched in a thread, at most one fetch at a time.

    Whose key is known waits for no fetch: it goes on beside. Who waits, does for KEYS_TIMEOUT_S at most, however slowly
    the provider speaks.
    """

    def __init__(self, url: str) -> None:
        try:
            self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=KEYS_TIMEOUT_S)
        except jwt.PyJWKClientError as fault:
            msg = f"REFERRALS_JWT_JWKS_URL: {fault}"
            raise SettingsError(msg) from None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_s: float | None = None
        self._tried_s: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: object) -> jwt.PyJWK:
        """Return a key by its id.

        Raises:
            BadToken: the provider has no such key.
            Problem: 503, the provider does not say.

        """
        if not isinstance(key_id, str):
            raise BadToken
        if self._is_due(key_id) and self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        if self._fetching is not None and (key_id not in self._keys or self._is_too_old()):
            await asyncio.wait({self._fetching}, timeout=KEYS_TIMEOUT_S)
        if self._is_too_old():
            msg = "the identity provider's keys cannot be had: REFERRALS_JWT_JWKS_URL does not answer with any"
            raise unavailable(msg)
        try:
            return self._keys[key_id]
        except KeyError:
            raise BadToken from None

    def _is_due(self, key_id: str) -> bool:
        now_s = time.monotonic()
        if self._tried_s is not None and now_s - self._tried_s < KEYS_RETRY_S:
            return False
        return self._fetched_s is None or now_s - self._fetched_s > KEYS_KEPT_S or key_id not in self._keys

    def _is_too_old(self) -> bool:
        return self._fetched_s is None or time.monotonic() - self._fetched_s > KEYS_OUTLIVE_S

    async def _fetch(self) -> None:
        try:
            keys = await asyncio.to_thread(self._client.get_signing_keys)
        except (jwt.PyJWTError, OSError, ValueError, http.client.HTTPException):
            pass  # the keys that are known stay
        else:
            # A key that names another algorithm, or none of ours, is not one of ours.
            self._keys = {
                key.key_id: key for key in keys if key.key_id and key.algorithm_name in _ALGORITHMS_OF_PROVIDERS
            }
            self._fetched_s = time.monotonic()
        finally:
            self._tried_s = time.monotonic()
            self._fetching = None


def _identity(claims: Claims) -> Identity:
    """Return the identity that verified claims state; raise BadToken where they do not have our types."""
    subject, org_id, role = claims["sub"], claims["org"], claims["role"]
    times = (claims["exp"], claims["iat"])
    if (
        not (isinstance(subject, str) and is_uuid(subject) and isinstance(org_id, str) and is_uuid(org_id))
        or not (isinstance(role, str) and role in ROLES)
        or any(isinstance(at, bool) or not isinstance(at, int | float) for at in times)
    ):
        raise BadToken
    return Identity(canonical_uuid(org_id), canonical_uuid(subject), role, float(claims["exp"]) + LEEWAY_S)


async def coordinators_of_org(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001  a guard's signature
    """Guard: coordinators and administrators of the organisation in the path."""
    identity = await _authenticate(connection)
    _require_own_organisation(connection, identity)
    if identity.role not in _WHOLE_ORGANISATION:
        raise Problem(HTTPStatus.FORBIDDEN, f"a token of the role {identity.role} may not see this; a coordinator may")


async def mentor_or_coordinator(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001  a guard's signature
    """Guard: the mentor in the path himself, coordinators and administrators of the organisation in the path."""
    identity = await _authenticate(connection)
    _require_own_organisation(connection, identity)
    if identity.role in _WHOLE_ORGANISATION:
        return
    if identity.role != "mentor":
        raise Problem(HTTPStatus.FORBIDDEN, f"a token of the role {identity.role} may not see this")
    if str(connection.path_params["mentor_id"]).lower() != identity.subject:
        raise Problem(HTTPStatus.FORBIDDEN, "a mentor may only see what is his own")


async def onboarding_of_org(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001  a guard's signature
    """Guard: the onboarding screen of the organisation in the path, and nobody else."""
    identity = await _authenticate(connection)
    _require_own_organisation(connection, identity)
    if identity.role != "onboarding":
        raise Problem(HTTPStatus.FORBIDDEN, "only a token of the role onboarding may post here")


async def _authenticate(connection: Connection) -> Identity:
    """Return who asks; it becomes the connection's user."""
    try:
        identity = await connection.app.state.services.tokens.verify(_bearer_token(connection))
    except BadToken as fault:
        raise Problem(HTTPStatus.UNAUTHORIZED, str(fault), headers={"WWW-Authenticate": _challenge(fault)}) from None
    connection.scope["user"] = identity
    return cast("Identity", identity)


def _bearer_token(connection: Connection) -> str:
    """Return the token that came with the request; raise BadToken where there is not exactly one."""
    given = [value for name, value in connection.scope["headers"] if name == b"authorization"]
    if not given:
        raise BadToken(MISSING)
    if len(given) > 1:  # a proxy before us may have read the other
        raise BadToken(SEVERAL)
    scheme, _, token = given[0].partition(b" ")
    if scheme.lower() != b"bearer" or not token.strip():
        raise BadToken(NO_BEARER)
    return token.strip().decode("latin-1")


def _challenge(fault: BadToken) -> str:
    """Return what a client is told to do by a header (RFC 6750, 3): no error where it sent nothing."""
    return "Bearer" if str(fault) == MISSING else f'Bearer error="invalid_token", error_description="{fault}"'


def _require_own_organisation(connection: Connection, identity: Identity) -> None:
    if str(connection.path_params["org_id"]).lower() != identity.org_id:
        raise Problem(HTTPStatus.NOT_FOUND, "nothing is here")
