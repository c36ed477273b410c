"""Credentials of badges without a server: names, keys, and that whatever is said is signed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from openbadgeslib.ob3.ldp import OB3LdpVerifier
from openbadgeslib.ob3.verifier import OB3VerificationError

from edges.open_badges.contexts import load_document
from edges.open_badges.credential import Held, credential_of
from edges.open_badges.issuer import did_document, issuer_of
from edges.open_badges.keys import SigningKey, multibase
from edges.open_badges.proof import sign

ORG: Final = "6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6"
AT: Final = datetime(2026, 11, 29, 8, 30, 15, 999, tzinfo=UTC)
HELD: Final = Held(
    org_id=ORG,
    mentor_id="0d9e8f7a-6b5c-4d3e-9f2a-1b0c9d8e7f6a",
    badge_id="5a1e6b10-0001-5c4e-9f00-7265637275ad",
    badge_name="First recruit",
    criteria="Brought 1 member.",
    awarded_at=AT,
    organisation="Alder & Co",
    holder="Åse Bjørn",
)
ISSUER: Final = f"did:web:refer.example:orgs:{ORG}"
KEY: Final = SigningKey(bytes(range(32)))


@pytest.mark.parametrize(
    ("public_url", "issuer"),
    [
        ("https://refer.example", f"did:web:refer.example:orgs:{ORG}"),
        ("https://refer.example/", f"did:web:refer.example:orgs:{ORG}"),
        ("https://refer.example:8443", f"did:web:refer.example%3A8443:orgs:{ORG}"),
        ("https://example.org/refer a friend/", f"did:web:example.org:refer%20a%20friend:orgs:{ORG}"),
        ("http://refer.example", None),
        ("http://127.0.0.1:8080", None),
        (None, None),
    ],
)
def test_the_issuer_is_where_his_keys_are(public_url: str | None, issuer: str | None) -> None:
    """A did:web of the public address; none where that is no https, because verifiers ask by nothing else."""
    assert issuer_of(public_url, ORG) == issuer


@pytest.mark.parametrize(
    ("data", "text"), [(b"Hello World!", "z2NEpo7TZRRrLZSi2U"), (bytes.fromhex("0000287fb4cd"), "z11233QC4")]
)
def test_base58(data: bytes, text: str) -> None:
    """The examples of the draft "The Base58 Encoding Scheme", the second with zeros before it."""
    assert multibase(data) == text


def test_a_key_is_written_as_a_multikey() -> None:
    """The first key pair of RFC 8032: 0xed01 before its public half; the private half is nowhere to be seen."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key = SigningKey(seed)
    assert key.public == multibase(b"\xed\x01" + public)
    assert key.public.startswith("z6Mk")
    assert repr(key) == f"SigningKey({key.public})"
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(key.sign(b"data"), b"other data")
    Ed25519PublicKey.from_public_bytes(public).verify(key.sign(b"data"), b"data")


def test_the_document_has_every_good_key() -> None:
    """Each may sign, so what a key has signed that was replaced stays good."""
    other = SigningKey(bytes(32))
    document = did_document(ISSUER, [KEY, other])
    assert document["id"] == ISSUER
    assert [method["publicKeyMultibase"] for method in document["verificationMethod"]] == [KEY.public, other.public]
    assert document["assertionMethod"] == [f"{ISSUER}#{KEY.public}", f"{ISSUER}#{other.public}"]
    assert {method["controller"] for method in document["verificationMethod"]} == {ISSUER}


def test_its_id_is_the_same_each_time() -> None:
    """Of one award; another badge, mentor or organisation is another credential, and none of the ids is a member's."""

    def named(held: Held) -> str:
        return str(credential_of(held, issuer=ISSUER, language="en")["id"])

    other = "00000000-0000-4000-8000-000000000001"
    assert named(HELD) == named(HELD._replace(badge_name="called otherwise"))
    others = [HELD._replace(badge_id=other), HELD._replace(mentor_id=other), HELD._replace(org_id=other)]
    assert len({named(each) for each in [HELD, *others]}) == 4


def test_nobody_is_named_who_was_not() -> None:
    """Without a name of the organisation or of the mentor there is no empty one."""
    credential = credential_of(HELD._replace(organisation=None, holder=None), issuer=ISSUER, language="nb")
    assert "name" not in credential["issuer"]
    assert "identifier" not in credential["credentialSubject"]
    assert credential["credentialSubject"]["achievement"]["inLanguage"] == "nb"


def test_whatever_is_said_is_signed() -> None:
    """Another text at any place is another signature: no term is one that the contexts leave out without a word."""
    unsigned = credential_of(HELD, issuer=ISSUER, language="en")
    signature = _signature(unsigned)
    places = list(_texts(unsigned))
    assert len(places) == 15
    for place in places:
        changed = copy.deepcopy(unsigned)
        _change(changed, place)
        assert _signature(changed) != signature, place


def test_its_form_is_not_signed() -> None:
    """A wallet may sort what it keeps."""
    unsigned = credential_of(HELD, issuer=ISSUER, language="en")
    assert _signature(dict(reversed(unsigned.items()))) == _signature(unsigned)


def test_the_proof_is_signed() -> None:
    """When it was made, and by whom."""
    unsigned = credential_of(HELD, issuer=ISSUER, language="en")
    later = sign(unsigned, KEY, issuer=ISSUER, at=AT + timedelta(seconds=1))
    assert later["proof"][0]["proofValue"] != _signature(unsigned)
    assert sign(unsigned, KEY, issuer=ISSUER, at=AT)["proof"][0]["created"] == "2026-11-29T08:30:15Z"


def test_the_proof_stands_in_a_list() -> None:
    """As 1EdTech's JSON schema of 2024 wants it, by which verifiers still look at credentials."""
    (proof,) = sign(credential_of(HELD, issuer=ISSUER, language="en"), KEY, issuer=ISSUER, at=AT)["proof"]
    assert proof["type"] == "DataIntegrityProof"


@pytest.mark.parametrize("held", [HELD, HELD._replace(organisation=None, holder=None)])
def test_a_verifier_of_open_badges_takes_it_and_nothing_that_was_changed(held: Held) -> None:
    """By openbadgeslib, which finds the key by did:web and wants each term to mean what it says."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return json.dumps(did_document(ISSUER, [SigningKey(bytes(32)), KEY])).encode()

    verifier = OB3LdpVerifier.for_issuer_did(ISSUER)
    credential = sign(credential_of(held, issuer=ISSUER, language="en"), KEY, issuer=ISSUER, at=AT)
    found = verifier.verify(credential, download=fetch)
    assert (found.name, found.recipient_id) == (held.badge_name, f"urn:uuid:{held.mentor_id}")
    assert asked == [f"https://refer.example/orgs/{ORG}/did.json"]
    credential["credentialSubject"]["achievement"]["name"] = "Another badge"
    with pytest.raises(OB3VerificationError, match="signature"):
        verifier.verify(credential, download=fetch)


def test_nothing_is_fetched() -> None:
    """A context that we do not bring is a fault here, and not a request to wherever it says."""
    with pytest.raises(KeyError):
        load_document("https://example.org/context.json")


def _signature(unsigned: dict[str, Any]) -> str:
    return str(sign(unsigned, KEY, issuer=ISSUER, at=AT)["proof"][0]["proofValue"])


def _texts(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where texts are, but for the contexts and for `type`, whose words mean what contexts say of them."""
    if isinstance(value, str):
        yield place
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        if name not in {"@context", "type"}:
            yield from _texts(each, (*place, name))


def _change(document: dict[str, Any], place: tuple[str | int, ...]) -> None:
    *path, last = place
    there: Any = document
    for name in path:
        there = there[name]
    text = there[last]
    there[last] = text.replace("2026", "2025") if "2026" in text else f"{text}0"
