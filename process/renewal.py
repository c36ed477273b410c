"""Certificates and keys that are renewed under way: whoever uses them is told, and starts afresh.

Kafka's clients read their files once, when they are made; a certificate that runs out is then no good for the next
connection, whatever stands in its file by then. (libpq reads its files for each connection: Postgres needs none of
this.) Files are compared by what is in them: Kubernetes changes a link, certbot the file, and some write twice.

A certificate and its key are two files, and for a moment they do not belong together: they are tried first, as a client
would use them. Processes of one installation see the same files at the same time; each waits a little of its own, so
that not all of them are away at once.
"""

from __future__ import annotations

import hashlib
import random
import ssl
import threading
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from process.settings import Settings

LOOK_S: Final = 3.0
SPREAD_S: Final = 10.0
REASON: Final = "CertificatesRenewed"
"""By which starts afresh are counted."""

log = structlog.get_logger("certificates")


class Renewal(threading.Thread):
    """Looks at the files, and calls once when they are others that can be used."""

    def __init__(
        self, settings: Settings, on_renewed: Callable[[], None], *, look_s: float = LOOK_S, spread_s: float = SPREAD_S
    ) -> None:
        """Read the files as they are now; begin to look with `start`.

        Args:
            settings: with the names of the files.
            on_renewed: called from a thread.
            look_s: seconds between two looks.
            spread_s: at most so many seconds are waited after the files were found good.

        """
        super().__init__(name="renewal", daemon=True)
        self._settings = settings
        self._on_renewed = on_renewed
        self._look_s = look_s
        self._spread_s = spread_s
        self._files = [
            path
            for path in (settings.ssl_ca_location, settings.ssl_certificate_location, settings.ssl_key_location)
            if path is not None
        ]
        self._began_with = self._contents()
        self._stopped = threading.Event()
        self.has_come = False
        """Whether they were renewed."""

    def run(self) -> None:
        """Look until they are renewed; called by the thread."""
        before = self._began_with
        refused: object = None
        while self._files and not self._stopped.wait(self._look_s):
            found = self._contents()
            if found == before and None not in found and found != self._began_with:
                fault = self._fault()
                if fault is None:
                    break
                if found != refused:
                    refused = found
                    log.warning("certificates_cannot_be_used", reason=fault, files=self._changed(found))
            before = found
        else:
            return
        wait_s = random.SystemRandom().uniform(0, self._spread_s)
        log.info("certificates_renewed", files=self._changed(before), starts_afresh_in_s=round(wait_s, 1))
        if not self._stopped.wait(wait_s):
            self.has_come = True
            self._on_renewed()

    def stop(self) -> None:
        """Look no more; call nobody from now on."""
        self._stopped.set()

    def _contents(self) -> list[bytes | None]:
        """Return what stands for what is in each file; None: it cannot be read just now."""
        return [_digest(path) for path in self._files]

    def _changed(self, found: list[bytes | None]) -> list[str]:
        pairs = zip(self._files, self._began_with, found, strict=True)
        return [str(path) for path, before, now in pairs if before != now]

    def _fault(self) -> str | None:
        """Say why the files cannot be used as they are; None where they can."""
        settings = self._settings
        password = settings.ssl_key_password
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if settings.ssl_ca_location is not None:
                context.load_verify_locations(settings.ssl_ca_location)
            if settings.ssl_certificate_location is not None:
                context.load_cert_chain(
                    settings.ssl_certificate_location,
                    settings.ssl_key_location,
                    "" if password is None else password.get_secret_value(),
                )
        except (OSError, ValueError) as error:  # ssl.SSLError is one of the former
            return str(getattr(error, "reason", None) or type(error).__name__)
        return None


def _digest(path: Path) -> bytes | None:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None
