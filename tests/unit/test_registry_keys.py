"""`keys.json`: made once, the same for everybody who asks, readable by nobody else."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from edges.registry.keys import FILE_NAME, Keys, load_or_make_keys, with_keys
from edges.registry.secret_box import secret_box
from process.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).resolve().parents[2]
MAKE = "import sys, pathlib, edges.registry.keys as k; print(k.load_or_make_keys(pathlib.Path(sys.argv[1])).jwt_secret)"


def settings_in(data_dir: Path, **given: str) -> Settings:
    """Return settings with that data directory."""
    return load_settings(data_dir=data_dir, **given)


def test_made_once_and_kept(tmp_path: Path) -> None:
    """The second call gives what the first made, in a directory that was not there."""
    data_dir = tmp_path / "new" / "data"
    made = load_or_make_keys(data_dir)
    assert load_or_make_keys(data_dir) == made
    assert load_or_make_keys(tmp_path) != made
    assert [path.name for path in data_dir.iterdir()] == [FILE_NAME]


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    """Mode 0600."""
    load_or_make_keys(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_many_at_once_get_the_same(tmp_path: Path) -> None:
    """Threads that begin together, and processes."""
    data_dir = tmp_path / "threads"
    with ThreadPoolExecutor(16) as pool:
        assert len({keys.jwt_secret for keys in pool.map(load_or_make_keys, [data_dir] * 64)}) == 1
    assert [path.name for path in data_dir.iterdir()] == [FILE_NAME]
    processes = [
        subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in processes}) == 1


def test_they_are_good_for_what_they_are_for(tmp_path: Path) -> None:
    """The box takes the keys, and the token's secret is long enough."""
    load_or_make_keys(tmp_path)
    settings = with_keys(settings_in(tmp_path))
    assert secret_box(settings).newest == 1
    assert settings.jwt_secret is not None
    assert len(settings.jwt_secret.get_secret_value()) >= 32


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    """Without a file the settings stay as they are."""
    settings = settings_in(tmp_path)
    assert with_keys(settings) is settings
    assert list(tmp_path.iterdir()) == []


def test_what_the_settings_give_goes_first(tmp_path: Path) -> None:
    """Only what is missing is filled in, and then counts as given: components that are started get it."""
    made = load_or_make_keys(tmp_path)
    settings = with_keys(settings_in(tmp_path, jwt_secret="given"))  # noqa: S106 - a test's
    assert settings.jwt_secret == SecretStr("given")
    assert settings.secret_keys == SecretStr(made.secret_keys)
    assert settings.is_given("secret_keys")


@pytest.mark.parametrize("text", ["", "{}", '{"jwt_secret": "s3cr3t-that-is-ours"', '{"jwt_secret": 1}'])
def test_a_damaged_file_is_named_and_not_replaced(tmp_path: Path, text: str) -> None:
    """Making new keys would lose every secret that was encrypted with the old ones."""
    path = tmp_path / FILE_NAME
    path.write_text(text)
    for use in (load_or_make_keys, lambda data_dir: with_keys(settings_in(data_dir))):
        with pytest.raises(SettingsError, match="is not what this program writes there") as caught:
            use(tmp_path)
        assert str(path) in str(caught.value)
        assert "s3cr3t" not in str(caught.value)
    assert path.read_text() == text


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """For example a directory of that name."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_or_make_keys(tmp_path)


def test_keys_are_not_shown() -> None:
    """Not in a traceback's locals either."""
    assert "abc" not in repr([Keys(jwt_secret="abc", secret_keys="abc")])  # noqa: S106 - a test's
