"""Signatures of webhooks, as Standard Webhooks has them, and the secrets that they are checked with.

The headers are `webhook-id`, `webhook-timestamp` and `webhook-signature`, or the same of `svix-`, as the standard's
forerunner has them; signed is `id.timestamp.body`, the body as it came. A signature is `v1,` and base64 of HMAC-SHA256.
There may be several, whatever stands between them, also in several headers: one has to be right by one of the
organisation's secrets, so that sender and receiver can change over to a new secret at different times. Of id and time
there is one each: which of two is meant is not certain.

Not by the library `standardwebhooks`, which decodes the body to text first (bytes that are no UTF-8 cannot be
verified), takes times like `1.7e9`, overlooks a right signature behind one that it cannot parse, and takes twice as
long (10 us against 4). The tests sign with it.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from binascii import b2a_base64
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from uuid import UUID

import structlog
from msgspec import Struct

from edges.registry.errors import SecretUnreadable
from edges.web.database import DatabaseUnavailable
from models.identifiers import is_uuid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edges.registry.secrets import Purpose

TOLERANCE_S: Final = 300
"""How far a webhook's time may be from ours, both ways."""

FRESH_S: Final = 5.0
"""Secrets are read again after this time; so late a rotation is noticed."""
OUTLIVE_S: Final = 3_600.0
"""They are still used for so long while Postgres is away."""
KEPT_MAX: Final = 10_000
"""Organisations whose secrets are kept; about 300 bytes each."""
NOBODY_MAX: Final = 1_000
"""The same of those that have none, or do not exist: apart, so that invented ones push nobody's secrets out."""
READS_MAX: Final = 4
"""Organisations read at the same time: strangers who make ids up leave connections for the others."""

_ID: Final = re.compile(rb"[!-~]{1,255}")
_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(rb"(?<![\w+/=-])v1, ?([A-Za-z0-9+/]{43}=)(?![\w+/=-])")
"""In a list of any form; base64 of 32 bytes has 44 characters."""
_STANDARD: Final = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
_SVIX: Final = (b"svix-id", b"svix-timestamp", b"svix-signature")
_HEADERS: Final = frozenset(_STANDARD + _SVIX)
_SIGNATURES: Final = frozenset((_STANDARD[2], _SVIX[2]))

log = structlog.get_logger("web")


class BadSignature(Exception):  # noqa: N818  read as what is wrong
    """A webhook that nobody who knows a secret has signed, or not now; the message says which, without its content."""


class SignedHeaders(NamedTuple):
    """A webhook's headers, each in its form; whether they are right is not known yet."""

    id: bytes
    timestamp: bytes
    signatures: list[bytes]
    """Base64, without the version."""
    traceparent: bytes | None = None
    """The trace that it belongs to, as it says; not signed, and of no meaning here."""

    @property
    def sent_s(self) -> int:
        """When it was sent, in seconds of Unix time."""
        return int(self.timestamp)


def signed_headers(headers: Iterable[tuple[bytes, bytes]]) -> SignedHeaders:
    """Return the headers of a signature, names in lower case; raise BadSignature where they are not all there, once.

    Where a sender has both families, as Svix does, the standard's are read.
    """
    given = list(headers)
    found = dict(given)
    if len(found) != len(given):
        found = _joined(given)
    names = _SVIX if found.keys().isdisjoint(_STANDARD) and not found.keys().isdisjoint(_SVIX) else _STANDARD
    try:
        webhook_id, timestamp, signatures = found[names[0]], found[names[1]], found[names[2]]
    except KeyError:
        missing = ", ".join(name.decode() for name in names if name not in found)
        msg = f"{missing}: needed, beside the others of webhook-id, -timestamp and -signature"
        raise BadSignature(msg) from None
    if not _ID.fullmatch(webhook_id):
        raise BadSignature("webhook-id is not 1 to 255 printable characters without spaces")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadSignature("webhook-timestamp is not a whole number of seconds of Unix time; milliseconds are not")
    found_signatures = _SIGNATURE.findall(signatures)
    if not found_signatures:
        raise BadSignature("webhook-signature has no `v1,` and base64 of 32 bytes behind it")
    return SignedHeaders(webhook_id, timestamp, found_signatures, found.get(b"traceparent"))


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers of which some came several times: signatures one behind the other; raise BadSignature for ids."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in found:
            found[name] = value
        elif name in _SIGNATURES:
            found[name] += b" " + value
        elif name in _HEADERS:
            raise BadSignature(f"{name.decode()} came twice")
    return found


def verify(headers: SignedHeaders, body: bytes, secrets: Sequence[bytes], *, now_s: float) -> None:
    """Return if one of the secrets has signed the webhook, and just now; raise BadSignature otherwise."""
    if abs(headers.sent_s - now_s) > TOLERANCE_S:
        raise BadSignature(f"webhook-timestamp is more than {TOLERANCE_S} seconds from now")
    signed = b"%b.%b.%b" % (headers.id, headers.timestamp, body)
    # Every pair is compared, each in constant time: how long it takes tells nothing of a secret.
    is_right = False
    for secret in secrets:
        expected = b2a_base64(hmac.digest(secret, signed, "sha256"), newline=False)
        for signature in headers.signatures:
            is_right |= hmac.compare_digest(signature, expected)
    if not is_right:
        raise BadSignature("webhook-signature is not right for any secret of the organisation")


class Secrets(Protocol):
    """Where the secrets of an organisation come from."""

    async def good(self, org_id: UUID, purpose: Purpose) -> list[bytes]:
        """Return the secrets that are good now, empty where there are none."""


class _Kept(Struct):
    secrets: list[bytes]
    read_s: float
    tried_s: float


class WebhookSecrets:
    """The secrets of organisations, kept in memory for a few seconds, and longer while Postgres is away."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._nobody: OrderedDict[str, _Kept] = OrderedDict()
        self._reading: dict[str, asyncio.Task[list[bytes]]] = {}
        self._places = asyncio.Semaphore(READS_MAX)

    async def good(self, org_id: str) -> list[bytes]:
        """Return the secrets that are good now; empty where there are none, or no such organisation.

        Raises:
            DatabaseUnavailable: they are not known, and cannot be read.

        """
        among = self._kept if org_id in self._kept else self._nobody
        kept = among.get(org_id)
        if kept is None:
            return await self._read_once(org_id) if is_uuid(org_id) else []
        among.move_to_end(org_id)
        now_s = time.monotonic()
        if now_s - kept.tried_s < FRESH_S:
            return kept.secrets
        kept.tried_s = now_s  # whoever comes meanwhile takes what is there
        try:
            return await self._read_once(org_id)
        except DatabaseUnavailable:
            if now_s - kept.read_s > OUTLIVE_S:
                among.pop(org_id, None)
                raise
            return kept.secrets

    async def _read_once(self, org_id: str) -> list[bytes]:
        """Read from Postgres; all who ask at the same time wait for the same answer."""
        reading = self._reading.get(org_id)
        if reading is None:
            reading = self._reading[org_id] = asyncio.create_task(self._read(org_id))
            reading.add_done_callback(lambda _: self._reading.pop(org_id, None))
        return await asyncio.shield(reading)

    async def _read(self, org_id: str) -> list[bytes]:
        async with self._places:
            try:
                secrets = await self._secrets.good(UUID(org_id), "webhook")
            except SecretUnreadable as error:
                log.error("secret_unreadable", reason=str(error))  # noqa: TRY400  the reason says all
                msg = "the organisation's secret cannot be decrypted here"
                raise DatabaseUnavailable(msg) from error
        now_s = time.monotonic()
        among, others, most = (
            (self._kept, self._nobody, KEPT_MAX) if secrets else (self._nobody, self._kept, NOBODY_MAX)
        )
        among[org_id] = _Kept(secrets, now_s, now_s)
        others.pop(org_id, None)
        if len(among) > most:
            among.popitem(last=False)
        return secrets
