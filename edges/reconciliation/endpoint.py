"""Asks an HTTP endpoint, patiently and within bounds.

Failure handling: an answer 429 or 5xx, a connection that fails and a silence are tried again, after pauses that double
and as `Retry-After` asks, `ATTEMPTS` times in all, or as `Patience` says where somebody looks on; who asks for longer
peace is come back to later (SourceBusy). A token that is refused is renewed once, where it can be. Anything else is
final. The whole answer to one request is bounded in size and time. Redirects are followed within the origin. An error
names the page by its path: what follows it may hold a member's id.
"""

from __future__ import annotations

import email.utils
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any, Final, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

import httpx
import structlog

from edges.reconciliation.address import followed, origin_of
from edges.reconciliation.errors import PageGone, SourceBusy, SourceFailed
from edges.reconciliation.reasons import Fault

ATTEMPTS: Final = 8
PAUSE_FIRST_S: Final = 0.5
PAUSE_MAX_S: Final = 120.0
"""The longest pause that is waited for here; where `Retry-After` asks for more, others are asked meanwhile."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Seconds of silence."""
ANSWER_S_MAX: Final = 300.0
"""Seconds for a whole answer, so that a trickle ends too."""
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""A page of 5,000 members with all their columns has some 10 MB."""
REDIRECTS_MAX: Final = 5

_TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_GONE: Final = frozenset({400, 404, 410})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)  # they log each address whole, which may name a member

log = structlog.get_logger("reconciliation")


class Answer(NamedTuple):
    """What the endpoint answered."""

    url: str
    """Where it was found, after redirects."""
    body: bytes
    next_link: str | None = None
    """Of its Link header."""
    headers: Mapping[str, str] = {}
    """Names in lower case."""


class Patience(NamedTuple):
    """How often a source is asked before it has failed."""

    attempts: int = ATTEMPTS
    connects: int = ATTEMPTS
    """Where no connection comes about, as long as nothing was ever answered: its address may be wrong."""


PATIENT: Final = Patience()
LOOKING: Final = Patience(connects=1)
"""Somebody waits for what would be done: an address that cannot be reached is named at once."""
ASKED_ONCE: Final = Patience(1, 1)


class _TryAgain(Exception):  # noqa: N818 - a turn of the loop, not an error
    def __init__(self, fault: Fault, pause_s: float | None = None, *, is_unreachable: bool = False) -> None:
        super().__init__(fault)
        self.fault = fault
        self.pause_s = pause_s
        self.is_unreachable = is_unreachable


class Tokens(Protocol):
    """Where a bearer token comes from that does not last."""

    def token(self) -> str:
        """Return the token to be sent. Raises SourceFailed."""

    def forget(self) -> None:
        """Forget a token that was refused."""


class Endpoint:
    """One membership system; a context manager."""

    def __init__(
        self,
        url: str,
        *,
        token: str | Tokens | None,
        headers: Mapping[str, str],
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        patience: Patience = PATIENT,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        """Make it without connecting.

        Args:
            url: an address at its origin.
            token: the bearer token, or where it comes from; None: none is sent.
            headers: sent with every request.
            answer_bytes_max: a larger answer is an error.
            patience: how often it is asked.
            sleep: waits between attempts.

        """
        self._origin = origin_of(url)
        self._answer_bytes_max = answer_bytes_max
        self._patience = patience
        self._has_answered = False
        self._sleep = sleep
        self._token = token
        self._may_renew = True
        sent = {"User-Agent": "referral-streams", **headers}
        # A proxy of the environment is for other machines, and would be handed the token in the clear.
        self._client = httpx.Client(headers=sent, timeout=TIMEOUT, trust_env=not self._origin.is_loopback)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Let the connections go."""
        self._client.close()

    def get(self, url: str) -> Answer:
        """Return the answer to GET.

        Raises:
            PageGone: the address is refused as wrong or no longer there.
            SourceBusy: it asks for more peace than is waited for here.
            SourceFailed: no answer that can be used, however often it was asked.

        """
        self._may_renew = True
        for attempt in range(self._patience.attempts):
            try:
                return self._follow(url)
            except _TryAgain as fault:
                often = self._patience.attempts
                if fault.is_unreachable and not self._has_answered:
                    often = min(often, self._patience.connects)
                pause_s = PAUSE_FIRST_S * 2**attempt if fault.pause_s is None else fault.pause_s
                if pause_s > PAUSE_MAX_S:
                    raise SourceBusy(peace(fault.fault, pause_s), pause_s=pause_s) from None
                if attempt + 1 >= often:
                    raise SourceFailed(fault.fault.tried(often)) from None
                log.info("source_asked_again", page=_place(url), reason=str(fault), pause_s=round(pause_s, 1))
                self._sleep(pause_s)
        raise AssertionError  # the last attempt returns or raises

    def _follow(self, url: str) -> Answer:
        for _ in range(REDIRECTS_MAX + 1):
            answer = self._ask(url)
            if isinstance(answer, Answer):
                return answer
            url = followed(answer, page=url)
        raise SourceFailed(Fault("redirects", {"place": _place(url), "count": str(REDIRECTS_MAX)}))

    def _ask(self, url: str) -> Answer | str:
        """Return the answer, or where a redirect leads."""
        if origin_of(url) != self._origin:
            raise SourceFailed(Fault("other-origin"))
        token = self._token if self._token is None or isinstance(self._token, str) else self._token.token()
        try:
            with self._client.stream(
                "GET", url, headers={"Authorization": f"Bearer {token}"} if token else {}
            ) as response:
                self._has_answered = True
                if response.status_code == httpx.codes.UNAUTHORIZED and self._is_renewed():
                    raise _TryAgain(Fault("answered", {"place": _place(url), "said": "401"}), 0.0)
                self._check(response, url)
                if response.status_code in _REDIRECTS:
                    return str(response.headers.get("Location", ""))
                body = self._body(response, url)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(url, body, next_link(response), headers)
        except httpx.ConnectError as error:  # refused, no such host, a certificate that is not trusted
            raise _TryAgain(
                Fault("no-connection", {"place": _place(url), "said": str(error)}), is_unreachable=True
            ) from None
        except httpx.HTTPError as error:
            # Its text may quote the address; its class says what happened.
            raise _TryAgain(Fault("no-answer", {"place": _place(url), "said": type(error).__name__})) from None
        except httpx.InvalidURL:
            raise SourceFailed(Fault("no-address", {"place": _place(url)})) from None

    def _is_renewed(self) -> bool:
        """Tell whether there will be another token; once for each page."""
        if self._token is None or isinstance(self._token, str) or not self._may_renew:
            return False
        self._may_renew = False
        self._token.forget()
        return True

    def _check(self, response: httpx.Response, url: str) -> None:
        status = response.status_code
        said = {"place": _place(url), "said": str(status)}
        if status in _TRY_AGAIN:
            raise _TryAgain(Fault("answered", said), retry_after_s(response.headers.get("Retry-After")))
        if status in {401, 403}:
            raise SourceFailed(Fault("refused", said))
        if status in _GONE:
            raise PageGone(Fault("answered", said))
        if status != httpx.codes.OK and status not in _REDIRECTS:
            raise SourceFailed(Fault("answered", said))

    def _body(self, response: httpx.Response, url: str) -> bytes:
        body = bytearray()
        deadline_s = time.monotonic() + ANSWER_S_MAX
        for piece in response.iter_bytes():
            body += piece
            if len(body) > self._answer_bytes_max:
                raise SourceFailed(Fault("too-large", {"place": _place(url), "bytes": f"{self._answer_bytes_max:,}"}))
            if time.monotonic() > deadline_s:
                raise SourceFailed(Fault("too-long", {"place": _place(url), "seconds": f"{ANSWER_S_MAX:.0f}"}))
        return bytes(body)


def peace(fault: Fault, pause_s: float) -> Fault:
    """Return what is said of who asks for so many seconds of peace."""
    return Fault("peace", {"place": fault.values["place"], "said": fault.values["said"], "seconds": f"{pause_s:.0f}"})


def next_link(response: httpx.Response) -> str | None:
    """Return where a Link header leads next: one of a link's relations, in any case (RFC 8288, 3.3)."""
    for link in response.links.values():
        said = {name.lower(): value for name, value in link.items()}
        if "next" in said.get("rel", "").lower().split():
            return said.get("url")
    return None


def retry_after_s(header: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for, given as seconds or as a date; None: it asks for nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.replace(".", "", 1).isdecimal():
        return float(text)
    try:
        then = email.utils.parsedate_to_datetime(text)
        if then.tzinfo is None:  # -0000: in UTC, and nothing is known of where
            then = then.replace(tzinfo=UTC)
        return max(then.timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def _place(url: str) -> str:
    """Return an address as errors name it: without query, which may hold anything."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
