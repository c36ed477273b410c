"""A real PgBouncer in transaction mode before a Postgres, with so few connections that its clients must share them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from local.parts.ports import LOOPBACK, free_ports
from local.parts.postgres import _identity, _own, wait_for_server
from local.parts.process import launch, stop
from sinks.logins import address
from tests.snippets import run_by

CONNECTIONS: Final = 3
"""To the server, for each login: fewer than the HTTP side alone would have."""

_CONFIGURED: Final = """
[databases]
{database} = host={host} port={port} dbname={database}

[pgbouncer]
listen_addr = {loopback}
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
default_pool_size = {connections}
max_client_conn = 200
"""
"""What stands on the page follows."""


@contextmanager
def pgbouncer(folder: Path, database_url: str, passwords: Mapping[str, str]) -> Iterator[str]:
    """Run one for the body; give the address of the database by it, for the first of the users."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs PgBouncer: apt-get install pgbouncer")
    folder.mkdir()
    server = urlsplit(database_url)
    (port,) = free_ports(1)
    configured = _CONFIGURED.format(
        database=server.path[1:], host=server.hostname, port=server.port, loopback=LOOPBACK, own_port=port,
        folder=folder, connections=CONNECTIONS,
    )  # fmt: skip
    (block,) = run_by("tests/pgbouncer.py", "docs/postgres.md")
    (folder / "pgbouncer.ini").write_text(configured + block.text.removeprefix("[pgbouncer]\n"))
    (folder / "users.txt").write_text("".join(f'"{name}" "{password}"\n' for name, password in passwords.items()))
    for parent in (folder, *folder.parents[:3]):  # it runs as somebody else, where the test is root
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    _own(folder)
    running = launch([program, folder / "pgbouncer.ini"], log=folder / "pgbouncer.log", identity=_identity())
    name, password = next(iter(passwords.items()))
    url = address(f"postgresql://{LOOPBACK}:{port}{server.path}", name, password)
    try:
        wait_for_server(url)
        yield url
    finally:
        stop(running, with_signal=signal.SIGINT, grace_s=10)
