"""The headers of a record, as any of our readers on librdkafka takes them."""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

_ask: Final[Callable[[Message], list[tuple[str, bytes | None]] | None]] = methodcaller("headers")
"""Calls the method in a way that looks whether it has left an exception. `message.headers()` does not in a loop that
Python has optimised: the exception comes up somewhere later then, and the list has a hole in it."""


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """Return a record's headers; none where one of their names is not UTF-8, which Kafka takes and the client does not.

    The client raises SystemError at the first call then, and keeps a list with a hole in it: who touches that hole
    ends the process. So nothing else may ask a message for its headers.
    """
    try:
        return _ask(message) or []
    except (SystemError, UnicodeDecodeError):
        return []
