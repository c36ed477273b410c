"""Takes secrets and tokens out of what is logged, whoever has put them there.

Nobody of ours logs one. But errors of libraries repeat addresses with passwords, and headers with tokens; so each line
is looked through at the very end, for what looks like one and for those of this installation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    from process.settings import Settings

INSTEAD: Final = "<secret>"
PROGRAM: Final = "referrals"
"""What the program is called in each remedy that a line has."""
LENGTH_MIN: Final = 8
"""A shorter one is a word, and would be taken out of lines that have nothing to do with it."""

_LOOKS_LIKE_ONE: Final = (
    r"whsec_[A-Za-z0-9+/=_-]{8,}",  # a webhook's secret
    r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",  # a token
    r"(?<=://)[^/\s:@\"]+:[^/\s@\"]+(?=@)",  # user and password of an address
    r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{8,}=*",
)

_ID: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


class Scrubber:
    """Takes the secrets of an installation out of texts, and what looks like one."""

    def __init__(self, settings: Settings) -> None:
        ours = sorted((re.escape(each) for each in secrets_of(settings)), key=len, reverse=True)
        self._pattern = re.compile("|".join((*_LOOKS_LIKE_ONE, *ours)))

    def __call__(self, text: str) -> str:
        """Return the text without them."""
        return self._pattern.sub(INSTEAD, text)


def secrets_of(settings: Settings) -> set[str]:
    """Return the secrets that settings hold: each key alone, and passwords of addresses as they are written there.

    One that is a name too (`referrals`, of a database on somebody's own machine) is none: taken out, every topic and
    every remedy that a line names would go with it. In an address it is still taken out, as any password is.
    """
    found: set[str] = set()
    names = [PROGRAM, settings.topic_prefix, settings.app_id]
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            secret = value.get_secret_value()
            found |= {secret, *(part.partition(":")[2] for part in secret.split(","))}
        elif isinstance(value, str) and "://" in value:
            try:
                address = urlsplit(value)
                password = address.password or ""
            except ValueError:
                continue
            found |= {password, unquote(password)}
            names += [address.username or "", address.hostname or "", address.path]
    return {each for each in found if len(each) >= LENGTH_MIN and not any(each in name for name in names)}


def without_ids(text: str) -> str:
    """Return a text without the ids in it: in an error's text they may be a member's."""
    return _ID.sub("<id>", text)
