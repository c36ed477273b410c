"""Checks, without a network, that the locks hold what the requirements ask for, each with hashes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement

FOLDER = Path(__file__).resolve().parent
LOCKS = {
    "uv": ["uv"],
    "components": ["components"],
    "app": ["components", "traces", "app"],
    "traces": ["traces"],
    "docs": ["docs"],
    "dev": ["dev"],
}
"""Each lock, and the `.in` files that it is made of."""

_PINNED = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^ ;\\]+)(?P<rest>.*(?:\n    --hash=.*)*)", re.MULTILINE
)


def wanted(file: str) -> list[Requirement]:
    """Return the requirements of a `.in` file and of those that it names."""
    found: list[Requirement] = []
    for line in (FOLDER / f"{file}.in").read_text().splitlines():
        requirement = line.partition("#")[0].strip()
        if requirement.startswith("-r "):
            found += wanted(requirement.removeprefix("-r ").removesuffix(".in"))
        elif requirement:
            found.append(Requirement(requirement))
    return found


def faults(lock: str, pins: dict[str, str]) -> list[str]:
    """Return what is wrong with a lock; `pins` holds the versions of the locks before, and those of this one after."""
    found = []
    own = {}
    for match in _PINNED.finditer((FOLDER / f"{lock}.txt").read_text()):
        name, version = match["name"], match["version"]
        own[name] = version
        if "--hash=sha256:" not in match["rest"]:
            found.append(f"{lock}.txt: {name} has no hash")
        if pins.get(name, version) != version:
            found.append(f"{lock}.txt: {name} is {version}, but another lock has {pins[name]}")
    for requirement in [each for file in LOCKS[lock] for each in wanted(file)]:
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name not in own:
            found.append(f"{lock}.txt: {name} is missing")
        elif not requirement.specifier.contains(own[name], prereleases=True):
            found.append(f"{lock}.txt: {name} is {own[name]}, which {lock}.in does not allow ({requirement})")
    pins.update(own)
    return found


def main() -> None:
    """Print what is wrong and what to do, and exit with 1, unless nothing is."""
    pins: dict[str, str] = {}
    found = [fault for lock in LOCKS for fault in faults(lock, pins)]
    if found:
        sys.exit("\n".join([*found, "Run requirements/lock to lock them again."]))


if __name__ == "__main__":
    main()
