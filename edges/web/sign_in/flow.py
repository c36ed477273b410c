"""What one browser brings back from the provider: state, nonce and PKCE, all from one secret in its cookie.

The server keeps nothing. The cookie holds a random secret, the time, and where to go afterwards; what the provider is
given is derived from them. So an answer is good in the browser that asked for it, for ten minutes, and with nothing in
it changed: whoever makes somebody follow the address of another's sign-in signs nobody in.
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256
from typing import Final, NamedTuple

from edges.web.base64url import from_text, to_text

LASTS_S: Final = 600
"""Time that somebody has for the provider's pages."""
RETURN_LENGTH_MAX: Final = 300
HOME: Final = "/dashboard"

_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path of this server as a header can hold it. Two slashes begin a host, and browsers read a backslash as a slash."""
_NOT_PAGES: Final = frozenset({"r", "v1", "sign-in", "static", "health", "metrics"})
"""First parts of paths that are no pages to come back to; `/r/` leads on to other hosts."""
_COOKIE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.([0-9]{1,12})\.([A-Za-z0-9_-]{0,400})")
_SECRET_BYTES: Final = 32


def safe_return(path: str | None) -> str:
    """Return where to go after signing in: the path if it is a page of this server, else the dashboard."""
    if path is None or len(path) > RETURN_LENGTH_MAX or _PATH.fullmatch(path) is None:
        return HOME
    first = re.split(r"[/?#]", path[1:], maxsplit=1)[0].lower()
    return HOME if first in _NOT_PAGES else path


class Flow(NamedTuple):
    """One sign-in under way."""

    secret: str
    begun_s: int
    return_to: str

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Flow({self.begun_s})"

    @property
    def cookie(self) -> str:
        """As the browser keeps it."""
        return f"{self.secret}.{self.begun_s}.{to_text(self.return_to.encode())}"

    @property
    def state(self) -> str:
        """What the provider has to give back."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """What the provider has to sign."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What shows that the code is ours (RFC 7636): 43 characters."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """What the provider is given of it before."""
        return to_text(sha256(self.verifier.encode()).digest())

    def is_answered_by(self, state: str, now_s: float) -> bool:
        """Tell whether an answer belongs to it, and comes in time."""
        is_ours = hmac.compare_digest(self.state.encode(), state.encode())
        return is_ours and now_s - self.begun_s <= LASTS_S

    def _derived(self, what: str) -> str:
        text = f"{what} {self.begun_s} {self.return_to}"
        return to_text(hmac.digest(self.secret.encode(), text.encode(), "sha256"))


def new_flow(return_to: str | None, now_s: float) -> Flow:
    """Return a new one."""
    return Flow(to_text(secrets.token_bytes(_SECRET_BYTES)), int(now_s), safe_return(return_to))


def read_flow(cookie: str) -> Flow | None:
    """Return the one of a cookie; None where it is none of ours."""
    parts = _COOKIE.fullmatch(cookie)
    if parts is None:
        return None
    try:
        return_to = from_text(parts[3]).decode("ascii")
    except ValueError:
        return None
    return Flow(parts[1], int(parts[2]), safe_return(return_to))
