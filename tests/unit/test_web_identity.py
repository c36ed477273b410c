"""Bearer tokens: which are believed, and what the guards make of them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, Self, get_args
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from litestar import Litestar, Request, get
from litestar.params import FromPath
from litestar.testing import AsyncTestClient
from pydantic import SecretStr

from edges.web import identity, provider_keys
from edges.web.identity import (
    BadToken,
    Identity,
    Role,
    TokenVerifier,
    coordinators_of_org,
    mentor_or_coordinator,
    onboarding_of_org,
)
from edges.web.problems import Problem, problem_handlers
from process.settings import Settings, SettingsError, load_settings

ORG, OTHER_ORG = "0a000000-0000-4000-8000-000000000001", "0a000000-0000-4000-8000-000000000002"
MENTOR, OTHER_MENTOR = "0b000000-0000-4000-8000-000000000001", "0b000000-0000-4000-8000-000000000002"
SECRET = "a secret of thirty-two bytes or more"  # noqa: S105  it guards nothing
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_PEM = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

Claims = dict[str, Any]


def claims(**changed: object) -> Claims:
    """Return a coordinator's claims; what is changed to `...` is left out."""
    now_s = int(time.time())
    good = {
        "iss": "referrals",
        "aud": "referrals",
        "sub": MENTOR,
        "org": ORG,
        "role": "coordinator",
        "iat": now_s,
        "exp": now_s + 60,
    } | changed
    return {name: value for name, value in good.items() if value is not ...}


ProviderKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def signed(payload: Claims, key: str | ProviderKey | None = SECRET, algorithm: str = "HS256", **headers: object) -> str:
    """Return a token."""
    return jwt.encode(payload, key, algorithm, headers=headers or None)  # type: ignore[arg-type]  # None is for none


def by_hand(header: object, payload: object, secret: bytes = SECRET.encode()) -> str:
    """Return a token that no library would make: header and payload as they are, rightly signed with HMAC-SHA256."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = base64.urlsafe_b64encode(hmac.new(secret, text, hashlib.sha256).digest()).rstrip(b"=")
    return f"{text.decode()}.{mac.decode()}"


HS256 = {"alg": "HS256", "typ": "JWT"}
NOW_S = time.time()
DAY_S = 86_400

BAD_TOKENS: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "a word": lambda: "token",
    "two parts": lambda: "a.b",
    "three empty parts": lambda: "..",
    "four parts": lambda: signed(claims()) + ".x",
    "no base64": lambda: "!.!.!",
    "not ASCII": lambda: "ü.ü.ü",
    "header is no JSON": lambda: by_hand(b"{", claims()),
    "header is a list": lambda: by_hand([], claims()),
    "header is no UTF-8": lambda: by_hand(b'{"alg": "\xff"}', claims()),
    "header without algorithm": lambda: by_hand({"typ": "JWT"}, claims()),
    "header nested without end": lambda: by_hand(b"[" * 100_000, claims()),
    "payload is no JSON": lambda: by_hand(HS256, b"{"),
    "payload is a list": lambda: by_hand(HS256, [1]),
    "payload is null": lambda: by_hand(HS256, None),
    "payload nested without end": lambda: by_hand(HS256, b'{"a":' * 100_000),
    "algorithm none": lambda: signed(claims(), None, "none"),
    "algorithm none, signature kept": lambda: by_hand({"alg": "none"}, claims()),
    "algorithm nOnE": lambda: by_hand({"alg": "nOnE"}, claims()),
    "HS512 with the right secret": lambda: signed(claims(), SECRET.ljust(64), "HS512"),
    "RS256 of some key": lambda: signed(claims(), RSA_KEY, "RS256"),
    "an algorithm that is a number": lambda: by_hand({"alg": 256}, claims()),
    "a critical extension": lambda: signed(claims(), crit=["b64"], b64=False),
    "another secret": lambda: signed(claims(), "another secret of thirty-two bytes!"),
    "signature cut off": lambda: signed(claims()).rpartition(".")[0] + ".",
    "signature changed": lambda: signed(claims())[:-4] + "AAAA",
    "payload of another token": lambda: ".".join(
        [signed(claims()).split(".")[0], signed(claims(role="org_admin")).split(".")[1], signed(claims()).split(".")[2]]
    ),
    "expired": lambda: signed(claims(exp=int(NOW_S) - 60)),
    "not yet valid": lambda: signed(claims(nbf=int(NOW_S) + DAY_S)),
    "issued in the future": lambda: signed(claims(iat=int(NOW_S) + DAY_S)),
    "another issuer": lambda: signed(claims(iss="somebody")),
    "another audience": lambda: signed(claims(aud="somebody")),
    "several audiences, none of them us": lambda: signed(claims(aud=["a", "b"])),
    "no expiry": lambda: signed(claims(exp=...)),
    "no time of issue": lambda: signed(claims(iat=...)),
    "no issuer": lambda: signed(claims(iss=...)),
    "no audience": lambda: signed(claims(aud=...)),
    "no subject": lambda: signed(claims(sub=...)),
    "no organisation": lambda: signed(claims(org=...)),
    "no role": lambda: signed(claims(role=...)),
    "expiry is a text": lambda: signed(claims(exp=str(int(NOW_S) + DAY_S))),
    "expiry is true": lambda: by_hand(HS256, claims(exp=True)),
    "expiry is infinite": lambda: by_hand(HS256, claims(exp=float("inf"))),
    "expiry is no number": lambda: by_hand(HS256, claims(exp=float("nan"))),
    "expiry is null": lambda: by_hand(HS256, claims(exp=None)),
    "expiry is a list": lambda: by_hand(HS256, claims(exp=[9_999_999_999])),
    "time of issue is a text": lambda: signed(claims(iat=str(int(NOW_S)))),
    "time of issue is true": lambda: by_hand(HS256, claims(iat=True)),
    "issuer is a list": lambda: by_hand(HS256, claims(iss=["referrals"])),
    "audience is an object": lambda: by_hand(HS256, claims(aud={"referrals": 1})),
    "audience is null": lambda: by_hand(HS256, claims(aud=None)),
    "subject is no UUID": lambda: signed(claims(sub="anna")),
    "subject is empty": lambda: signed(claims(sub="")),
    "subject is a number": lambda: by_hand(HS256, claims(sub=1)),
    "subject is a UUID in braces": lambda: signed(claims(sub=f"{{{MENTOR}}}")),
    "subject is a UUID without hyphens": lambda: signed(claims(sub=MENTOR.replace("-", ""))),
    "subject is a UUID and a line end": lambda: signed(claims(sub=f"{MENTOR}\n")),
    "organisation is no UUID": lambda: signed(claims(org="us")),
    "organisation is a list": lambda: signed(claims(org=[ORG])),
    "organisation is null": lambda: signed(claims(org=None)),
    "role is unknown": lambda: signed(claims(role="root")),
    "role is in upper case": lambda: signed(claims(role="COORDINATOR")),
    "role is a list": lambda: signed(claims(role=["coordinator"])),
    "role is an object": lambda: signed(claims(role={"coordinator": True})),
}


def settings(**given: object) -> Settings:
    """Return settings in which only what is given is configured."""
    return load_settings(**given)


@pytest.fixture
def verifier() -> TokenVerifier:
    """Give a verifier with a secret."""
    return TokenVerifier(settings(jwt_secret=SecretStr(SECRET)))


@pytest.mark.parametrize("make", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
async def test_bad_token(verifier: TokenVerifier, make: Callable[[], str]) -> None:
    """No malformed, forged, expired or incomplete token is believed, and none does more than be refused."""
    with pytest.raises(BadToken):
        await verifier.verify(make())


@pytest.mark.parametrize("role", get_args(Role))
async def test_good_token(verifier: TokenVerifier, role: Role) -> None:
    """A good token says who asks; identifiers come in lower case, one of several audiences is enough."""
    token = signed(claims(role=role, org=ORG.upper(), sub=MENTOR.upper(), aud=["others", "referrals"]))
    found = await verifier.verify(token)
    assert (found.org_id, found.subject, found.role) == (ORG, MENTOR, role)
    assert found.expires_s > time.time()


async def test_a_token_that_was_believed_expires(verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is looked at again when it expires, however often it was good before; and so is one that never was."""
    monkeypatch.setattr(identity, "LEEWAY_S", 0)
    token = signed(claims(exp=time.time() + 1))
    assert await verifier.verify(token) == await verifier.verify(token)
    await asyncio.sleep(1.1)
    for _ in range(2):
        with pytest.raises(BadToken):
            await verifier.verify(token)


async def test_clocks_may_be_apart_by_seconds(verifier: TokenVerifier) -> None:
    """A token of a machine whose clock is a little ahead or behind is good."""
    for changed in ({"iat": int(time.time()) + 3}, {"exp": int(time.time()) - 3}):
        assert (await verifier.verify(signed(claims(**changed)))).org_id == ORG


async def test_without_a_setting_it_is_said_which() -> None:
    """Neither secret nor keys: 503 that names the settings, whatever the token."""
    verifier = TokenVerifier(settings())
    assert not verifier.is_configured
    with pytest.raises(Problem, match="REFERRALS_JWT_SECRET or REFERRALS_JWT_JWKS_URL") as refused:
        await verifier.verify(signed(claims()))
    assert refused.value.status == 503


def test_settings_that_cannot_be_used() -> None:
    """A secret that is easily guessed, and an address that is none, are said at the start."""
    with pytest.raises(SettingsError, match="REFERRALS_JWT_SECRET has fewer than 32 bytes"):
        TokenVerifier(settings(jwt_secret=SecretStr("short")))
    with pytest.raises(SettingsError, match="REFERRALS_JWT_JWKS_URL"):
        TokenVerifier(settings(jwt_jwks_url="file:///etc/passwd"))


class Provider:
    """An identity provider that serves its keys."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] | None = [jwk("rsa", RSA_KEY, use="sig"), jwk("ec", EC_KEY)]
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                provider.may_answer.wait()
                body = json.dumps({"keys": provider.keys}).encode()
                self.send_response(503 if provider.keys is None else 200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys"

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def fresh(key: rsa.RSAPrivateKey, key_id: str) -> str:
    """Return a good token of a provider that nobody has seen before."""
    return signed(claims(jti=str(uuid4())), key, "RS256", kid=key_id)


def jwk(key_id: str | None, key: ProviderKey, **more: object) -> dict[str, Any]:
    """Return a public key as a provider serves it."""
    if isinstance(key, rsa.RSAPrivateKey):
        described = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        described = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**described, **({"kid": key_id} if key_id else {}), **more}


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Give a provider."""
    with Provider() as running:
        yield running


async def test_keys_of_a_provider(provider: Provider) -> None:
    """Tokens of its keys are good; its keys are asked for once."""
    verifier = TokenVerifier(settings(jwt_jwks_url=provider.url))
    for _ in range(3):
        assert (await verifier.verify(signed(claims(), RSA_KEY, "RS256", kid="rsa"))).org_id == ORG
        assert (await verifier.verify(signed(claims(), EC_KEY, "ES256", kid="ec"))).org_id == ORG
    assert provider.asked == 1


async def test_the_algorithm_follows_from_the_key(provider: Provider) -> None:
    """HS256 with the public key as its secret, other algorithms of the same key, and keys of others are refused."""
    provider.keys = [
        jwk("rsa", RSA_KEY),
        jwk("ec", EC_KEY),
        jwk("rsa512", RSA_KEY, alg="RS512"),
        jwk(None, OTHER_RSA_KEY),
    ]
    verifier = TokenVerifier(settings(jwt_jwks_url=provider.url))
    bad = [
        by_hand({"alg": "HS256", "kid": "rsa"}, claims(), RSA_PEM),
        by_hand({"alg": "HS256", "kid": "rsa"}, claims(), json.dumps(jwk("rsa", RSA_KEY)).encode()),
        by_hand({"alg": "none", "kid": "rsa"}, claims()),
        signed(claims(), RSA_KEY, "RS512", kid="rsa"),
        signed(claims(), RSA_KEY, "PS256", kid="rsa"),
        signed(claims(), RSA_KEY, "RS512", kid="rsa512"),
        signed(claims(), OTHER_RSA_KEY, "RS256", kid="rsa"),
        signed(claims(), RSA_KEY, "RS256", kid="ec"),
        signed(claims(), RSA_KEY, "RS256", kid="unknown"),
        signed(claims(), RSA_KEY, "RS256"),
        by_hand({"alg": "RS256", "kid": 1}, claims()),
        signed(claims(), OTHER_RSA_KEY, "RS256", kid="rsa", jwk=jwk("rsa", OTHER_RSA_KEY), jku=provider.url),
        signed(claims(exp=int(time.time()) - 60), RSA_KEY, "RS256", kid="rsa"),
    ]
    for token in bad:
        with pytest.raises(BadToken):
            await verifier.verify(token)
    assert (await verifier.verify(signed(claims(), RSA_KEY, "RS256", kid="rsa"))).org_id == ORG


async def test_a_provider_that_is_away_is_503_and_its_known_keys_stay(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any key is known it is 503, not 401; later a provider that is away changes nothing for a while."""
    keys, provider.keys = provider.keys, None
    verifier = TokenVerifier(settings(jwt_jwks_url=provider.url))
    for _ in range(3):
        with pytest.raises(Problem) as refused:
            await verifier.verify(fresh(RSA_KEY, "rsa"))
        assert refused.value.status == 503
        assert "Retry-After" in refused.value.headers
    assert provider.asked == 1  # not hammered

    provider.keys = keys
    monkeypatch.setattr(provider_keys, "KEYS_RETRY_S", 0.0)
    assert (await verifier.verify(fresh(RSA_KEY, "rsa"))).org_id == ORG
    provider.keys = None
    monkeypatch.setattr(provider_keys, "KEYS_KEPT_S", 0.0)
    assert (await verifier.verify(fresh(RSA_KEY, "rsa"))).org_id == ORG
    await fetched(verifier)
    assert provider.asked == 3
    monkeypatch.setattr(provider_keys, "KEYS_OUTLIVE_S", 0.0)
    with pytest.raises(Problem):
        await verifier.verify(fresh(RSA_KEY, "rsa"))


async def fetched(verifier: TokenVerifier) -> None:
    """Wait until the provider is asked for nothing any more."""
    assert verifier._provider is not None  # noqa: SLF001  it goes on beside
    async with asyncio.timeout(10):
        while verifier._provider._fetching is not None:  # noqa: SLF001, ASYNC110  the same
            await asyncio.sleep(0.01)


async def test_a_slow_provider_holds_nobody_whose_key_is_known(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known keys are good while others are asked for; who names an unknown one waits, but not for ever."""
    verifier = TokenVerifier(settings(jwt_jwks_url=provider.url))
    await verifier.verify(fresh(RSA_KEY, "rsa"))
    provider.may_answer.clear()
    try:
        monkeypatch.setattr(provider_keys, "KEYS_RETRY_S", 0.0)
        monkeypatch.setattr(provider_keys, "KEYS_KEPT_S", 0.0)
        for _ in range(3):
            assert (await verifier.verify(fresh(RSA_KEY, "rsa"))).org_id == ORG
        monkeypatch.setattr(provider_keys, "KEYS_TIMEOUT_S", 0.1)
        with pytest.raises(BadToken):
            await verifier.verify(fresh(RSA_KEY, "unknown"))
    finally:
        provider.may_answer.set()
    await fetched(verifier)
    assert provider.asked == 2


async def test_a_provider_changes_its_keys(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of a key that is not known yet makes the keys be asked for again, but not at once for every token."""
    verifier = TokenVerifier(settings(jwt_jwks_url=provider.url))
    assert (await verifier.verify(signed(claims(), RSA_KEY, "RS256", kid="rsa"))).org_id == ORG
    provider.keys = [jwk("new", OTHER_RSA_KEY)]
    token = signed(claims(), OTHER_RSA_KEY, "RS256", kid="new")
    for _ in range(5):
        with pytest.raises(BadToken):
            await verifier.verify(token)
    assert provider.asked == 1
    monkeypatch.setattr(provider_keys, "KEYS_RETRY_S", 0.0)
    assert (await verifier.verify(token)).org_id == ORG
    with pytest.raises(BadToken):
        await verifier.verify(fresh(RSA_KEY, "rsa"))


async def test_secret_and_provider_together(provider: Provider) -> None:
    """Both kinds of token are good, each by its own key alone."""
    verifier = TokenVerifier(settings(jwt_secret=SecretStr(SECRET), jwt_jwks_url=provider.url))
    assert (await verifier.verify(signed(claims()))).org_id == ORG
    assert (await verifier.verify(signed(claims(), EC_KEY, "ES256", kid="ec"))).org_id == ORG
    for token in (signed(claims(), kid="rsa"), signed(claims(), RSA_KEY, "RS256"), by_hand(HS256, claims(), RSA_PEM)):
        with pytest.raises(BadToken):
            await verifier.verify(token)


@get("/{org_id:str}/all", guards=[coordinators_of_org])
async def everybody(request: Request[Identity, Any, Any], org_id: FromPath[str]) -> str:  # noqa: ARG001  the guard's
    """Answer a coordinator."""
    return request.user.role


@get("/{org_id:str}/{mentor_id:str}", guards=[mentor_or_coordinator])
async def one(org_id: FromPath[str], mentor_id: FromPath[str]) -> str:  # noqa: ARG001  the guard's
    """Answer a mentor, and his coordinator."""
    return "his"


@get("/{org_id:str}/signups", guards=[onboarding_of_org])
async def coming(org_id: FromPath[str]) -> str:  # noqa: ARG001  the guard's
    """Answer the onboarding screen."""
    return "pending"


@pytest.fixture
async def client(verifier: TokenVerifier) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """Give a client of an application with two guarded routes."""
    app = Litestar(
        [everybody, one, coming], exception_handlers=problem_handlers(), logging_config=None, openapi_config=None
    )
    app.state.services = SimpleNamespace(tokens=verifier)
    async with AsyncTestClient(app) as client:
        yield client


MATRIX = [
    ("coordinator", ORG, "all", 200),
    ("org_admin", ORG, "all", 200),
    ("mentor", ORG, "all", 403),
    ("coordinator", OTHER_ORG, "all", 404),
    ("org_admin", OTHER_ORG, "all", 404),
    ("mentor", OTHER_ORG, "all", 404),
    ("coordinator", "us", "all", 404),
    ("mentor", ORG, MENTOR, 200),
    ("mentor", ORG, MENTOR.upper(), 200),
    ("mentor", ORG, OTHER_MENTOR, 403),
    ("mentor", OTHER_ORG, MENTOR, 404),
    ("coordinator", ORG, OTHER_MENTOR, 200),
    ("coordinator", ORG.upper(), OTHER_MENTOR, 200),
    ("org_admin", OTHER_ORG, OTHER_MENTOR, 404),
    ("onboarding", ORG, "all", 403),
    ("onboarding", ORG, MENTOR, 403),  # though it is his id in the token
    ("onboarding", OTHER_ORG, "all", 404),
    ("onboarding", ORG, "signups", 200),
    ("onboarding", OTHER_ORG, "signups", 404),
    ("org_admin", ORG, "signups", 403),
    ("mentor", ORG, "signups", 403),
]


@pytest.mark.parametrize(("role", "org_id", "rest", "status"), MATRIX)
async def test_guards(client: AsyncTestClient[Litestar], role: str, org_id: str, rest: str, status: int) -> None:
    """Organisation first (404), then role and ownership (403)."""
    answer = await client.get(f"/{org_id}/{rest}", headers={"Authorization": f"Bearer {signed(claims(role=role))}"})
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


TOKEN = signed(claims(exp=int(NOW_S) + DAY_S))  # made long before it is used, when the whole suite runs
# Two headers are in tests/integration/test_web_server.py: the test client makes one of them.
BAD_HEADERS: dict[str, tuple[list[tuple[str, str]], str]] = {
    "none": ([], identity.MISSING),
    "empty": ([("Authorization", "")], identity.NO_BEARER),
    "scheme alone": ([("Authorization", "Bearer")], identity.NO_BEARER),
    "scheme and a space": ([("Authorization", "Bearer ")], identity.NO_BEARER),
    "token alone": ([("Authorization", TOKEN)], identity.NO_BEARER),
    "basic": ([("Authorization", f"Basic {TOKEN}")], identity.NO_BEARER),
    "two tokens": ([("Authorization", f"Bearer {TOKEN},Bearer {TOKEN}")], identity.NOT_ACCEPTED),
    "something after the token": ([("Authorization", f"Bearer {TOKEN} x")], identity.NOT_ACCEPTED),
    "expired": ([("Authorization", f"Bearer {signed(claims(exp=int(NOW_S) - 60))}")], identity.EXPIRED),
    "expired and forged": (
        [("Authorization", f"Bearer {signed(claims(exp=int(NOW_S) - 60), 'x' * 40)}")],
        identity.NOT_ACCEPTED,
    ),
    "a cookie": ([("Cookie", f"token={TOKEN}")], identity.MISSING),
    "another header": ([("X-Authorization", f"Bearer {TOKEN}")], identity.MISSING),
}


@pytest.mark.parametrize(("headers", "said"), BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
async def test_bad_header(client: AsyncTestClient[Litestar], headers: list[tuple[str, str]], said: str) -> None:
    """A token counts in exactly one Authorization header, and nowhere else; its sender is told what is missing."""
    answer = await client.get(f"/{ORG}/all?token={TOKEN}&access_token={TOKEN}", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (401, said)
    challenge = "Bearer" if said == identity.MISSING else f'Bearer error="invalid_token", error_description="{said}"'
    assert answer.headers["www-authenticate"] == challenge
    assert TOKEN not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_written_as_one_likes(client: AsyncTestClient[Litestar], scheme: str) -> None:
    """Upper and lower case are the same (RFC 9110)."""
    answer = await client.get(f"/{ORG}/all", headers={"Authorization": f"{scheme} {TOKEN}"})
    assert answer.status_code == 200
