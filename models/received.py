"""An event as its sender wrote it, made into the event that it certainly is; the edges' half of rule 9.

What is repaired: a byte order mark, names of fields in another case (`referralCode`), ids, codes, times and statuses in
every form of which `models.tolerance` is certain, and `[]`, PHP's empty object. What is refused, with the field and the
remedy: everything else, and a field that is there twice and not the same. Nothing that was sent is quoted.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from models.errors import BadCode, BadEvent
from models.tolerance import STATUS_WORDS, BadTime, read_code, read_instant, read_status, read_uuid

if TYPE_CHECKING:
    from collections.abc import Collection

IDS: Final = frozenset({"attribution_id", "click_id", "new_member_id", "org_id", "mentor_id"})
TIMES: Final = frozenset({"occurred_at", "issued_at"})
ENVELOPES: Final = ("data", "event", "payload", "object", "body", "record")
"""Where others put what we expect at the top."""


class BadField(BadEvent):
    """A field that is not certainly what it should be; `field` is its name, `body` for the whole."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


class Twice(dict[str, Any]):
    """An object that has said something twice, and not the same: `names` are the fields."""

    def __init__(self, pairs: list[tuple[str, Any]], names: frozenset[str]) -> None:
        super().__init__(pairs)
        self.names = names


def quoted(names: Collection[str]) -> tuple[bytes, ...]:
    """Return names of fields as they stand in JSON."""
    return tuple(f'"{name}"'.encode() for name in names)


def may_say_twice(value: bytes, names: tuple[bytes, ...]) -> bool:
    """Tell whether a value may have one of the quoted names twice, of which decoders show the last.

    Quick, 0.1 us for each, and never wrong in no.
    """
    if b"\\" in value:
        return True  # a name may be written with escapes
    for name in names:  # noqa: SIM110  a generator costs half as much again
        if value.count(name) > 1:
            return True
    return False


def read_object(value: bytes) -> dict[str, Any]:
    """Return the JSON object that a value is, a `Twice` where it contradicts itself. Raises BadField."""
    try:
        text = value.removeprefix(BOM_UTF8).decode()
        found = _decoder.decode(text.strip("\ufeff \t\r\n\0"))
    except UnicodeDecodeError:
        raise BadField("body", "is not JSON in UTF-8") from None
    except (ValueError, RecursionError):
        raise BadField("body", "is not JSON in UTF-8" if text.strip() else "is empty; send the event as JSON") from None
    if isinstance(found, list):
        raise BadField("body", "is a list; send each event by itself, as an object")
    if not isinstance(found, dict):
        raise BadField("body", "is not an object; send the event itself as a JSON object, not as a text within one")
    return found


def repaired(given: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the fields of these names with what is certain in the place of how it was written; the others stay.

    Raises BadField for what is not certain. What is missing, or null, is left to whoever decodes the result.
    """
    fields = _by_name(given, names)
    for name in names:
        value = fields.get(name)
        if value is not None and name in _REPAIRS:
            fields[name] = _REPAIRS[name](name, value)
    envelope = next((name for name in ENVELOPES if isinstance(given.get(name), dict)), None)
    if fields.get("referral_code") is None and envelope is not None:
        raise BadField("referral_code", f"is required; send the fields of `{envelope}` as the body itself")
    return fields


def _by_name(given: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the fields with our names for those that have them in another case, or with other signs between."""
    ours = {_folded(name): name for name in names}
    fields: dict[str, Any] = {}
    twice = given.names if isinstance(given, Twice) else frozenset()
    for key, value in given.items():
        name = ours.get(_folded(key), key)
        known = fields.get(name) if name in names else None
        if name in names and (key in twice or (None not in (known, value) and known != value)):
            raise BadField(name, "is there twice, and not the same; send it once")
        fields[name] = value if known is None else known  # null says nothing, so it contradicts nothing
    return fields


def _folded(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _code(_: str, value: object) -> str:
    try:
        return read_code(value)
    except BadCode:
        if not isinstance(value, str):
            raise BadField("referral_code", "is not a text; a number may have lost its zeros") from None
        is_unclear = len(value.split()) > 1
        raise BadField(
            "referral_code",
            "has spaces in it and may be something else; send the code alone, without spaces"
            if is_unclear
            else "is not 8 to 12 characters of Crockford's base32 alphabet",
        ) from None


def _id(name: str, value: object) -> str:
    found = read_uuid(value)
    if found is None:
        is_unset = isinstance(value, str) and not value.strip("{}()- 0fF")
        raise BadField(name, "stands for an id that is not set; send the id" if is_unset else "is not a UUID as a text")
    return found


def _time(name: str, value: object) -> str:
    try:
        return read_instant(value).isoformat()
    except BadTime as fault:
        raise BadField(name, str(fault)) from None


def _status(_: str, value: object) -> str:
    found = read_status(value)
    if found is None:
        raise BadField("status", f"is none of {', '.join(STATUS_WORDS)}")
    return found


def _device(_: str, value: object) -> object:
    if value == []:
        return {}
    if not isinstance(value, dict):
        return value
    try:
        return _by_name(value, ("share_channel",))
    except BadField as fault:
        raise BadField(f"device_metadata.{fault.field}", fault.message) from None


_REPAIRS: Final[dict[str, Callable[[str, object], object]]] = {
    "referral_code": _code,
    "status": _status,
    "device_metadata": _device,
    **dict.fromkeys(IDS, _id),
    **dict.fromkeys(TIMES, _time),
}


def twice_or_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return names and values as an object: a `Twice` where a name has two values."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = frozenset(name for name, value in pairs if value != found[name])
    return Twice(pairs, names) if names else found


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


_decoder: Final = json.JSONDecoder(object_pairs_hook=twice_or_once, parse_constant=_no_constant)
