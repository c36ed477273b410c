"""What can be wrong with input, as a tree.

    ReferralError
    └── BadInput            a record that cannot be used; its text goes to the dead letters
        ├── BadEvent        not JSON, a missing field, a wrong type, too large
        ├── BadCode         what was named as a referral code cannot be one
        ├── OtherOrganisation  the event names another organisation than its code's
        ├── CodeTaken       the code is already issued to another mentor
        ├── WaitingFull     the code is not issued yet and the place to wait is full
        ├── WaitedTooLong   the code was not issued within the configured age
        └── Unprocessable   a fault that no rule knows, perhaps the program's own

The class name and the message of a `BadInput` become the headers
`__connect.errors.exception.class.name` and `.message` of its dead letter (contract, rule 5).
"""

from __future__ import annotations

import re
from typing import Final


class ReferralError(Exception):
    """Any error that the rules of the referral programme raise."""


class BadInput(ReferralError):  # noqa: N818 - a fault of the input, not an error of the program
    """A record that cannot be used; it becomes a dead letter and processing goes on."""


class BadEvent(BadInput):
    """A value that is not the JSON object its topic asks for."""


class BadCode(BadInput):
    """A text that is not a referral code even after normalisation."""


class OtherOrganisation(BadInput):
    """The event names an organisation that its referral code does not belong to (contract, rule 4)."""


class CodeTaken(BadInput):
    """The referral code is already issued to another mentor; the first issue stands."""


class WaitingFull(BadInput):
    """The referral code is not issued yet, and as much activity is waiting as the settings allow."""


class WaitedTooLong(BadInput):
    """The referral code was not issued within the configured age of waiting activity."""


class Unprocessable(BadInput):
    """The program fails at this record, each time and at no other: the fault may be the program's."""


STREAM_FAULTS: Final = (BadEvent, BadCode, OtherOrganisation, CodeTaken, WaitingFull, WaitedTooLong, Unprocessable)
"""For which the stream app makes dead letters."""

_VALUE: Final = re.compile(r" (?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")


def without_values(fault: BadInput) -> str:
    """Return a fault's text without what stood in the event: it may be somebody's name."""
    return _VALUE.sub("", str(fault))
