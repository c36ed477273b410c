"""What every sink needs of its store, whatever it keeps there: transactions, positions, the schema that it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from sinks.positions import Place, Positions


class Transaction(Protocol):
    """Reads and writes that take effect together, or not at all."""

    def move(self, reached: Mapping[Place, int | None]) -> None:
        """Note how far partitions have been read; None: hold one, so that nothing is kept if it is another's now.

        Raises:
            Fenced: another process has claimed one; the transaction must end without effect.

        """


Begun_co = TypeVar("Begun_co", bound=Transaction, covariant=True)


class Store(Protocol[Begun_co]):
    """A store of one sink."""

    @property
    def positions(self) -> Positions:
        """Where the consumer's positions are kept."""

    def transaction(self) -> AbstractContextManager[Begun_co]:
        """Run the body in one transaction, committed at its end.

        Raises:
            StoreUnavailable: to be tried again; what had been committed nevertheless is not done twice then.

        """

    def trial(self) -> AbstractContextManager[Begun_co]:
        """Run the body in one transaction that is undone at its end: it only shows whether it can be done."""

    def check_schema(self) -> str | None:
        """See that the store is as new as this program; say what it has beyond it, None where nothing.

        Raises:
            StoreUnavailable: it is older, and the message says what to do.

        """

    def close(self) -> None:
        """Let go of connections; the next use opens them again."""
