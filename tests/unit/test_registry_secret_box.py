"""Encryption of the organisations' secrets, and the setting that has its keys."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from edges.registry.errors import SecretUnreadable
from edges.registry.secret_box import Sealed, SecretBox, parse_keys, secret_box
from process.settings import Settings, SettingsError, load_settings
from tests.registry import KEY, SECRET_KEYS

ORG = UUID("0a000000-0000-4000-8000-000000000001")
ID = UUID("0d000000-0000-4000-8000-000000000001")
OTHER = UUID("0a000000-0000-4000-8000-000000000002")
SECRET = b"what nobody else may know"
KEY_2 = bytes(range(32))


def seal(box: SecretBox, secret: bytes = SECRET) -> Sealed:
    """Seal a secret for the row that the tests have."""
    return box.seal(secret, org_id=ORG, secret_id=ID, purpose="code")


def unseal(box: SecretBox, sealed: Sealed) -> bytes:
    """Open it."""
    return box.open(sealed, org_id=ORG, secret_id=ID, purpose="code")


@given(st.binary(max_size=100))
def test_what_was_sealed_is_opened(secret: bytes) -> None:
    """Whatever the secret."""
    box = SecretBox({1: KEY})
    assert unseal(box, seal(box, secret)) == secret


def test_the_form_is_aes_256_gcm_with_the_row_as_associated_data() -> None:
    """A nonce of 12 bytes, then ciphertext and tag, as any other implementation can read it."""
    sealed = seal(SecretBox({1: KEY}))
    row = f"{ORG}/{ID}/code".encode()
    assert AESGCM(KEY).decrypt(sealed.data[:12], sealed.data[12:], row) == SECRET
    assert SECRET not in sealed.data


def test_the_same_secret_is_never_sealed_alike() -> None:
    """A nonce is used once."""
    box = SecretBox({1: KEY})
    assert len({seal(box).data for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "row",
    [
        {"org_id": OTHER, "secret_id": ID, "purpose": "code"},
        {"org_id": ORG, "secret_id": OTHER, "purpose": "code"},
        {"org_id": ORG, "secret_id": ID, "purpose": "webhook"},
    ],
)
def test_in_another_row_it_cannot_be_opened(row: dict[str, UUID | str]) -> None:
    """Copied to another organisation, id or purpose."""
    box = SecretBox({1: KEY})
    with pytest.raises(SecretUnreadable, match="its row was changed"):
        box.open(seal(box), **row)  # type: ignore[arg-type]  # the parameters are of two types


@pytest.mark.parametrize("data", [b"", b"short", bytes(12), bytes(60)])
def test_a_damaged_row_is_said_to_be_one(data: bytes) -> None:
    """Nothing else comes out of it, and no traceback of the library."""
    with pytest.raises(SecretUnreadable, match=r"was not encrypted with key version 1 .*rotate-secret"):
        unseal(SecretBox({1: KEY}), Sealed(1, data))


def test_one_changed_bit_is_noticed() -> None:
    """Wherever it is."""
    box = SecretBox({1: KEY})
    sealed = seal(box)
    for place in range(len(sealed.data)):
        changed = bytearray(sealed.data)
        changed[place] ^= 1
        with pytest.raises(SecretUnreadable):
            unseal(box, Sealed(1, bytes(changed)))


def test_the_highest_version_seals_and_each_opens() -> None:
    """Keys are given in any order."""
    old, both = SecretBox({1: KEY}), SecretBox({2: KEY_2, 1: KEY})
    assert seal(both).key_version == 2
    assert unseal(both, seal(old)) == unseal(both, seal(both)) == SECRET


def test_a_version_that_is_missing_is_named() -> None:
    """Removed too early."""
    with pytest.raises(SecretUnreadable, match="needs key version 1; REFERRALS_SECRET_KEYS has 2: add it"):
        unseal(SecretBox({2: KEY_2}), seal(SecretBox({1: KEY})))


def test_keys_of_the_setting() -> None:
    """Several by commas, spaces around them allowed."""
    assert parse_keys(f"{SECRET_KEYS} , 12:{base64.b64encode(KEY_2).decode()}") == {1: KEY, 12: KEY_2}


SHORT = base64.b64encode(bytes(range(31))).decode()
GOOD = base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "key 1 of 1 does not begin with its version"),
        (GOOD, "key 1 of 1 does not begin with its version"),
        (f"x:{GOOD}", "key 1 of 1 does not begin with its version"),
        (f"0:{GOOD}", "key 1 of 1 does not begin with its version"),
        (f"2147483648:{GOOD}", "key 1 of 1 does not begin with its version"),
        (f"1:{GOOD},", "key 2 of 2 does not begin with its version"),
        ("1:not base64 at all", r"key 1 of 1 \(version 1\) is not base64; make a key with: openssl rand -base64 32"),
        (f"1:{GOOD},2:{SHORT}", r"key 2 of 2 \(version 2\) has 31 bytes instead of 32; make a key with"),
        (f"1:{GOOD},1:{GOOD}", "key 2 of 2 has version 1, like one before it"),
    ],
)
def test_a_bad_setting_is_said_with_the_remedy_and_without_the_key(text: str, fault: str) -> None:
    """It names the variable and the place, and quotes nothing."""
    with pytest.raises(SettingsError, match=f"REFERRALS_SECRET_KEYS: {fault}") as caught:
        parse_keys(text)
    for secret in (GOOD, SHORT, "not base64 at all"):
        assert secret not in str(caught.value)


def test_no_keys_at_all_is_said_with_the_remedy() -> None:
    """The setting is named, and where else they would have been looked for."""
    settings = load_settings()
    with pytest.raises(SettingsError, match="REFERRALS_SECRET_KEYS: not set") as caught:
        secret_box(settings)
    assert str(settings.data_dir) in str(caught.value)


def test_no_key_is_shown() -> None:
    """Neither by the box nor by the settings."""
    settings = Settings(secret_keys=SECRET_KEYS)
    shown = f"{secret_box(settings)!r} {settings!r} {settings.model_dump_json()}"
    assert "SecretBox(versions [1])" in shown
    assert GOOD not in shown
