"""The examples ask for what is tested with them, and name no address to fetch it from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from local.parts.jars import KAFKA_VERSION

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLES: Final = ROOT / "examples"


def test_the_clients_are_those_of_the_test() -> None:
    """Python's is the components', Java's the broker's."""
    pom = (EXAMPLES / "java/pom.xml").read_text(encoding="utf-8")
    assert re.findall(r"<artifactId>kafka-clients</artifactId>\s*<version>(.+?)</version>", pom) == [KAFKA_VERSION]
    asked = (EXAMPLES / "python/requirements.txt").read_text(encoding="utf-8").split()
    components = (ROOT / "requirements/components.in").read_text(encoding="utf-8").split()
    assert set(asked) <= set(components)


def test_the_lock_holds_what_is_asked_for() -> None:
    """With its hash, and without an address: whoever installs it has a registry."""
    asked = json.loads((EXAMPLES / "javascript/package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = json.loads((EXAMPLES / "javascript/package-lock.json").read_text(encoding="utf-8"))
    locked = {name.removeprefix("node_modules/"): each for name, each in lock["packages"].items() if name}
    assert {name: each["version"] for name, each in locked.items()} == asked
    assert all(each["integrity"].startswith("sha512-") and "resolved" not in each for each in locked.values())
