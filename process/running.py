"""The installation that runs on this machine out of a data directory: `up` notes where it is, other commands find it.

So they work in a second terminal without a variable set. What the environment says goes before it; where it says where
Kafka or Postgres is, the note counts for nothing, because two halves of two installations are none.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from process.settings import Settings, field_of, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILE_NAME: Final = "running.json"
ADDRESSES: Final = ("bootstrap_servers", "database_url")

_OURS_ALONE: Final = 0o600  # the database's address has a password in it


class Note(Struct, frozen=True, kw_only=True):
    """What the file holds."""

    pid: int
    started_at: float
    """When that process began: another one may have its number later."""
    environment: dict[str, str]


@contextmanager
def noted(data_dir: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Let other commands find the installation of this process during the body."""
    import psutil  # noqa: PLC0415  the container image, where no `up` runs, has none

    ours = psutil.Process()
    path = data_dir / FILE_NAME
    draft = data_dir / f".{FILE_NAME}.{ours.pid}"
    note = Note(pid=ours.pid, started_at=ours.create_time(), environment=dict(environment))
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OURS_ALONE), "wb") as file:
        file.write(msgspec.json.encode(note) + b"\n")
    draft.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def find_settings(**given: Any) -> Settings:  # noqa: ANN401  each is checked against its field
    """Read the settings as `load_settings` does; what is not set is as in the running installation, if there is one.

    Raises SettingsError.
    """
    settings = load_settings(**given)
    if any(settings.is_given(field) for field in ADDRESSES):
        return settings
    found = {field_of(name): value for name, value in _environment(settings.data_dir).items()}
    theirs = {field: value for field, value in found.items() if not settings.is_given(field)}
    return load_settings(**theirs, **given) if theirs else settings


def _environment(data_dir: Path) -> Mapping[str, str]:
    """Return what is noted; nothing where nobody runs, or has left a note behind."""
    try:
        note = msgspec.json.decode((data_dir / FILE_NAME).read_bytes(), type=Note)
    except (OSError, msgspec.MsgspecError):
        return {}
    import psutil  # noqa: PLC0415  as above; and who finds no note need not wait for it

    try:
        is_there = psutil.Process(note.pid).create_time() == note.started_at
    except psutil.Error:
        return {}
    return note.environment if is_there else {}
