"""Makes or brings up to date the environment in `.venv`: install.py LEVEL STAMP, where LEVEL is `app` or `dev`.

Run by `./referrals` with the system's Python, so it uses the standard library alone. Installing with uv, itself
installed by pip with its hash checked, took 7 s where pip alone took 24 s (empty caches, two cores); where uv fails,
pip does it.

The stamp is written last: an environment without one was interrupted, and is made anew. A lock lets one start at a time
do this.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LEVELS = ("app", "dev")  # dev includes app


def main() -> None:
    """Install what is missing, unless another start has just done so."""
    level, stamp = sys.argv[1:]
    refuse_what_cannot_work()
    try:
        lock = (ROOT / ".venv.lock").open("w")
    except OSError as error:
        sys.exit(
            f"referrals: cannot make the environment in {ROOT}: {error.strerror}. Use a copy that you may write to."
        )
    with lock:
        wait_for(lock)
        if read(VENV / f"installed-{level}") == stamp and os.access(PYTHON, os.X_OK):
            return
        started = time.monotonic()
        say(f"making the environment in {VENV} with Python {sys.version.split()[0]}, once")
        install(level, stamp)
        say(f"environment ready after {time.monotonic() - started:.0f} s")


def refuse_what_cannot_work() -> None:
    """Say in one line why this Python or system cannot run the program."""
    if "musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE")):
        sys.exit(
            "referrals: Alpine and other musl systems are not supported: Java and Postgres have no wheels for them. "
            "Use a glibc system such as Debian, or `docker compose up`."
        )
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = "{}.{}".format(*sys.version_info)
        sys.exit(
            f"referrals: Python {version} at {sys.executable} lacks venv or ensurepip. "
            f"Install it (Debian and Ubuntu: apt install python{version}-venv) and start again."
        )


def install(level: str, stamp: str) -> None:
    """Bring the environment to the locks; a whole one of the same Python is changed in place, any other made anew."""
    is_whole = any((VENV / f"installed-{name}").exists() for name in LEVELS) and os.access(PYTHON, os.X_OK)
    for name in LEVELS:
        (VENV / f"installed-{name}").unlink(missing_ok=True)
    if not is_whole or read(VENV / "root") != str(ROOT):
        shutil.rmtree(VENV, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(VENV)])
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    wanted = str(REQUIREMENTS / f"{level}.txt")
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes"]
    has_uv = subprocess.run([*pip, "-r", str(REQUIREMENTS / "uv.txt")], check=False).returncode == 0
    if (
        not has_uv
        or subprocess.run([*uv, "--python", str(PYTHON), "-r", wanted], check=False, env=uv_environment()).returncode
    ):
        say("installing with pip instead of uv, which takes longer")
        run([*pip, "-r", wanted])

    # A path file rather than PYTHONPATH: `faust -A streams.app` and every subprocess find the modules from anywhere.
    (site_packages,) = VENV.glob("lib/python3.*/site-packages")
    (site_packages / "referral-streams.pth").write_text(f"{ROOT}\n")
    (VENV / "root").write_text(str(ROOT))
    for name in LEVELS[: LEVELS.index(level) + 1]:
        (VENV / f"installed-{name}").write_text(stamp)


def uv_environment() -> dict[str, str]:
    """Return the environment for uv, which does not read pip's settings: a mirror set for pip is set for uv too."""
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True)
    environment = dict(os.environ)
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        setting = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}.get(
            name.rpartition(".")[2]
        )
        if setting:
            environment.setdefault(setting, value.strip("'"))
    if not os.access(Path.home(), os.W_OK):
        environment["UV_NO_CACHE"] = "1"
    return environment


def wait_for(lock: TextIO) -> None:
    """Take the lock, and say so where another start has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another start that is making the environment")
        fcntl.flock(lock, fcntl.LOCK_EX)


def run(command: list[str]) -> None:
    """Run a command whose own output says why it failed."""
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"referrals: could not make the environment: `{' '.join(command[:4])} ...` failed, see above.")


def read(path: Path) -> str:
    """Return a file's text, nothing where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def say(message: str) -> None:
    """Tell the user; standard output belongs to the command that follows."""
    print(f"referrals: {message}", file=sys.stderr, flush=True)  # noqa: T201  there is no click here yet


if __name__ == "__main__":
    main()
