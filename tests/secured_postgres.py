"""A real Postgres behind TLS that takes no connection without: Debian's, since the wheel's has no TLS."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from local.parts.databases import USER
from local.parts.ports import LOOPBACK, free_ports
from local.parts.postgres import _identity, _own, wait_for_server
from local.parts.process import launch, stop, tail
from tests.secured_kafka import Certificate, certify

PASSWORD: Final = "of-the-owner"  # noqa: S105  of a server that lives for a test
DEBIANS: Final = Path("/usr/lib/postgresql")

_CONFIGURED: Final = """
ssl = on
ssl_ca_file = '{folder}/authority.pem'
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.key'
unix_socket_directories = ''
fsync = off
"""


def programs() -> Path:
    """Return the folder of the newest Debian's Postgres here; skip the test where there is none."""
    found = sorted(DEBIANS.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("needs Postgres with TLS: apt-get install postgresql")
    return found[-1].parent


class SecuredPostgres:
    """A server whose certificate names the loopback address alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.authority = certify("authority")
        self.authority.write(folder / "authority.pem", key=folder / "authority.key")
        self.certify(certify("server", self.authority))

    def certify(self, certificate: Certificate) -> None:
        """Give the server a certificate and its key."""
        certificate.write(self.folder / "server.pem", key=self.folder / "server.key")
        (self.folder / "server.key").chmod(0o600)

    def url(self, host: str = LOOPBACK, user: str = USER, password: str = PASSWORD) -> str:
        """Return the address of the database, by a name of the host."""
        return f"postgresql://{user}:{password}@{host}:{self.port}/postgres"


@contextmanager
def secured_postgres(folder: Path) -> Iterator[SecuredPostgres]:
    """Run one for the body; its data is in the folder."""
    at = programs()
    folder.mkdir()
    server, log, data = SecuredPostgres(folder), folder / "postgres.log", folder / "data"
    (folder / "password").write_text(PASSWORD)
    for parent in (folder, *folder.parents[:2]):  # the server runs as somebody else, where the test is root
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)
    _own(folder)
    initdb = launch(
        [at / "initdb", f"--pgdata={data}", f"--username={USER}", f"--pwfile={folder / 'password'}",
         "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"],
        log=log, identity=_identity(),
    )  # fmt: skip
    assert initdb.wait() == 0, tail(log)
    with (data / "postgresql.conf").open("a") as file:
        file.write(_CONFIGURED.format(folder=folder))
    (data / "pg_hba.conf").write_text(f"hostssl all all {LOOPBACK}/32 scram-sha-256\n")
    running = launch(
        [at / "postgres", "-D", data, "-h", LOOPBACK, "-p", str(server.port)],
        log=log, on_owner_death=signal.SIGINT, identity=_identity(),
    )  # fmt: skip
    try:
        wait_for_server(f"{server.url()}?sslmode=require")
        yield server
    finally:
        stop(running, with_signal=signal.SIGQUIT, grace_s=20)
