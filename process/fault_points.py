"""Named points at which a test may kill the process, to show that nothing is lost or done twice there.

`REFERRALS_FAULT_POINT=badges.inserted` kills this process with SIGKILL when it first comes to that point,
`badges.inserted:3` when it comes there for the third time. Without the variable a point costs a look into an
empty dict.
"""

from __future__ import annotations

import os
import signal
from functools import cache
from typing import Final

VARIABLE: Final = "REFERRALS_FAULT_POINT"


def fault_point(name: str) -> None:
    """End this process by SIGKILL if the environment asks for it at this point; otherwise do nothing."""
    visits_left = _armed()
    if name in visits_left:
        visits_left[name] -= 1
        if visits_left[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@cache
def _armed() -> dict[str, int]:
    """Return the visits left until each armed point kills; read from the environment once, at the first point."""
    asked = os.environ.get(VARIABLE, "")
    if not asked:
        return {}
    name, _, nth = asked.partition(":")
    if nth and not (nth.isdecimal() and int(nth) > 0):
        msg = f"{VARIABLE}={asked!r}: {nth!r} is not a count of visits; give name or name:3"
        raise ValueError(msg)
    return {name: int(nth or 1)}
