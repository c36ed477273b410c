"""Marks of offsets as a client reads them that does not know where they end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from process.offset_marks import is_marked

MARK = "standing"


class Undecodable:
    """An offset whose mark is followed by bytes that are no text."""

    @property
    def metadata(self) -> str:
        """Fail as confluent-kafka does."""
        return b"standing\xb0".decode()


@pytest.mark.parametrize("metadata", ["standing", "standingxxxxxxxxE", "standing\x01"])
def test_what_lies_behind_a_mark_is_not_of_it(metadata: str) -> None:
    """It is what the memory had there."""
    offset: Any = SimpleNamespace(metadata=metadata)
    assert is_marked(offset, MARK)


def test_a_mark_that_cannot_be_read_is_one() -> None:
    """Nobody else gives any, and who gave none is never read so."""
    offset: Any = Undecodable()
    assert is_marked(offset, MARK)


@pytest.mark.parametrize("metadata", [None, "", "stand", "another's"])
def test_others_are_none(metadata: str | None) -> None:
    """Tools that reset offsets give none."""
    offset: Any = SimpleNamespace(metadata=metadata)
    assert not is_marked(offset, MARK)
