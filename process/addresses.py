"""Addresses of the web that people are sent to: http and https with a host, as a header can hold them."""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

import idna

_CHARACTERS: Final = "!#$%&'()*+,/:;=?@[]~"
"""What an address may have beside letters, digits and `-._`; the rest is escaped."""


class WebAddress(NamedTuple):
    """An address, its parts in ASCII; nothing in it would end a header."""

    origin: str
    """Scheme, host and port: `https://example.org:8443`; a name and password too, where it has them."""
    path: str
    """Empty, or it begins with `/`."""
    query: str
    """Without its `?`."""
    fragment: str
    """Without its `#`."""


def web_address(url: str) -> WebAddress:
    """Return the parts of an address.

    A host of other letters is written as IDNA 2008 has it, which is how it was registered and what browsers ask for:
    `straße.example` is another host than `strasse.example`.

    Raises:
        ValueError: it has another scheme than http and https, or no host that can be one.

    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "it does not begin with http:// or https:// and a host"
        raise ValueError(msg)
    netloc = parts.netloc
    if not netloc.isascii():
        before, at, host_and_port = netloc.rpartition("@")
        host, colon, port = host_and_port.partition(":")
        netloc = f"{quote(before, safe=_CHARACTERS)}{at}{_ascii_host(host)}{colon}{port}"
    _ = urlsplit(f"//{netloc}").port  # raises where it is none
    origin, path, query, fragment = (
        quote(part, safe=_CHARACTERS)
        for part in (f"{parts.scheme}://{netloc}", parts.path, parts.query, parts.fragment)
    )
    return WebAddress(origin, path, query, fragment)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by a name or number that no other has."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _ascii_host(host: str) -> str:
    """Return a host's name in ASCII; raise ValueError where it cannot be registered."""
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as fault:
        msg = f"{host!r} cannot be a host: {fault}"
        raise ValueError(msg) from None
