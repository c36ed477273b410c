"""The contract's events as the oracle reads them: usable, or unusable and why.

JSON and RFC 3339 are read by msgspec, as anybody's library may be; what the contract asks beyond them is checked here.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec

VALUE_BYTES_MAX = 65_536
BRACKETS_MAX = 400
"""More is 'too large' (contract, rule 5)."""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTHS = range(8, 13)
CHANNEL_LENGTH = 32
NO_CHANNEL = "unknown"
UUID_FORM = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")

BAD_EVENT = "BadEvent"
BAD_CODE = "BadCode"

CODES_REMEMBERED = 1_000_000
"""Spellings of codes whose normal form is kept, to read a busy code only once."""


class Unusable(Exception):  # noqa: N818  a verdict on a record, not a failure of the oracle
    """The record must be a dead letter; `classes` are the class names that it may have."""

    def __init__(self, *classes: str) -> None:
        super().__init__(" and ".join(classes))
        self.classes = frozenset(classes)


class Issued(NamedTuple):
    """A code was issued."""

    code: str
    org_id: str
    mentor_id: str


class Clicked(NamedTuple):
    """A link was opened."""

    code: str
    org_id: str | None
    channel: str
    at: datetime


class Registered(NamedTuple):
    """A registration came, was confirmed or was withdrawn."""

    code: str
    org_id: str | None
    channel: str
    at: datetime
    attribution_id: str
    member_id: str
    status: str


class Erased(NamedTuple):
    """The member of a registration was erased: it changes no more."""

    code: str
    pair: str
    """32 hexadecimal digits: what `pair_of` says of code and member."""


Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Device(msgspec.Struct):
    share_channel: str | None = None


class _CodeIssued(msgspec.Struct):
    referral_code: str
    org_id: str
    mentor_id: str
    issued_at: Instant


class _Click(msgspec.Struct):
    click_id: str
    referral_code: str
    occurred_at: Instant
    org_id: str | None = None
    device_metadata: _Device | None = None


class _Registration(msgspec.Struct):
    attribution_id: str
    referral_code: str
    new_member_id: str
    status: Literal["pending_signup", "confirmed", "withdrawn"]
    occurred_at: Instant
    org_id: str | None = None
    device_metadata: _Device | None = None


class _Erasure(msgspec.Struct):
    erasure_id: str
    referral_code: str
    status: Literal["erased"]
    erased_pair: str
    erased_at: Instant


_Shape = TypeVar("_Shape", _CodeIssued, _Click, _Registration, _Erasure)

_read_code_issued = msgspec.json.Decoder(_CodeIssued)
_read_click = msgspec.json.Decoder(_Click)
_read_registration = msgspec.json.Decoder(_Registration)
_read_erasure = msgspec.json.Decoder(_Erasure)
_normal_forms: dict[str, str | None] = {}


def issued(value: bytes | None) -> Issued:
    """Read a CodeIssued, or raise Unusable."""
    event = _shape(_read_code_issued, value)
    code = _check(event.referral_code, event.org_id, event.mentor_id)
    return Issued(code, event.org_id.lower(), event.mentor_id.lower())


def clicked(value: bytes | None) -> Clicked:
    """Read a Click, or raise Unusable."""
    event = _shape(_read_click, value)
    code = _check(event.referral_code, event.click_id, event.org_id)
    org_id = event.org_id.lower() if event.org_id is not None else None
    return Clicked(code, org_id, channel(event.device_metadata), event.occurred_at)


def registered(value: bytes | None) -> Registered | Erased:
    """Read a Registration or an Erasure, or raise Unusable."""
    try:
        event = _shape(_read_registration, value)
    except Unusable:
        return _erased(value)
    code = _check(event.referral_code, event.attribution_id, event.new_member_id, event.org_id)
    org_id = event.org_id.lower() if event.org_id is not None else None
    return Registered(
        code,
        org_id,
        channel(event.device_metadata),
        event.occurred_at,
        event.attribution_id.lower(),
        event.new_member_id.lower(),
        event.status,
    )


def _erased(value: bytes | None) -> Erased:
    event = _shape(_read_erasure, value)
    code = _check(event.referral_code, event.erasure_id, event.erased_pair)
    return Erased(code, event.erased_pair.replace("-", "").lower())


def pair_of(code: str, member_id: str) -> str:
    """Return what an erasure names of a pair in the place of its member: BLAKE2b of code and id, of 16 bytes."""
    return hashlib.blake2b(code.encode() + bytes.fromhex(member_id.replace("-", "")), digest_size=16).hexdigest()


def normalise(typed: str) -> str | None:
    """Return a code as Crockford reads it; None: it is none."""
    if typed in _normal_forms:
        return _normal_forms[typed]
    code = ""
    for letter in typed:
        if letter == "-":
            continue
        if letter in "oO":
            code += "0"
        elif letter in "iIlL":
            code += "1"
        elif letter in "abcdefghijklmnopqrstuvwxyz":
            code += letter.upper()
        else:
            code += letter
    is_code = len(code) in CODE_LENGTHS and all(letter in ALPHABET for letter in code)
    if len(_normal_forms) < CODES_REMEMBERED:
        _normal_forms[typed] = code if is_code else None
    return code if is_code else None


def channel(device: _Device | None) -> str:
    """Return the channel that an event names: lower case, at most 32 characters."""
    if device is None or device.share_channel is None:
        return NO_CHANNEL
    name = device.share_channel.replace("\0", "").strip().lower()[:CHANNEL_LENGTH].strip()
    return name or NO_CHANNEL


def _shape(decoder: msgspec.json.Decoder[_Shape], value: bytes | None) -> _Shape:
    """Return the JSON object with the fields and types that its topic asks for."""
    if not value or len(value) > VALUE_BYTES_MAX:
        raise Unusable(BAD_EVENT)
    if value.count(b"{") + value.count(b"[") > BRACKETS_MAX:
        raise Unusable(BAD_EVENT)
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unusable(BAD_EVENT) from None


def _check(typed_code: str, *ids: str | None) -> str:
    """Return the normal form of the code; raise Unusable if it is none, or if an id that is there is no UUID."""
    code = normalise(typed_code)
    faults = set() if code is not None else {BAD_CODE}
    for text in ids:
        if text is not None and not UUID_FORM.fullmatch(text):
            faults.add(BAD_EVENT)
    if code is None or faults:
        raise Unusable(*faults)
    return code
