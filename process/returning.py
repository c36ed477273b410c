"""A call of librdkafka that may not return, given up.

`send_offsets_to_transaction` looks at no time while it waits for the group's coordinator (librdkafka's issue 5456):
where that one has just died it was seen to stand for good, whatever timeout it was given.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class NotReturned(Exception):  # noqa: N818  read as what is wrong
    """A call has not returned in time, and may never; its client is of no use any more, and must not be closed."""


def returned(step: str, call: Callable[[], object], within_s: float) -> None:
    """Call, and raise what it raises; a thread costs 0.1 ms.

    Args:
        step: what is called, for the message.
        call: stands in a daemon thread of its own, where it is left to itself if it does not return.
        within_s: seconds.

    Raises:
        NotReturned: it has not returned by then.

    """
    raised: list[Exception | None] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001  raised by who waits
            raised.append(error)
        else:
            raised.append(None)

    calling = threading.Thread(target=run, name=f"calling-{step}", daemon=True)
    calling.start()
    calling.join(within_s)
    if not raised:
        raise NotReturned(f"{step}: librdkafka has not returned for {within_s:.0f} s")
    if raised[0] is not None:
        raise raised[0]
