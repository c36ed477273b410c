"""Files of certificates that change: who is told, when, and of what nobody is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from process.renewal import Renewal
from process.settings import Settings, load_settings
from tests.secured_kafka import KEY_PASSWORD, certify

LOOK_S: Final = 0.02
SOON_S: Final = 5.0
AUTHORITY: Final = certify("authority")


class Files:
    """A certificate, its key, and who vouches for brokers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.renew()

    def renew(self) -> None:
        """Write new ones, as somebody would: first the key."""
        new = certify("user", AUTHORITY)
        other = self.folder / "other.pem"
        new.write(other, key=self.folder / "user.key", password=KEY_PASSWORD)
        other.replace(self.folder / "user.pem")
        AUTHORITY.write(self.folder / "authority.pem", key=self.folder / "authority.key")

    def settings(self) -> Settings:
        """Return settings that name them."""
        given: dict[str, Any] = {"ssl_ca_location": self.folder / "authority.pem"}
        given |= {"ssl_certificate_location": self.folder / "user.pem", "ssl_key_location": self.folder / "user.key"}
        return load_settings(security_protocol="SSL", ssl_key_password=KEY_PASSWORD, **given)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Give some."""
    return Files(tmp_path)


@contextmanager
def watching(settings: Settings) -> Iterator[threading.Event]:
    """Look at the files while the body runs; give what is set when they were renewed."""
    told = threading.Event()
    renewal = Renewal(settings, told.set, look_s=LOOK_S, spread_s=0)
    renewal.start()
    yield told
    renewal.stop()
    renewal.join(SOON_S)
    assert renewal.has_come == told.is_set()


def test_a_new_pair_is_told(files: Files) -> None:
    """Also where the file is replaced by another, as Kubernetes and most tools do."""
    with watching(files.settings()) as told:
        assert not told.wait(5 * LOOK_S)
        files.renew()
        assert told.wait(SOON_S)


def test_a_new_authority_is_told(files: Files) -> None:
    """One more in the file is as good as another file."""
    with watching(files.settings()) as told:
        file = files.folder / "authority.pem"
        file.write_bytes(file.read_bytes() + certify("another").write(files.folder / "x.pem").read_bytes())
        assert told.wait(SOON_S)


def test_half_of_a_pair_is_waited_for(files: Files) -> None:
    """A key without its certificate would end every component; it is said, and the second half is waited for."""
    was = (files.folder / "user.pem").read_bytes()
    with capture_logs() as lines, watching(files.settings()) as told:
        files.renew()
        new = (files.folder / "user.pem").read_bytes()
        (files.folder / "user.pem").write_bytes(was)
        assert not told.wait(20 * LOOK_S)
        assert [line["event"] for line in lines] == ["certificates_cannot_be_used"]
        assert lines[0]["reason"] == "KEY_VALUES_MISMATCH"
        (files.folder / "user.pem").write_bytes(new)
        assert told.wait(SOON_S)


def test_what_is_away_or_the_same_is_nothing(files: Files) -> None:
    """A file that is missing for a moment, and one that is written again as it was."""
    file = files.folder / "user.pem"
    with watching(files.settings()) as told:
        content = file.read_bytes()
        file.unlink()
        assert not told.wait(5 * LOOK_S)
        file.write_bytes(content)
        assert not told.wait(5 * LOOK_S)


def test_without_files_nobody_looks() -> None:
    """The thread ends at once."""
    renewal = Renewal(load_settings(), lambda: None)
    renewal.start()
    renewal.join(SOON_S)
    assert not renewal.is_alive()
