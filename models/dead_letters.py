"""A dead letter as an operator looks at it: where the record came from, why it is here, and what names it for good.

A record that somebody has sent again with its headers, and that failed again, has those of both lives. Of the program's
own only those from the last `__connect.errors.topic` on are of the present one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from models.codes import normalise_code
from models.errors import BadCode, BadInput, without_values
from models.identifiers import canonical_uuid, is_uuid
from models.outgoing import AGAIN, ERASED, RECORDS, TRUNCATED, TRUNCATED_TO

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from models.outgoing import Headers
    from models.records import Record

TOPIC: Final = "__connect.errors.topic"
_ERRORS: Final = "__connect.errors."
_OWN: Final = "referrals."

UNKNOWN: Final = "unknown"
"""The reason of what is no dead letter of ours: somebody wrote it."""


LISTED_MAX: Final = 10_000
"""Dead letters of an organisation that are listed for it, the latest; one bad producer must not fill a disk."""
LISTED_DAYS: Final = 400
"""And of so many days, by when they were written; as long as clicks are kept."""


class _Named(msgspec.Struct, gc=False):
    referral_code: Any = None
    org_id: Any = None


_named: Final = msgspec.json.Decoder(_Named).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A dead letter."""

    topic: str
    """Full name of the topic that it stands in."""
    partition: int
    offset: int
    at: datetime | None
    """When it was written there."""
    key: bytes | None
    value: bytes | None
    carried: Headers
    """The headers that its sender gave it."""
    source_topic: str
    """Full name of the topic that the record was read from; empty where nothing says it."""
    source_partition: int
    source_offset: int
    reason: str
    """The kind of fault, as the contract lists them."""
    message: str
    """What is wrong, without what stood in the event."""
    stage: str
    records: int
    """How many records it stands for; only the first is in it."""
    is_cut: bool
    """Only the beginning of its value is kept."""
    is_again: bool
    """A rebuild has sent it once more."""
    is_erased: bool
    """Its member was erased while the record waited for its code; a pseudonym stands in his place."""

    @property
    def name(self) -> str:
        """Return what commands call it: partition/offset."""
        return f"{self.partition}/{self.offset}"

    @property
    def source(self) -> str:
        """Return the coordinates of the record that it is of."""
        return f"{self.source_topic}/{self.source_partition}/{self.source_offset}" if self.source_topic else UNKNOWN

    @property
    def identity(self) -> bytes:
        """Return what is the same of every dead letter of one record, and of no other's.

        A rebuild, a crash, and a second consumer that cannot use the record either send more than one. The bytes are in
        it because a topic that is made anew begins again with its coordinates.
        """
        digest = sha256(b"%d:" % len(self.key or b"") + (self.key or b"") + (self.value or b"")).hexdigest()[:32]
        return f"{self.source}#{digest}".encode()

    @property
    def digest(self) -> str:
        """Return what stands for its identity where only a digest is kept."""
        return digest_of(self.identity)

    def named(self) -> tuple[str | None, str | None]:
        """Return the referral code, normalised, and the organisation that the event names; None where it does not."""
        try:
            event = _named(self.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            event = _Named()
        org_id = canonical_uuid(event.org_id) if isinstance(event.org_id, str) and is_uuid(event.org_id) else None
        for typed in (event.referral_code, (self.key or b"").decode("utf-8", "replace")):
            try:
                return normalise_code(typed), org_id
            except (BadCode, TypeError):
                continue
        return None, org_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which dead letters are meant; what is empty asks for nothing."""

    reasons: Collection[str] = ()
    topics: Collection[str] = ()
    """Full names of the topics that the records were read from."""
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, letter: Letter) -> bool:
        """Tell whether a letter is meant."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.source_topic in self.topics)
            and (self.code is None or letter.named()[0] == self.code)
            and (self.since is None or (letter.at is not None and letter.at >= self.since))
            and (self.until is None or (letter.at is not None and letter.at < self.until))
        )


def digest_of(identity: bytes) -> str:
    """Return 16 bytes that stand for a record's identity, in the form of a UUID."""
    return str(UUID(bytes=blake2b(identity, digest_size=16).digest()))


def letter_of(record: Record, at: datetime | None) -> Letter:
    """Return the dead letter that a record of the topic is; `at` is the record's time."""
    begins = max((number for number, (name, _) in enumerate(record.headers) if name == TOPIC), default=None)
    present = dict(record.headers[begins:]) if begins is not None else {}

    def said(name: str) -> str:
        return (present.get(name) or b"").decode("utf-8", "replace")

    carried = [(name, value) for name, value in record.headers[:begins] if not name.startswith((_ERRORS, _OWN))]
    return Letter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=at,
        key=record.key,
        value=record.value,
        carried=carried,
        source_topic=said(TOPIC),
        source_partition=_number(said(f"{_ERRORS}partition")),
        source_offset=_number(said(f"{_ERRORS}offset")),
        reason=said(f"{_ERRORS}exception.class.name") or UNKNOWN,
        message=without_values(BadInput(said(f"{_ERRORS}exception.message"))),
        stage=said(f"{_ERRORS}stage") or UNKNOWN,
        records=max(_number(said(RECORDS)), 1),
        is_cut=len(record.value or b"") >= TRUNCATED_TO and any(name == TRUNCATED for name, _ in record.headers),
        is_again=AGAIN in present,
        is_erased=any(name == ERASED for name, _ in record.headers),
    )


def _number(digits: str) -> int:
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else -1  # noqa: PLR2004  2**63
