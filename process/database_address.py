"""How an address of Postgres is completed, so that a server on another machine proves who it is.

libpq by itself takes what it gets: no TLS if the server offers none, and whoever answers if it does. So where an
address of another machine says nothing, the server's certificate must be vouched for, and name the host. What an
address says itself is done: `sslmode=disable` on a network that is yours alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from process.addresses import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

VERIFIED = "verify-full"


def verified(url: str, ca_location: Path | None) -> str:
    """Return the address with what libpq must be told to verify the server, where it does not say so itself.

    Args:
        url: postgresql://...
        ca_location: file with the authorities that vouch for the server (PEM); None: those of the machine, for another
            machine's server.

    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "sslmode" not in given:
        if ca_location is None and all(map(_is_here, _hosts(parts.netloc, given.get("host")))):
            return url
        given["sslmode"] = VERIFIED
    if "sslrootcert" not in given and given["sslmode"].startswith("verify"):
        given["sslrootcert"] = str(ca_location) if ca_location is not None else _authorities_of_machine()
    return parts._replace(query=urlencode(given, quote_via=quote)).geturl()


def _hosts(netloc: str, named: str | None) -> list[str]:
    """Return the hosts of an address, which may have several; libpq lets the parameter `host` go first."""
    if named is not None:
        return named.split(",")
    found = []
    for place in netloc.rpartition("@")[2].split(","):
        bracketed, _, after = place.partition("]")
        found.append(bracketed.removeprefix("[") if after or place.endswith("]") else place.partition(":")[0])
    return [unquote(host) for host in found]


def _is_here(host: str) -> bool:
    return not host or host.startswith(("/", "@")) or is_loopback(host)  # a socket of this machine, or its loopback


def _authorities_of_machine() -> str:
    """Return the file with them: psycopg's own TLS library looks in a directory that no machine has."""
    import ssl  # noqa: PLC0415  seldom needed

    return ssl.get_default_verify_paths().cafile or "system"
