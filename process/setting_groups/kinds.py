"""Kinds of values that several groups of settings have."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

from process.addresses import is_loopback

DAY_S: Final = 24 * 60 * 60
_TOPIC_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._-]*")  # what Kafka allows in a topic's name


def _checked_name(value: str) -> str:
    if not _TOPIC_CHARACTERS.fullmatch(value):
        message = f"{value!r} may hold only letters, digits, '.', '_' and '-'"
        raise ValueError(message)
    return value


def _checked_address(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))):
        message = f"{value[:100]!r}: keys and who vouches for people come by https, or by http from this machine"
        raise ValueError(message)
    return value


TopicName = Annotated[str, AfterValidator(_checked_name)]
"""What may stand in the name of a topic or a group."""
SafeAddress = Annotated[str, AfterValidator(_checked_address)]
"""Where keys come from, or who vouches for people."""
