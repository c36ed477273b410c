"""The HTTP server: uvicorn on one event loop, until it is asked to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
import uvicorn

from edges.web.app import create_web
from edges.web.connections import BoundedConnection, BoundedServer, connections_max
from edges.web.listening import listen
from edges.web.services import open_services
from process.renewal import Renewal

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Litestar

    from edges.web.services import Services
    from process.settings import Settings

GC_THRESHOLDS: Final = (10_000, 20, 20)
"""What requests make is nearly all gone with their answers; Python's own thresholds (700, 10, 10) look more often."""
GRACE_S: Final = 10
"""How long answers under way have when the server stops."""
KEEP_ALIVE_S: Final = 75
"""How long an idle connection is kept: longer than proxies keep theirs, so that they are the ones who close."""

log = structlog.get_logger("web")


class WebServer(BoundedServer):
    """Serves the application; `stop` ends it when what is under way is answered.

    Connections are taken from the beginning, and answered once it runs. Raises CannotListen.
    """

    def __init__(self, services: Services, listening: int | None = None) -> None:
        self._services = services
        self._socket = listen(services.settings) if listening is None else socket.socket(fileno=listening)
        self._socket.setblocking(False)  # noqa: FBT003  the standard library's signature
        super().__init__(server_config(create_web(services)))

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def copy_listening(self) -> int:
        """Return another descriptor that listens, which stays when this server has ended."""
        return os.dup(self._socket.fileno())

    async def run_until_stopped(self) -> None:
        """Serve until `stop`."""
        await self._serve([self._socket])

    def stop(self) -> None:
        """Take no new connections, answer what is under way, then end; at once when asked again."""
        self._services.stopping.set()
        self.force_exit = self.should_exit
        self.should_exit = True


def server_config(app: Litestar) -> uvicorn.Config:
    """Return how an application is served here."""
    connection: Any = partial(BoundedConnection, room=connections_max())  # uvicorn calls it as it would call a class
    return uvicorn.Config(
        app,
        http=connection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


async def serve(settings: Settings, on_listening: Callable[[str], None], *, listening: int) -> int | None:
    """Serve until SIGTERM or Ctrl-C, or until a certificate was renewed; `on_listening` is told the address.

    Listens by the descriptor that is given. Returns None, or for a new start a descriptor that listens.
    Raises SettingsError where a setting cannot be used.
    """
    async with open_services(settings) as services:
        server = WebServer(services, listening)
        loop = asyncio.get_running_loop()
        is_asked = False
        handed_on: int | None = None

        def hand_on() -> None:
            nonlocal handed_on
            if not is_asked:
                handed_on = server.copy_listening()
                server.stop()

        def renewed() -> None:
            loop.call_soon_threadsafe(hand_on)

        renewal = Renewal(settings, renewed)
        renewal.start()

        def stop() -> None:
            nonlocal is_asked, handed_on
            is_asked = True
            renewal.stop()
            server.stop()
            if handed_on is not None:  # else connections would be taken that nobody answers
                os.close(handed_on)
                handed_on = None

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        if not services.tokens.is_configured:
            log.warning("no_tokens", remedy="set REFERRALS_JWT_SECRET or REFERRALS_JWT_JWKS_URL")
        if settings.secret_keys is None:
            log.warning("no_secret_keys", remedy="set REFERRALS_SECRET_KEYS; until then webhooks and new codes are 503")
        log.info("web_listens", url=server.url)
        on_listening(server.url)
        gc.collect()
        gc.freeze()  # what is there stays; walking it takes the collector 50 ms, and every request would wait so long
        gc.set_threshold(*GC_THRESHOLDS)
        await server.run_until_stopped()
        return handed_on
