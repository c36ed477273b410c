"""What is added to an address of Postgres: proof of who the server is, where the address says nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from process.settings import SettingsError, load_settings


def parameters(url: str, **given: object) -> dict[str, object]:
    """Return what libpq is told of TLS by a settings' address."""
    found = conninfo_to_dict(load_settings(database_url=url, **given).database_url)
    return {name: value for name, value in found.items() if name.startswith("ssl")}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@127.0.0.1:5432/d",
        "postgresql://u@localhost/d",
        "postgresql://[::1]:5432/d",
        "postgresql:///d",
        "postgresql://%2Frun%2Fpostgresql/d",
        "postgresql:///d?host=/run/postgresql",
        "postgresql://postgres:5432/d?sslmode=disable",
    ],
)
def test_this_machine_and_what_is_said_stays(url: str) -> None:
    """Nothing is added, and the address is as it was given."""
    assert load_settings(database_url=url).database_url == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%2F@db.example:5432/d",
        "postgresql://u@10.0.0.5/d?application_name=x%20y",
        "postgresql://127.0.0.1:1,db.example:2/d",
        "postgresql://[2001:db8::1]:5432/d",
        "postgresql://127.0.0.1/d?host=db.example",
    ],
)
def test_another_machine_proves_who_it_is(url: str) -> None:
    """By the authorities of the machine; the rest of the address means what it meant."""
    found = conninfo_to_dict(load_settings(database_url=url).database_url)
    assert found.pop("sslmode") == "verify-full"
    authorities = Path(str(found.pop("sslrootcert")))
    assert authorities.is_file() or str(authorities) == "system"
    assert found == conninfo_to_dict(url)


def test_an_authority_of_ones_own(tmp_path: Path) -> None:
    """It is believed and no other, also for this machine; what the address says itself goes before."""
    file = tmp_path / "authority.pem"
    file.touch()
    wanted = {"sslmode": "verify-full", "sslrootcert": str(file)}
    for host in ("127.0.0.1", "db.example"):
        assert parameters(f"postgresql://{host}/d", database_ca_location=file) == wanted
    said = "postgresql://db.example/d?sslmode=verify-ca&sslrootcert=/other.pem"
    assert parameters(said, database_ca_location=file) == {"sslmode": "verify-ca", "sslrootcert": "/other.pem"}
    with pytest.raises(SettingsError, match="REFERRALS_DATABASE_CA_LOCATION: there is no file"):
        load_settings(database_ca_location=tmp_path / "none.pem")
