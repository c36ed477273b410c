"""Who asks: bearer tokens (JWT) or a session's cookie, and the guards that hold routes to organisation and role.

A request with an `Authorization` header is a program's, and its cookies count for nothing. Without one a cookie of a
session (`edges/web/sign_in/`) says who asks; where that would change something, the browser must say that one of our
own pages sent it.

A token is one that our own secret signed (HS256), or the identity provider whose keys stand at `jwt_jwks_url` (RS256,
ES256). The algorithm follows from the key, never from the token. Without either setting every protected route answers
503 and names the settings, so that the routes that need no token can be run without.

Of what is another organisation's a caller does not learn that it exists: 404.
"""

from __future__ import annotations

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
from edges.web.provider_keys import NOT_ACCEPTED, BadToken, ProviderKeys
from edges.web.sign_in.cookies import SESSION, comes_from_our_pages, read_cookie
from edges.web.sign_in.credentials import read_credential
from models.identifiers import canonical_uuid, is_uuid
from process.settings import Settings, SettingsError

__all__ = [
    "BEARER",
    "NOT_ACCEPTED",
    "ROLES",
    "BadToken",
    "Identity",
    "ProviderKeys",
    "Role",
    "TokenVerifier",
    "administrators_of_org",
    "coordinators_of_org",
    "find_signed_in",
    "mentor_or_coordinator",
    "onboarding_of_org",
    "require_our_page",
    "signed_in",
    "unauthorised",
]

BEARER: Final[list[dict[str, list[str]]]] = [{"bearer": []}]
"""What a guarded route says to OpenAPI: `security=BEARER`."""
ANYBODY: Final[list[dict[str, list[str]]]] = [{}, {"bearer": []}]
"""The same of a route that answers whoever asks, and some otherwise."""

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""What changes nothing, and may be asked by cookie from anywhere: no other site can read the answer."""

LEEWAY_S: Final = 5
"""How far the clocks of two machines may be apart."""
REQUIRED_CLAIMS: Final = ("sub", "org", "role", "exp", "iat", "iss", "aud")

BELIEVED_S: Final = 60.0
"""A token that was verified is believed for so long, if it does not expire before. Verifying takes 75 us, a third of
what an answer from the database takes."""
BELIEVED_MAX: Final = 10_000
"""Tokens believed at the same time, about 400 bytes each."""

MISSING: Final = "the header `Authorization: Bearer TOKEN` is missing"
SEVERAL: Final = "there is more than one header `Authorization`; send one"
NO_BEARER: Final = "the header `Authorization` holds no bearer token; send `Authorization: Bearer TOKEN`"
EXPIRED: Final = "the token has expired; ask for a new one where it came from"
ENDED: Final = "the session has ended; sign in again"

Connection = ASGIConnection[Any, Any, Any, Any]


class Identity(Struct, frozen=True, gc=False):
    """Who asks, as his token says; identifiers in lower case."""

    org_id: str
    subject: str
    role: Role
    expires_s: float = math.inf
    """Until when token or session is good, in seconds of Unix time."""
    session_id: str | None = None
    """The session whose cookie came; None: a token did."""


Claims = dict[str, Any]

_WHOLE_ORGANISATION: Final = frozenset({"coordinator", "org_admin"})
"""Roles that may see everybody in their organisation; whatever other role comes may not."""
_NOBODY: Final = (0.0, Identity("", "", "mentor"))


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
        self._provider = (
            ProviderKeys(settings.jwt_jwks_url, "REFERRALS_JWT_JWKS_URL") if settings.jwt_jwks_url else None
        )
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


async def administrators_of_org(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001  a guard's signature
    """Guard: administrators of the organisation in the path."""
    identity = await _authenticate(connection)
    _require_own_organisation(connection, identity)
    if identity.role != "org_admin":
        raise Problem(
            HTTPStatus.FORBIDDEN, f"a token of the role {identity.role} may not change this; an org_admin's may"
        )


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
        identity = await (_of_the_cookie if _comes_by_cookie(connection) else _of_the_token)(connection)
    except BadToken as fault:
        raise unauthorised(fault) from None
    connection.scope["user"] = identity
    return identity


async def find_signed_in(connection: Connection) -> Identity | None:
    """Return who asks, None where nobody is signed in; raise Problem, 401, for a token that is not good."""
    has_token = any(name == b"authorization" for name, _ in connection.scope["headers"])
    try:
        return await _authenticate(connection)
    except Problem as problem:
        if has_token or problem.status != HTTPStatus.UNAUTHORIZED:
            raise
        return None


def _comes_by_cookie(connection: Connection) -> bool:
    """Tell whether a session's cookie came, and no token."""
    headers = connection.scope["headers"]
    has_cookie = any(name == b"cookie" and SESSION.encode() in value for name, value in headers)
    return has_cookie and all(name != b"authorization" for name, _ in headers)


def unauthorised(fault: BadToken) -> Problem:
    """Return the problem of who cannot say who he is: 401, with what is missing."""
    return Problem(HTTPStatus.UNAUTHORIZED, str(fault), headers={"WWW-Authenticate": _challenge(fault)})


async def _of_the_token(connection: Connection) -> Identity:
    """Return whose token came; raise BadToken where it proves nothing."""
    return cast("Identity", await connection.app.state.services.tokens.verify(_bearer_token(connection)))


async def _of_the_cookie(connection: Connection) -> Identity:
    """Return whose session the cookie is; raise BadToken where it is nobody's, and Problem, 403, for another site."""
    services = connection.app.state.services
    text = read_cookie(services.settings, connection, SESSION)
    credential = None if text is None else read_credential(text)
    if credential is None:
        raise BadToken(MISSING)
    if connection.scope.get("method") not in _READS:
        require_our_page(services.settings, connection)
    identity = await services.sessions.find(credential)
    if identity is None:
        raise BadToken(ENDED)
    return cast("Identity", identity)


def require_our_page(settings: Settings, connection: Connection) -> None:
    """Raise Problem, 403, where the browser does not say that one of our own pages sent the request."""
    if not comes_from_our_pages(settings, connection):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "this comes by cookie from another site, or from a browser that does not say where from; use the pages of "
            "this server, or send a bearer token",
        )


async def signed_in(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001  a guard's signature
    """Guard: whoever can say who he is."""
    await _authenticate(connection)


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
