"""The wrapper `./referrals`: finds a Python, makes the environment once, passes everything on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("cat", "cksum", "dirname", "readlink", "sh")
PYTHON = '#!/bin/sh\ncase "$2" in *version_info*) echo {version} ;; *) echo "{name} $*" >>"$CALLS" ;; esac\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a directory with the wrapper, locks, and no Python on its path."""
    (tmp_path / "requirements").mkdir()
    for name in ("app.txt", "dev.txt", "install.py"):
        (tmp_path / "requirements" / name).write_text(name)
    shutil.copy(ROOT / "referrals", tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def add_program(path: Path, text: str) -> None:
    """Make an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(checkout: Path, *arguments: str, program: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the wrapper with nothing on the path but what the checkout's `bin` holds."""
    return subprocess.run(
        [program or checkout / "referrals", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": str(checkout / "bin"), "CALLS": str(checkout / "calls")},
    )


def calls(checkout: Path) -> list[str]:
    """Return what the Pythons were asked to do."""
    return (checkout / "calls").read_text().splitlines() if (checkout / "calls").exists() else []


def make_environment(checkout: Path, level: str) -> None:
    """Make what the installer leaves: a Python, and the stamp of the locks."""
    locks = [str(checkout / "requirements" / name) for name in ("app.txt", "dev.txt")]
    stamp = subprocess.run(["/usr/bin/env", "cksum", *locks], check=True, capture_output=True, text=True).stdout
    add_program(checkout / ".venv" / "bin" / "python", PYTHON.format(version="3.11", name="venv"))
    (checkout / ".venv" / f"installed-{level}").write_text(stamp.rstrip("\n"))


def test_without_python_it_says_what_it_needs(checkout: Path) -> None:
    """Without any Python there is one clear line."""
    result = run(checkout, "demo")
    assert result.returncode == 1
    assert result.stderr.startswith("referrals: needs Python 3.11, 3.12 or 3.13; found: none.")


def test_too_old_a_python_is_named(checkout: Path) -> None:
    """A Python that is too old is named in that line."""
    add_program(checkout / "bin" / "python3", PYTHON.format(version="3.9", name="old"))
    result = run(checkout, "demo")
    assert result.returncode == 1
    assert "found: 3.9." in result.stderr


def test_a_stand_in_without_its_python_is_passed_over(checkout: Path) -> None:
    """A version manager's stand-in that fails is passed over for the next name."""
    add_program(checkout / "bin" / "python3.13", "#!/bin/sh\nexit 127\n")
    add_program(checkout / "bin" / "python3", PYTHON.format(version="3.12", name="right"))
    run(checkout, "demo")
    assert any(line.startswith("right -I") and "install.py app" in line for line in calls(checkout))


def test_with_an_environment_nothing_is_installed(checkout: Path) -> None:
    """Where the environment fits the locks, the command and its arguments go straight on."""
    make_environment(checkout, "app")
    assert run(checkout, "publish", "a b", "--x").returncode == 0
    assert calls(checkout) == ["venv -P -m commands publish a b --x"]


def test_ctrl_c_waits_until_python_has_started(checkout: Path) -> None:
    """The interpreter would print where it was; so the signal is held until the program takes it, where `env` can."""
    env, true = shutil.which("env"), shutil.which("true")
    assert env is not None
    assert true is not None
    if subprocess.run([env, "--block-signal=INT", true], check=False, capture_output=True).returncode:
        pytest.skip("this system's env cannot hold a signal")
    (checkout / "bin" / "env").symlink_to(env)
    (checkout / "bin" / "true").symlink_to(true)
    make_environment(checkout, "app")
    add_program(checkout / ".venv" / "bin" / "python", '#!/bin/sh\nkill -INT $$\necho "started $*" >>"$CALLS"\n')
    run(checkout, "up", "--json")
    assert calls(checkout) == ["started -P -m commands up --json"]


def test_tests_need_more(checkout: Path) -> None:
    """`test` asks for the libraries of the tests too."""
    make_environment(checkout, "app")
    add_program(checkout / "bin" / "python3", PYTHON.format(version="3.11", name="base"))
    run(checkout, "test")
    assert any("install.py dev" in line for line in calls(checkout))


@pytest.mark.parametrize("lock", ["app.txt", "dev.txt"])
def test_another_lock_makes_the_environment_anew(checkout: Path, lock: str) -> None:
    """When a lock has changed, the installer runs before the command."""
    make_environment(checkout, "app")
    add_program(checkout / "bin" / "python3", PYTHON.format(version="3.11", name="base"))
    (checkout / "requirements" / lock).write_text("changed")
    run(checkout, "demo")
    asked = calls(checkout)
    assert any("install.py app" in line for line in asked[:-1])
    assert asked[-1] == "venv -P -m commands demo"


def test_it_can_be_called_by_a_link(checkout: Path, tmp_path: Path) -> None:
    """A link to the wrapper, in a directory of the user's path, works as the wrapper itself."""
    make_environment(checkout, "app")
    link = tmp_path / "elsewhere" / "referrals"
    link.parent.mkdir()
    link.symlink_to(checkout / "referrals")
    assert run(checkout, "demo", program=link).returncode == 0
    assert calls(checkout) == ["venv -P -m commands demo"]
