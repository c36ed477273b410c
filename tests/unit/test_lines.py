"""A line of JSON is written for anything, and is one line that reads back."""

from __future__ import annotations

import json
import logging
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from process import logs
from process.lines import json_line
from process.settings import load_settings

AN_ID: Final = uuid.UUID("6f1c2a3e-4b5d-4c6e-8f70-91a2b3c4d5e6")
ODD: Final[dict[str, tuple[Any, Any]]] = {
    "an id": (AN_ID, str(AN_ID)),
    "a time": (datetime(2026, 11, 20, 10, 30, tzinfo=UTC), "2026-11-20T10:30:00+00:00"),
    "half an emoji": ("\ud83d", "\ud83d"),
    "a number past 64 bits": (2**70, 2**70),
    "a key that is no text": ({7: "seven"}, {"7": "seven"}),
    "what nobody knows": (Decimal("1.50"), "1.50"),
    "a path": (Path("data"), "data"),
    "lines": ("one\ntwo\u2028three", "one\ntwo\u2028three"),
}


@pytest.mark.parametrize("what", ODD)
def test_whatever_is_given_becomes_one_line(what: str) -> None:
    """Also what orjson refuses: a log line about bad input must not be lost for the input."""
    value, expected = ODD[what]
    line = json_line({"value": value})
    assert "\n" not in line
    assert json.loads(line) == {"value": expected}


def test_logs_are_such_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and a library's, with fields that nobody foresaw."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logs.configure(load_settings(log_format="json"))
        structlog.get_logger("ours").warning("half", text="\ud83d", org_id=AN_ID)
        logging.getLogger("theirs").warning("number %s", 2**70)
        ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    finally:
        logging.getLogger().handlers[:], logging.getLogger().level = before
        structlog.reset_defaults()
    assert (ours["event"], ours["text"], ours["org_id"]) == ("half", "\ud83d", str(AN_ID))
    assert theirs["event"] == f"number {2**70}"
