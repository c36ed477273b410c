"""A trace that comes with an event: W3C's `traceparent`, carried in record headers from whoever begins it to the award.

Nothing is measured and nobody is asked to collect anything: the header goes on as it came, and a line of the log names
its trace. One that has not W3C's form is not carried.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

TRACEPARENT: Final = "traceparent"

_FORM: Final = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(value: bytes | None) -> bool:
    """Tell whether a header's value has W3C's form."""
    return value is not None and _FORM.fullmatch(value) is not None


def traceparent_of(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """Return what a record says of its trace; None: nothing, or nothing of the form."""
    return next((value for name, value in headers if name == TRACEPARENT and is_traceparent(value)), None)


def trace_id_of(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return the id of a record's trace, as logs have it."""
    found = _FORM.fullmatch(traceparent_of(headers) or b"")
    return None if found is None else found[1].decode()
