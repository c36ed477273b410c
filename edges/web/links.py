"""The links that mentors share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litestar import Request

    from process.settings import Settings


def share_url(request: Request[Any, Any, Any], settings: Settings, code: str) -> str:
    """Return the link that leads to a code: at `public_url`, or else where this server listens.

    Never where the request says that it was sent: its Host header is the caller's word.
    """
    if settings.public_url is not None:
        return f"{settings.public_url.rstrip('/')}/r/{code}"
    host, port = request.scope["server"] or (settings.web_host, settings.web_port)
    return f"http://[{host}]:{port}/r/{code}" if ":" in host else f"http://{host}:{port}/r/{code}"
