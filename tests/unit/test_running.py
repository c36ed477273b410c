"""The note by which commands find the installation that runs beside them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from process.running import FILE_NAME, Note, find_settings, noted
from process.settings import load_settings

THEIRS = {
    "REFERRALS_BOOTSTRAP_SERVERS": "127.0.0.1:1234",
    "REFERRALS_DATABASE_URL": "postgresql://u:p@127.0.0.1:4321/referrals",
    "REFERRALS_PARTITIONS": "3",
    "REFERRALS_THRESHOLDS": "2,4",
}


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no setting of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("REFERRALS_"):
            monkeypatch.delenv(name)


def test_other_commands_find_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, and for its data directory alone; readable by this user only."""
    with noted(tmp_path, THEIRS):
        found = find_settings(data_dir=tmp_path)
        assert (found.bootstrap_servers, found.partitions, found.thresholds) == ("127.0.0.1:1234", 3, (2, 4))
        assert found.is_given("database_url")
        assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
        assert find_settings(data_dir=tmp_path / "other") == load_settings(data_dir=tmp_path / "other")
        monkeypatch.setenv("REFERRALS_PARTITIONS", "7")
        assert find_settings(data_dir=tmp_path).partitions == 7, "what is set goes before it"
        assert find_settings(data_dir=tmp_path).bootstrap_servers == "127.0.0.1:1234"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["REFERRALS_BOOTSTRAP_SERVERS", "REFERRALS_DATABASE_URL"])
def test_two_halves_of_two_installations_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Who says where one of the parts is, means no other installation's."""
    monkeypatch.setenv(variable, THEIRS[variable].replace("127.0.0.1", "localhost"))
    with noted(tmp_path, THEIRS):
        assert find_settings(data_dir=tmp_path) == load_settings(data_dir=tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        msgspec.json.encode(Note(pid=os.getpid(), started_at=1.0, environment=THEIRS)),  # a number that was another's
        b"{",
        b"",
    ],
)
def test_a_note_that_was_left_behind_counts_for_nothing(tmp_path: Path, content: bytes) -> None:
    """By a process that was killed, or a disk that was full."""
    (tmp_path / FILE_NAME).write_bytes(content)
    assert find_settings(data_dir=tmp_path) == load_settings(data_dir=tmp_path)
