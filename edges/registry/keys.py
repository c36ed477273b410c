"""The secrets of an installation for which nobody has configured any: made once, kept in its data directory.

`up` and `demo` make `keys.json`; commands that run beside them find it there. What the settings give goes before it.
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
from msgspec import Struct
from pydantic import SecretStr

from process.settings import Settings, SettingsError

FILE_NAME: Final = "keys.json"

_OURS_ALONE: Final = 0o600
_JWT_SECRET_BYTES: Final = 48
_SECRET_KEY_BYTES: Final = 32


class Keys(Struct, frozen=True, kw_only=True):
    """The settings of the same names, as text."""

    jwt_secret: str
    secret_keys: str

    def __repr__(self) -> str:
        """Show none of it."""
        return "Keys(...)"


def load_or_make_keys(data_dir: Path) -> Keys:
    """Return the keys of a data directory; made, readable by this user alone, if there are none yet.

    Where several processes do so at once all get the same. Raises SettingsError where the file cannot be used.
    """
    path = data_dir / FILE_NAME
    kept = _read(path)
    if kept is not None:
        return kept
    made = Keys(
        jwt_secret=secrets.token_urlsafe(_JWT_SECRET_BYTES),
        secret_keys=f"1:{base64.b64encode(secrets.token_bytes(_SECRET_KEY_BYTES)).decode()}",
    )
    data_dir.mkdir(parents=True, exist_ok=True)
    draft = data_dir / f".{FILE_NAME}.{uuid4().hex}"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OURS_ALONE), "wb") as file:
            file.write(msgspec.json.encode(made) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)  # whole or not at all; unlike a rename it never replaces what another process made
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return _read(path) or made


def with_keys(settings: Settings) -> Settings:
    """Return the settings with `jwt_secret` and `secret_keys` from the data directory, where they are not given.

    Makes nothing: where there is no file, what is missing stays missing.
    """
    if settings.jwt_secret is not None and settings.secret_keys is not None:
        return settings
    kept = _read(settings.data_dir / FILE_NAME)
    if kept is None:
        return settings
    found = {"jwt_secret": SecretStr(kept.jwt_secret), "secret_keys": SecretStr(kept.secret_keys)}
    return settings.model_copy(update={name: value for name, value in found.items() if getattr(settings, name) is None})


def _read(path: Path) -> Keys | None:
    """Return what the file holds; None: there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Keys)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError:  # its message may quote what the file holds
        raise SettingsError(
            f"{path} is not what this program writes there; restore it from a backup. Without its keys the "
            "organisations' secrets cannot be read"
        ) from None
