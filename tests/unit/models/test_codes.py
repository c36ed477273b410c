"""Referral codes: how they are made, and how those typed by hand are read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import re
from itertools import islice
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codes import code_candidates, normalise_code
from models.errors import BadCode

ORG = UUID("0a000000-0000-4000-8000-000000000001")
MENTOR = UUID("0b000000-0000-4000-8000-000000000001")
SECRET = b"the secret of an organisation"


def make_code(mentor_id: UUID = MENTOR, org_id: UUID = ORG, secret: bytes = SECRET) -> str:
    """Return the code that is tried first."""
    return next(code_candidates(mentor_id, org_id, secret))


def test_a_code_is_what_the_contract_says() -> None:
    """HMAC-SHA256 of mentor id and org id, first 8 bytes, Crockford base32, here by other means."""
    digest = hmac.new(SECRET, str(MENTOR).encode() + str(ORG).encode(), hashlib.sha256).digest()
    to_crockford = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    thirteen = base64.b32encode(digest[:8]).rstrip(b"=").translate(to_crockford).decode()

    assert len(thirteen) == 13
    assert make_code() == thirteen[:10]


def test_a_code_never_changes() -> None:
    """The code of a known mentor: links with it are printed on paper."""
    assert {make_code() for _ in range(100)} == {"TJD9ZQ4AEF"}


@settings(max_examples=100, deadline=None)
@given(st.uuids(), st.uuids(), st.binary(min_size=1, max_size=64))
def test_a_code_is_ten_unambiguous_characters(mentor_id: UUID, org_id: UUID, secret: bytes) -> None:
    """Whatever mentor, organisation and secret: 10 characters of the alphabet, already normal."""
    code = make_code(mentor_id, org_id, secret)

    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{10}", code)
    assert normalise_code(code) == code


def test_codes_of_many_mentors_do_not_meet() -> None:
    """Of 20,000 random mentors no two share a code; that two do has a probability of 2e-7."""
    rng = random.Random(20261120)

    def anyone() -> UUID:
        return UUID(int=rng.getrandbits(128), version=4)

    pairs = {(anyone(), anyone()) for _ in range(20_000)}

    codes = {make_code(*pair) for pair in pairs}
    assert len(codes) == len(pairs) == 20_000
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{10}", code) for code in codes)


@pytest.mark.parametrize(
    ("mentor_id", "org_id", "secret"),
    [(ORG, ORG, SECRET), (MENTOR, MENTOR, SECRET), (ORG, MENTOR, SECRET), (MENTOR, ORG, SECRET + b"!")],
)
def test_mentor_organisation_and_secret_decide(mentor_id: UUID, org_id: UUID, secret: bytes) -> None:
    """Another mentor, another organisation, the two exchanged, or another secret: another code."""
    assert make_code(mentor_id, org_id, secret) != make_code()


def test_a_collision_is_resolved_by_a_suffix() -> None:
    """After the code itself come the code followed by 2, 3, ... 99."""
    code, *suffixed = code_candidates(MENTOR, ORG, SECRET)

    assert suffixed == [f"{code}{suffix}" for suffix in range(2, 100)]


def test_every_candidate_is_a_code() -> None:
    """With its suffix a code has at most the 12 characters that the contract allows, and is normal."""
    candidates = list(code_candidates(MENTOR, ORG, SECRET))

    assert max(map(len, candidates)) == 12
    assert [normalise_code(candidate) for candidate in candidates] == candidates


def test_an_empty_secret_is_refused() -> None:
    """Without a secret anybody could compute the codes."""
    with pytest.raises(ValueError, match="secret"):
        list(islice(code_candidates(MENTOR, ORG, b""), 1))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("ANNA000001", "ANNA000001"),
        ("anna000001", "ANNA000001"),
        ("AnNa-0000-01", "ANNA000001"),
        ("-anna000001--", "ANNA000001"),
        ("annaOOoo01", "ANNA000001"),
        ("ANNA00000I", "ANNA000001"),
        ("anna00000i", "ANNA000001"),
        ("ANNA00000L", "ANNA000001"),
        ("anna00000l", "ANNA000001"),
        ("ABCDEFGH", "ABCDEFGH"),
        ("ABCDEFGHJKMN", "ABCDEFGHJKMN"),
        ("PQRS-TVWX-YZ", "PQRSTVWXYZ"),
    ],
)
def test_a_code_typed_by_hand_is_understood(typed: str, code: str) -> None:
    """Case and hyphens do not matter; O is 0, I and L are 1."""
    assert normalise_code(typed) == code


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "--------",
        "ABCDEFG",
        "ABC-DEFG",
        "ABCDEFGHJKMNP",
        "ANNA00000U",
        "anna00000u",
        " ANNA000001",
        "ANNA000001\n",
        "ANNA 00001",
        "ANNA_00001",
        "ANNA00000\0",
        "ANNA00000\u0131",  # dotless i, which str.upper() makes an I
        "ANNA0000\ufb02",  # the ligature fl, which str.upper() makes FL
        "ANNA00000\u017f",  # long s, which str.upper() makes an S
        "ANNA00000\u0410",  # Cyrillic A
        "ANNA00000\u0661",  # Arabic digit 1, which \d matches
        "ANNA00000\uff11",  # full-width digit 1
        "ANNA\u20100000001",  # a hyphen, but not the ASCII one
        "ANNA00000\ud800",
    ],
)
def test_what_is_no_code_is_refused(typed: str) -> None:
    """Too short, too long, a U, a space, or a letter that only looks like one of ours."""
    with pytest.raises(BadCode, match="referral_code"):
        normalise_code(typed)


def test_the_refusal_quotes_no_more_than_it_must() -> None:
    """A megabyte in the place of a code makes no megabyte of message."""
    with pytest.raises(BadCode) as refused:
        normalise_code("x" * 1_000_000)

    assert len(str(refused.value)) < 200


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abcHJKoOiIlLuU019-", min_size=6, max_size=16))
def test_normalising_twice_changes_nothing(typed: str) -> None:
    """A code that was understood is normal: read again it is itself."""
    try:
        code = normalise_code(typed)
    except BadCode:
        return
    assert normalise_code(code) == code
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{8,12}", code)
