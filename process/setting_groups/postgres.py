"""Where Postgres is, and who vouches for it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from process.database_address import verified


class Postgres(BaseModel):
    """Postgres."""

    database_ca_location: Path | None = Field(
        None,
        description="File with the certificates of the authority that vouches for Postgres (PEM); then no other server "
        "is believed. Default: the machine's authorities, for another machine's server. docs/postgres.md",
    )
    database_url: str = Field(
        "postgresql://127.0.0.1:5432/referrals", repr=False, description="Postgres: postgresql://user@host:port/name."
    )
    web_database_url: str | None = Field(
        None,
        repr=False,
        description="The same database by a login of the HTTP side's own, which has the role referrals_app and nothing "
        "else; `db migrate` makes it. Default: REFERRALS_DATABASE_URL.",
    )

    @field_validator("database_url", "web_database_url")
    @classmethod
    def _check_database_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return value
        if urlsplit(value).scheme not in {"postgresql", "postgres"}:
            message = "is not a Postgres address; give postgresql://user:password@host:port/database"
            raise ValueError(message)  # without the value: it may hold a password
        return verified(value, info.data.get("database_ca_location"))

    @field_validator("database_ca_location")
    @classmethod
    def _check_database_ca(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            message = f"there is no file {value}"
            raise ValueError(message)
        return value
