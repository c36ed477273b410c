"""An OpenID provider for tests: a real HTTP server that signs real ID tokens with a real key.

It serves discovery and keys, takes browsers in, and changes codes for tokens; and it is strict: the client's secret,
the address to return to, PKCE, and that a code is used once. Whoever comes is signed in as `claims` say; what is wrong
with a provider's answer is put in by `claims`, `sign`, `metadata` and `answers`.

    with OpenIdProviderDouble() as provider:
        settings = settings.model_copy(update=provider.settings("https://referrals.example"))
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

CLIENT: Final = "referrals client"
SECRET: Final = "a secret: with +, % and ="  # noqa: S105  it guards nothing

Claims = dict[str, Any]


def new_key() -> rsa.RSAPrivateKey:
    """Return a key to sign with."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def public(key: rsa.RSAPrivateKey, key_id: str | None, **more: object) -> dict[str, Any]:
    """Return a key's public half as a provider serves it."""
    described = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**described, "use": "sig", **({"kid": key_id} if key_id else {}), **more}


class OpenIdProviderDouble:
    """The provider; a context manager."""

    def __init__(self) -> None:
        self.key = new_key()
        self.key_id = "one"
        self.keys = [public(self.key, self.key_id)]
        self.claims: Claims = {"sub": "auth0|5f7c8ec7c33c6c004bbafe82"}
        """Beside what every ID token has, or in its place; None: left out."""
        self.sign: Callable[[Claims], str] = self._sign
        self.metadata: dict[str, Any] = {}
        """Of discovery, beside what belongs there, or in its place."""
        self.answers: dict[str, tuple[int, bytes]] = {}
        """What a path answers in place of what it should."""
        self.asked: list[str] = []
        """Paths, in the order in which they were asked for."""
        self._codes: dict[str, dict[str, str]] = {}
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                double._serve(self, b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                double._serve(self, body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/realms/members"

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def settings(self, public_url: str, /, **changed: object) -> dict[str, Any]:
        """Return the settings of a client of it."""
        return {
            "public_url": public_url,
            "oidc_issuer": self.issuer,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SecretStr(SECRET),
        } | changed

    def _sign(self, claims: Claims) -> str:
        return jwt.encode(claims, self.key, "RS256", {"kid": self.key_id})

    def _serve(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path = urlsplit(request.path).path.removeprefix("/realms/members")
        self.asked.append(path)
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        headers: dict[str, str] = {}
        if path in self.answers:
            status, content = self.answers[path]
        elif path == "/.well-known/openid-configuration":
            status, content = 200, json.dumps(self._described() | self.metadata).encode()
        elif path == "/keys":
            status, content = 200, json.dumps({"keys": self.keys}).encode()
        elif path == "/authorize":
            status, content, headers = 302, b"", {"location": self._let_in(query)}
        elif path == "/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            error, answer = self._change(form, request.headers.get("authorization"))
            status, content = 400 if error else 200, json.dumps({"error": error} if error else answer).encode()
        else:
            status, content = 404, b"nothing"
        request.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def _described(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def _let_in(self, asked: dict[str, str]) -> str:
        """Return where the browser is sent back to, with a code for the token."""
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = uuid4().hex
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def _change(self, form: dict[str, str], authorization: str | None) -> tuple[str, dict[str, Any]]:
        """Return an error's name, or the answer for a code."""
        asked = self._codes.pop(form.get("code", ""), None)
        if authorization is not None:
            client, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            client, secret = unquote_plus(client), unquote_plus(secret)
        else:
            client, secret = form.get("client_id", ""), form.get("client_secret", "")
        if (client, secret) != (CLIENT, SECRET):
            return "invalid_client", {}
        challenge = base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return "invalid_grant", {}
        if challenge.decode() != asked["code_challenge"]:
            return "invalid_grant", {}
        now_s = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": asked["nonce"],
        } | self.claims
        token = self.sign({name: value for name, value in claims.items() if value is not None})
        return "", {"access_token": "opaque", "token_type": "Bearer", "id_token": token}
