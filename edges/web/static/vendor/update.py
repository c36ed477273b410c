# ruff: noqa: INP001 - a script beside its lock, in no package
"""Fetches what package-lock.json names and compares it with the files committed here; `--write` takes it over.

    npm install --package-lock-only uplot@VERSION     in this folder, to move to another version; then
    python edges/web/static/vendor/update.py --write

What the tests need is kept the same way in tests/browser/vendor: name that folder too.

npm checks what it fetches against the lock's integrity. `vendored.json` notes the integrity and each file's SHA-256, so
that a test can see without a network that the files are those that the lock leads to.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {
    "axe-core": ("LICENSE", "axe.min.js"),
    "uplot": ("LICENSE", "dist/uPlot.iife.min.js", "dist/uPlot.min.css"),
}
"""By package: the files of it that are used."""


def main(arguments: list[str]) -> int:
    """Fetch and compare; return 1 where a file differs."""
    here = next((Path(argument) for argument in arguments if not argument.startswith("-")), HERE)
    strip_addresses(here)
    with tempfile.TemporaryDirectory(prefix="vendor-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(here / name, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)  # noqa: S607  npm is where PATH says
        fetched = {
            f"{package}/{Path(file).name}": (Path(folder) / "node_modules" / package / file).read_bytes()
            for package in json.loads((here / "package.json").read_text(encoding="utf-8"))["dependencies"]
            for file in FILES[package]
        }
    if "--write" in arguments:
        for name, content in fetched.items():
            (here / name).parent.mkdir(exist_ok=True)
            (here / name).write_bytes(content)
        (here / "vendored.json").write_text(json.dumps(describe(here), indent=2) + "\n", encoding="utf-8")
    differing = [name for name, content in fetched.items() if (here / name).read_bytes() != content]
    sys.stdout.write(f"differs from what the lock leads to: {', '.join(differing)}\n" if differing else "equal\n")
    return 1 if differing else 0


def describe(here: Path) -> dict[str, dict[str, object]]:
    """Return what stands here: by package its version, the lock's integrity, and the SHA-256 of each file."""
    locked = json.loads((here / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return {
        package: {
            "version": locked[f"node_modules/{package}"]["version"],
            "integrity": locked[f"node_modules/{package}"]["integrity"],
            "sha256": {
                (name := f"{package}/{Path(file).name}"): hashlib.sha256((here / name).read_bytes()).hexdigest()
                for file in FILES[package]
            },
        }
        for package in json.loads((here / "package.json").read_text(encoding="utf-8"))["dependencies"]
    }


def strip_addresses(here: Path) -> None:
    """Leave out of the lock where it was fetched from: integrity says what it is, and registries differ."""
    path = here / "package-lock.json"
    lock = json.loads(path.read_text(encoding="utf-8"))
    for package in lock["packages"].values():
        package.pop("resolved", None)
    path.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
