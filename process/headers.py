"""The headers of a record, as any of our readers on librdkafka takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from confluent_kafka import Message


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """Return a record's headers; none where one of their names is not UTF-8, which Kafka takes and the client does not.

    The client raises SystemError at the first call then, and keeps a list with a hole in it: who touches that hole
    ends the process. So nothing else may ask a message for its headers.
    """
    try:
        return cast("list[tuple[str, bytes | None]]", message.headers() or [])
    except (SystemError, UnicodeDecodeError):
        return []
