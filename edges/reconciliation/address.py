"""Which addresses a membership system may have: https, or http on this machine; and which of them are one system.

The bearer token goes wherever a request goes, so a link in an answer is followed within the system's origin only.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

from edges.reconciliation.errors import BadSource, SourceFailed
from edges.reconciliation.reasons import Fault

_DEFAULT_PORTS = {"https": 443, "http": 80}


class Origin(NamedTuple):
    """Scheme, host and port: what a browser too calls an origin."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def origin_of(url: str) -> Origin:
    """Return the origin of an address that may be asked; raise BadSource for one that may not."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadSource("the address cannot be read; give https://host/path") from None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise BadSource(f"{_shown(url)} is no web address; give https://host/path")
    if parts.username is not None or parts.password is not None:
        raise BadSource("the address holds a user or a password; leave it out and give a token with --token-from-env")
    origin = Origin(parts.scheme, host.lower(), port or _DEFAULT_PORTS[parts.scheme])
    if origin.scheme == "http" and not origin.is_loopback:
        raise BadSource(f"http to {origin.host}, another machine, would show token and members to others; give https")
    return origin


def followed(link: str, *, page: str) -> str:
    """Return the address that a link on a page leads to, without its fragment.

    Raises SourceFailed where it leads to another origin than the page's.
    """
    try:
        url = urlunsplit(urlsplit(urljoin(page, link))._replace(fragment=""))
        if origin_of(url) == origin_of(page):
            return url
    except (ValueError, BadSource):
        pass
    raise SourceFailed(Fault("link-away"))


def is_path(url: str) -> bool:
    """Tell whether it is a file of this machine rather than a web address."""
    return "://" not in url


def _shown(url: str) -> str:
    """Return an address without its query, which may hold anything."""
    return repr(url.partition("?")[0][:100])
