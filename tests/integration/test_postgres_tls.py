"""Postgres behind TLS: believed where an authority vouches for it and it names the host, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from process.postgres import session
from process.settings import load_settings
from tests.component import ROOT
from tests.secured_kafka import certify
from tests.secured_postgres import SecuredPostgres, secured_postgres

pytestmark = pytest.mark.integration

IS_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredPostgres]:
    """Give one."""
    with secured_postgres(tmp_path_factory.mktemp("secured") / "postgres") as server:
        yield server


def connect(url: str, ca: Path | None) -> list[tuple[Any, ...]]:
    """Connect as every component does, and tell whether it is by TLS."""
    settings = load_settings(database_url=url, database_ca_location=ca)
    with psycopg.connect(settings.database_url, **session(settings.database_url, "test")) as connection:
        return connection.execute(IS_TLS).fetchall()


def test_a_server_that_is_vouched_for_is_believed(server: SecuredPostgres) -> None:
    """With the file of its authority, and by the name that stands in its certificate."""
    assert connect(server.url(), server.folder / "authority.pem") == [(True,)]


def test_a_server_that_names_another_host_is_not(server: SecuredPostgres) -> None:
    """Its certificate is for 127.0.0.1, not for localhost."""
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        connect(server.url("localhost"), server.folder / "authority.pem")


def test_a_server_of_another_authority_is_not(server: SecuredPostgres, tmp_path: Path) -> None:
    """Nor is one whose authority is none of the machine's, where that is what is asked for."""
    other = certify("another authority").write(tmp_path / "other.pem")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(server.url(), other)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        connect(f"{server.url()}?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt", None)


def test_without_tls_nobody_is_let_in(server: SecuredPostgres) -> None:
    """The server takes no other connection, so what the tests above have seen was TLS."""
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        connect(f"{server.url()}?sslmode=disable", None)


def test_commands_verify_too(server: SecuredPostgres, tmp_path: Path) -> None:
    """Migrations have a second connection, by another library, and a login of the HTTP side is made; both are told."""

    def migrate(ca: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "commands", "db", "migrate"],
            cwd=ROOT, env={"REFERRALS_DATABASE_URL": server.url(), "REFERRALS_DATABASE_CA_LOCATION": str(ca)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "applied 0001_tables\n" in migrate(server.folder / "authority.pem").stdout
    refused = migrate(certify("another authority").write(tmp_path / "other.pem"))
    assert refused.returncode == 1
    assert "certificate verify failed" in refused.stderr
    assert "Traceback" not in refused.stderr
