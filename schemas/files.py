"""The files of the machine-readable contract, beside this module: what they must hold, and what they do hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from schemas.asyncapi import asyncapi_yaml
from schemas.client import client_source
from schemas.events import EVENTS, event_schema
from schemas.openapi import openapi_document
from schemas.settings import NAME as SETTINGS
from schemas.settings import settings_page

FOLDER: Final = Path(__file__).resolve().parent


def contents() -> dict[str, str]:
    """Return every file's path in the folder, and its text."""
    events = {f"events/{kind.__name__}.json": _json(event_schema(kind)) for kind in EVENTS}
    document = openapi_document()
    return {
        "openapi.json": _json(document),
        "asyncapi.yaml": asyncapi_yaml(),
        "referrals_client.py": client_source(document),
        SETTINGS: settings_page(),
        **events,
    }


def differences(folder: Path = FOLDER) -> list[str]:
    """Return the paths of files that are not as they must be: missing, different, or of an event that is no more."""
    texts = contents()
    known = set(texts) | {f"events/{file.name}" for file in (folder / "events").glob("*.json")}
    return sorted(path for path in known if _text(folder / path) != texts.get(path))


def write(folder: Path = FOLDER) -> list[str]:
    """Make every file as it must be; return the paths of those that were not."""
    changed = differences(folder)
    texts = contents()
    for path in changed:
        file = folder / path
        if path in texts:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(texts[path])
        else:
            file.unlink()
    return changed


def _text(file: Path) -> str | None:
    return file.read_text() if file.is_file() else None


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
