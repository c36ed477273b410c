"""Cookies as browsers keep them, and whether a request comes from one of our own pages.

Behind https the names begin with `__Host-`: a browser takes such a cookie only from this host itself, over https, so no
neighbouring host can put one in its place. Over plain http, on one's own machine, the port is in the name: browsers
share cookies among all ports of a host, and two installations would sign each other's people out.

A cookie goes along with whatever request another site makes a browser send; so what changes something and comes by
cookie must come from our own pages. Browsers say so (`Sec-Fetch-Site`, or `Origin`, which neither scripts nor forms can
set); what says nothing is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from litestar.datastructures import Cookie

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from process.settings import Settings

SESSION: Final = "referrals-session"
FLOW: Final = "referrals-signing-in"
"""Of a browser that is at the provider just now."""
VALUE_LENGTH_MAX: Final = 1_024
"""Nothing that we set is longer."""


def is_secure(settings: Settings) -> bool:
    """Tell whether people reach this server by https."""
    return (settings.public_url or "").startswith("https:")


def cookie_name(settings: Settings, connection: ASGIConnection[Any, Any, Any, Any], name: str) -> str:
    """Return what a cookie is called in this browser."""
    if is_secure(settings):
        return f"__Host-{name}"
    port = _header(connection, b"host").rpartition(":")[2]
    return f"{name}-{port}" if port.isdecimal() else name


def read_cookie(settings: Settings, connection: ASGIConnection[Any, Any, Any, Any], name: str) -> str | None:
    """Return a cookie's value; None where there is none, several of one name, or more than we ever set."""
    wanted = cookie_name(settings, connection, name)
    values = [
        value
        for header, content in connection.scope["headers"]
        if header == b"cookie"
        for part in content.decode("latin-1").split(";")
        for key, is_there, value in [part.strip().partition("=")]
        if is_there and key == wanted
    ]
    return values[0] if len(values) == 1 and len(values[0]) <= VALUE_LENGTH_MAX else None


def set_cookie(
    settings: Settings, connection: ASGIConnection[Any, Any, Any, Any], name: str, value: str, *, lasts_s: int
) -> Cookie:
    """Return a cookie that no script can read, and that comes along when somebody follows a link to here."""
    return Cookie(
        key=cookie_name(settings, connection, name),
        value=value,
        max_age=lasts_s,
        path="/",
        secure=is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def forget_cookie(settings: Settings, connection: ASGIConnection[Any, Any, Any, Any], name: str) -> Cookie:
    """Return what makes a browser forget a cookie."""
    return set_cookie(settings, connection, name, "", lasts_s=0)


def comes_from_our_pages(settings: Settings, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Tell whether the browser says that a page of this server sent the request."""
    site = _header(connection, b"sec-fetch-site")
    if site:
        return site == "same-origin"
    origin, host = _header(connection, b"origin"), _header(connection, b"host")
    ours = {f"http://{host}", f"https://{host}"}  # whoever is between may have taken https off
    if settings.public_url is not None:
        parts = urlsplit(settings.public_url)
        ours.add(f"{parts.scheme}://{parts.netloc}")
    return bool(host) and origin in ours


def _header(connection: ASGIConnection[Any, Any, Any, Any], name: bytes) -> str:
    """Return a header that came once; empty where it did not."""
    given = [value for header, value in connection.scope["headers"] if header == name]
    return given[0].decode("latin-1").lower() if len(given) == 1 else ""
