"""Signing in with an OpenID provider, against one that is real but for its people (tests/openid_provider.py)."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from edges.web import provider_keys
from edges.web.sign_in import provider as module
from edges.web.sign_in.claims import NotKnownHere, Person
from edges.web.sign_in.flow import Flow, new_flow
from edges.web.sign_in.provider import Declined, NotVouchedFor, OpenIdProvider, ProviderAway
from process.settings import Settings, SettingsError, load_settings
from tests.openid_provider import CLIENT, Claims, OpenIdProviderDouble, new_key, public

OURS: Final = "https://referrals.example"
HS256: Final = {"alg": "HS256", "typ": "JWT"}
ORG: Final = "6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6"

Make = Callable[..., OpenIdProvider]


@pytest.fixture(scope="module", name="running")
def running_double() -> Iterator[OpenIdProviderDouble]:
    """Give a provider that runs."""
    with OpenIdProviderDouble() as running:
        yield running


@pytest.fixture
def double(running: OpenIdProviderDouble) -> Iterator[OpenIdProviderDouble]:
    """Give the provider as it was made, and put it back afterwards."""
    kept = dict(vars(running))
    running.claims = {**running.claims, "org": ORG, "role": "coordinator"}
    running.asked, running.answers, running.metadata = [], {}, {}
    yield running
    vars(running).update(kept)


def settings_of(double: OpenIdProviderDouble, **changed: Any) -> Settings:  # noqa: ANN401  settings of any type
    """Return the settings of a client."""
    return load_settings(**double.settings(OURS, **changed))


@pytest.fixture
async def client(double: OpenIdProviderDouble) -> AsyncIterator[OpenIdProvider]:
    """Give a client of the provider."""
    client = OpenIdProvider(settings_of(double))
    yield client
    await client.close()


async def go_there(client: OpenIdProvider, flow: Flow) -> dict[str, str]:
    """Go where the client says, as a browser, and return what it is sent back with."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(await client.where_to_sign_in(flow))
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{OURS}/sign-in/callback"
    return {name: values[0] for name, values in parse_qs(back.query).items()}


async def sign_in(client: OpenIdProvider) -> Person:
    """Sign in as a browser would; return who it is."""
    flow = new_flow("/dashboard", time.time())
    answer = await go_there(client, flow)
    assert flow.is_answered_by(answer["state"], time.time())
    return await client.person(flow, answer)


async def test_whoever_the_provider_vouches_for_is_signed_in(
    client: OpenIdProvider, double: OpenIdProviderDouble
) -> None:
    """A subject need not be a UUID; metadata and keys are asked for once."""
    for _ in range(2):
        assert await sign_in(client) == Person(ORG, "auth0|5f7c8ec7c33c6c004bbafe82", "coordinator")
    assert sorted(set(double.asked)) == ["/.well-known/openid-configuration", "/authorize", "/keys", "/token"]
    assert double.asked.count("/keys") == double.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize("methods", [["client_secret_basic"], ["client_secret_post"], None])
async def test_the_secret_is_shown_as_the_provider_takes_it(
    double: OpenIdProviderDouble, methods: list[str] | None
) -> None:
    """In the header, by the form's rules, or in the form."""
    double.metadata = {"token_endpoint_auth_methods_supported": methods} if methods else {}
    client = OpenIdProvider(settings_of(double))
    assert (await sign_in(client)).org_id == ORG
    await client.close()


async def test_a_wrong_secret_is_said_in_the_log(double: OpenIdProviderDouble) -> None:
    """The provider's own word for it."""
    client = OpenIdProvider(settings_of(double, oidc_client_secret=SecretStr("another")))
    with pytest.raises(NotVouchedFor, match="refuses with 400 and says invalid_client"):
        await sign_in(client)
    await client.close()


BAD_CLAIMS: Final[list[tuple[Claims, str]]] = [
    ({"iss": "https://somebody.example"}, "InvalidIssuerError"),
    ({"iss": None}, "MissingRequiredClaimError"),
    ({"aud": "another client"}, "InvalidAudienceError"),
    ({"aud": None}, "MissingRequiredClaimError"),
    ({"aud": [CLIENT, "another"]}, "azp is not REFERRALS_OIDC_CLIENT_ID"),
    ({"aud": [CLIENT, "another"], "azp": "another"}, "azp is not REFERRALS_OIDC_CLIENT_ID"),
    ({"azp": "another"}, "azp is not REFERRALS_OIDC_CLIENT_ID"),
    ({"nonce": "of another sign-in"}, "its nonce is not ours"),
    ({"nonce": None}, "MissingRequiredClaimError"),
    ({"sub": None}, "MissingRequiredClaimError"),
    ({"exp": int(time.time()) - 90}, "ExpiredSignatureError"),
    ({"exp": None}, "MissingRequiredClaimError"),
    ({"iat": int(time.time()) + 30 * 24 * 60 * 60}, "ImmatureSignatureError"),
    ({"nbf": int(time.time()) + 30 * 24 * 60 * 60}, "ImmatureSignatureError"),
]


@pytest.mark.parametrize(("claims", "reason"), BAD_CLAIMS)
async def test_claims_that_prove_nothing(
    client: OpenIdProvider, double: OpenIdProviderDouble, claims: Claims, reason: str
) -> None:
    """Whose, for whom, in which sign-in and when: each is looked at."""
    double.claims |= claims
    with pytest.raises(NotVouchedFor, match=reason):
        await sign_in(client)


GOOD_CLAIMS: Final[list[Claims]] = [
    {"aud": [CLIENT]},
    {"aud": [CLIENT, "another"], "azp": CLIENT},
    {"azp": CLIENT},
]


@pytest.mark.parametrize("claims", GOOD_CLAIMS)
async def test_claims_that_are_good(client: OpenIdProvider, double: OpenIdProviderDouble, claims: Claims) -> None:
    """A token for several says for whom it was made."""
    double.claims |= claims
    assert (await sign_in(client)).org_id == ORG


async def test_clocks_may_be_a_minute_apart(client: OpenIdProvider, double: OpenIdProviderDouble) -> None:
    """The provider's clock may be ahead of ours, or behind."""
    now_s = int(time.time())
    for ahead_s in (40, -40):
        double.claims |= {"iat": now_s + ahead_s, "exp": now_s + ahead_s + 10}
        assert (await sign_in(client)).org_id == ORG


def by_public_key(claims: Claims, key: rsa.RSAPrivateKey, header: dict[str, str]) -> str:
    """Return a token whose secret (HS256) is the text of a public key; PyJWT itself would refuse to make one."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (HS256 | header, claims)]
    signature = hmac.digest(pem, b".".join(parts), "sha256")
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


async def test_signatures_that_prove_nothing(client: OpenIdProvider, double: OpenIdProviderDouble) -> None:
    """Other algorithms, other keys, none at all: the algorithm is the key's, whatever the token says."""
    good, other = double.key, new_key()
    header = {"kid": double.key_id}
    forgeries: list[Callable[[Claims], str]] = [
        lambda claims: jwt.encode(claims, "", "none", header),
        lambda claims: by_public_key(claims, good, header),
        lambda claims: jwt.encode(claims, good, "RS512", header),
        lambda claims: jwt.encode(claims, good, "PS256", header),
        lambda claims: jwt.encode(claims, other, "RS256", header),
        lambda claims: jwt.encode(claims, good, "RS256"),
        lambda claims: jwt.encode(claims, other, "RS256", header | {"jwk": public(other, double.key_id)}),
        lambda claims: jwt.encode(claims, good, "RS256", header)[:-4],
        lambda _: "no token",
    ]
    for double.sign in forgeries:
        with pytest.raises(NotVouchedFor, match="id_token"):
            await sign_in(client)


async def test_the_provider_changes_its_keys(
    client: OpenIdProvider, double: OpenIdProviderDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is not known is asked for; one that is gone is good for nothing."""
    await sign_in(client)
    former = double.key
    double.key, double.key_id = new_key(), "two"
    double.keys = [public(double.key, "two")]
    monkeypatch.setattr(provider_keys, "KEYS_RETRY_S", 0.0)
    assert (await sign_in(client)).org_id == ORG
    double.sign = lambda claims: jwt.encode(claims, former, "RS256", {"kid": "one"})
    with pytest.raises(NotVouchedFor, match="signed by no key"):
        await sign_in(client)


async def test_a_key_to_encrypt_with_signs_nothing(double: OpenIdProviderDouble) -> None:
    """Keycloak publishes one beside the others."""
    double.keys = [public(double.key, double.key_id, use="enc", alg="RSA-OAEP"), public(new_key(), "three")]
    client = OpenIdProvider(settings_of(double))
    with pytest.raises(NotVouchedFor, match="signed by no key"):
        await sign_in(client)
    await client.close()


async def test_a_code_is_good_for_the_browser_that_asked(client: OpenIdProvider) -> None:
    """Another's verifier does not open it (PKCE), and it opens once."""
    flow, another = (new_flow(None, time.time()) for _ in range(2))
    answer = await go_there(client, flow)
    with pytest.raises(NotVouchedFor, match="invalid_grant"):
        await client.person(another, answer)
    answer = await go_there(client, flow)
    await client.person(flow, answer)
    with pytest.raises(NotVouchedFor, match="invalid_grant"):
        await client.person(flow, answer)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"error": "access_denied"}, Declined),
        ({"error": "invalid_scope"}, NotVouchedFor),
        ({"error": "<script>"}, NotVouchedFor),
        ({}, NotVouchedFor),
        ({"code": "of another provider", "iss": "https://somebody.example"}, NotVouchedFor),
    ],
)
async def test_answers_without_a_code_of_ours(
    client: OpenIdProvider, double: OpenIdProviderDouble, answer: dict[str, str], fault: type[Exception]
) -> None:
    """Somebody turned back, the provider refuses, or it is another that answers: nobody is asked for a token."""
    with pytest.raises(fault) as refused:
        await client.person(new_flow(None, time.time()), answer)
    assert "<" not in str(refused.value)
    assert "/token" not in double.asked


async def test_a_provider_that_is_away_comes_back(
    client: OpenIdProvider, double: OpenIdProviderDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, it is not hammered, and it needs no restart."""
    double.answers["/.well-known/openid-configuration"] = (503, b"later")
    for _ in range(3):
        with pytest.raises(ProviderAway):
            await client.where_to_sign_in(new_flow(None, time.time()))
    assert len(double.asked) == 1
    del double.answers["/.well-known/openid-configuration"]
    monkeypatch.setattr(module, "METADATA_RETRY_S", 0.0)
    assert (await sign_in(client)).org_id == ORG
    monkeypatch.setattr(module, "METADATA_KEPT_S", 0.0)
    double.answers["/.well-known/openid-configuration"] = (503, b"later")
    assert (await sign_in(client)).org_id == ORG, "what is known goes on"
    double.answers["/token"] = (200, b"x" * 300_000)
    with pytest.raises(ProviderAway, match="more than"):
        await sign_in(client)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"issuer": "https://somebody.example"}, "calls itself 'https://somebody.example'"),
        ({"token_endpoint": "ftp://somebody.example"}, "token_endpoint"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
    ],
)
async def test_metadata_that_cannot_be_used(
    client: OpenIdProvider, double: OpenIdProviderDouble, metadata: dict[str, Any], said: str
) -> None:
    """The provider has to be the one that was named, and asked by https."""
    double.metadata = metadata
    with pytest.raises(ProviderAway, match=said):
        await client.where_to_sign_in(new_flow(None, time.time()))


async def test_somebody_who_is_nobody_here(client: OpenIdProvider, double: OpenIdProviderDouble) -> None:
    """The message is for the log: claim and setting, and nothing of the person."""
    double.claims |= {"org": "the secret society"}
    with pytest.raises(NotKnownHere, match="REFERRALS_OIDC_ORGANISATIONS") as refused:
        await sign_in(client)
    assert "society" not in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"oidc_client_id": None}, "REFERRALS_OIDC_CLIENT_ID"),
        ({"public_url": None}, "REFERRALS_PUBLIC_URL"),
        ({"oidc_organisations": "alder=one"}, "REFERRALS_OIDC_ORGANISATIONS: alder='one'"),
        ({"oidc_roles": "lead=onboarding"}, "REFERRALS_OIDC_ROLES: lead='onboarding'"),
    ],
)
def test_settings_that_cannot_be_used(double: OpenIdProviderDouble, changed: dict[str, Any], said: str) -> None:
    """They are named at the start."""
    with pytest.raises(SettingsError, match=said):
        OpenIdProvider(settings_of(double, **changed))
