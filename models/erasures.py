"""Members who were erased (GDPR, article 17): their pairs stand still, and no row holds their id any more.

An erasure is a record of the registrations topic, in the partition of its code. So it has its place among the events
of its pair: those before it count, those after it say nothing, however the topics interleave and however often they are
read again. It names the pair by a pseudonym, a digest of code and member, and never by the member.

Rows of the table `members` beside those of pairs, which begin with a code and have no `/`:

    '/'                        -> the partition has erased pairs, so that others' events cost nothing
    code '/'                   -> the code has erased pairs: nobody else's events need a digest
    code '/' pseudonym (16 B)  -> the pair as it stood when it was erased; NOT_COUNTED: no event of it had counted
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from uuid import UUID

from msgspec import structs

from models.codes import CANONICAL_CODE
from models.errors import BadInput
from models.events import Erasure, Registration, encode_event, parse_event
from models.identifiers import derived_uuid
from models.members import Pair, pack_pair, pair_key
from models.outgoing import ERASED
from models.traces import TRACEPARENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from models.records import StoredRecord

NOT_COUNTED: Final = 3
"""State of an erased pair of which no event has counted; beside PENDING, CONFIRMED and WITHDRAWN."""

PSEUDONYM_BYTES: Final = 16
_SEPARATOR: Final = b"/"
_CODE_KEY_BYTES_MAX: Final = 13
"""A code and `/`: the keys of pairs are longer."""
_HAS_ERASED: Final = b"\1"


def pseudonym(code: str, member_id: str) -> bytes:
    """Return what stands for a pair when its member is erased: 16 bytes that do not lead back to him."""
    return _digest(pair_key(code, member_id))


def pair_name(pair: bytes) -> str:
    """Return a pseudonym as events and tables write it: in the form of a UUID, though it is none."""
    return str(UUID(bytes=pair))


def erasure_of(code: str, member_id: str, *, at: datetime) -> Erasure:
    """Return the event that erases a member under a code; the same pair has the same `erasure_id`."""
    pair = pair_name(pseudonym(code, member_id))
    return Erasure(
        erasure_id=derived_uuid(f"erasure:{code}:{pair}"),
        referral_code=code,
        status="erased",
        erased_pair=pair,
        erased_at=at,
    )


def erased_key(code: str, pair: bytes) -> bytes:
    """Return the key of an erased pair's row; no pair that was not erased can have it."""
    return _code_key(code) + pair


def marker_of(rows: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the row that says that a partition has erased pairs, of a table that has every other; else nothing."""
    is_any = any(len(key) <= _CODE_KEY_BYTES_MAX for key in rows)
    return {_SEPARATOR: _HAS_ERASED} if is_any else {}


def code_of_row(key: bytes) -> str | None:
    """Return the code of a row that names its member; None: it is another one."""
    code = key[:-PSEUDONYM_BYTES].decode("latin-1")
    return code if CANONICAL_CODE.fullmatch(code) else None


class MemberRows:
    """The rows of members as one step of the stream sees and changes them; `changed` collects those written."""

    __slots__ = ("_has_erased", "_rows", "changed")

    def __init__(self, rows: Mapping[bytes, bytes]) -> None:
        self._rows = rows
        self._has_erased = _SEPARATOR in rows
        self.changed: dict[bytes, bytes | None] = {}
        """None: deleted."""

    def get(self, key: bytes) -> bytes | None:
        """Return a row; None: there is none."""
        return self.changed[key] if key in self.changed else self._rows.get(key)

    def is_erased(self, code: str, member_id: str) -> bool:
        """Tell whether the pair is erased. Costs a digest only under a code that has such pairs."""
        if not self._has_erased or self.get(_code_key(code)) is None:
            return False
        return self.get(erased_key(code, pseudonym(code, member_id))) is not None

    def erase(self, code: str, pair: bytes) -> bool:
        """Put the row without the id in the place of the pair's; False where nothing is left to be done.

        Whose row it is, only digests tell: all rows are looked at, 0.1 us each, and those of the code are digested.
        """
        key = erased_key(code, pair)
        named = next((key for key in self._named(code) if _digest(key) == pair), None)
        stood = self.get(key)
        if named is None and stood is not None:
            return False
        if stood is None:
            # One that stands stays: an older worker, which did not know of it, has counted the pair once more since.
            row = None if named is None else self.get(named)
            self.changed[key] = row or pack_pair(Pair(NOT_COUNTED, 0, ""))
            self.changed[_code_key(code)] = self.changed[_SEPARATOR] = _HAS_ERASED
            self._has_erased = True
        if named is not None:
            self.changed[named] = None
        return True

    def _named(self, code: str) -> Iterator[bytes]:
        """Yield the keys of the code's pairs that name their members."""
        prefix = code.encode()
        length = len(prefix) + PSEUDONYM_BYTES
        for keys in (self.changed, self._rows):
            for key in keys:
                if key.startswith(prefix) and len(key) == length and self.get(key) is not None:
                    yield key


def without_member(record: StoredRecord, code: str, pair: bytes) -> StoredRecord | None:
    """Return a record that waits as it is kept once its member is erased; None: it is not one of this pair.

    The pseudonym stands where the id stood. Of what its sender added, the channel and the trace stay: an id may be
    anywhere in the rest.
    """
    if record.is_erased:
        return None
    try:
        event = parse_event(Registration, record.value)
    except BadInput:
        return None
    try:
        if pseudonym(code, event.new_member_id) != pair:
            return None
    except ValueError:  # no UUID
        return None
    return structs.replace(
        record,
        key=code.encode(),
        value=encode_event(structs.replace(event, new_member_id=pair_name(pair))),
        headers=[*((name, value) for name, value in record.headers if name == TRACEPARENT), (ERASED, b"1")],
        is_erased=True,
    )


def _code_key(code: str) -> bytes:
    return code.encode() + _SEPARATOR


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=PSEUDONYM_BYTES).digest()
