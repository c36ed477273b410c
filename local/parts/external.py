"""Kafka and Postgres that somebody else runs: known by their addresses, not ours to stop."""

from __future__ import annotations

from typing import NoReturn

from local.parts.errors import PartsError


class _External:
    kind = "given"

    def __init__(self, address: str, variable: str) -> None:
        self._address = address
        self._variable = variable

    @property
    def pid(self) -> int:
        """There is none that we know."""
        self._refuse()

    def prepare(self) -> None:
        """Do nothing: it is there."""

    def begin(self) -> None:
        """Do nothing: it runs already."""

    def start(self) -> None:
        """Do nothing: it runs already."""

    def wait_ready(self) -> None:
        """Do nothing: whether it answers is seen by whoever connects."""

    def stop(self) -> None:
        """Refuse."""
        self._refuse()

    def kill(self) -> None:
        """Refuse."""
        self._refuse()

    def close(self) -> None:
        """Leave it running."""

    def _refuse(self) -> NoReturn:
        message = f"{self._variable} names a server that others run: it is not started or stopped from here"
        raise PartsError(message)


class ExternalKafka(_External):
    """The brokers of REFERRALS_BOOTSTRAP_SERVERS."""

    @property
    def bootstrap_servers(self) -> str:
        """The addresses that were given."""
        return self._address


class ExternalPostgres(_External):
    """The server of REFERRALS_DATABASE_URL."""

    @property
    def maintenance_url(self) -> str:
        """The address that was given; databases are created from there."""
        return self._address
