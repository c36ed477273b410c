"""The house reads like a table of contents: few doors, each with its sentence; the lists that name them are whole."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS_MAX: Final = 12
NOT_PACKAGES: Final = {"docs", "examples", "requirements", "tests"}
ONLY_READ: Final = {"docs", "examples"}
HALLS: Final = ("edges", "local", "proof")
"""Folders that hold folders only; each of those has its own sentence."""


def folders(place: Path) -> set[str]:
    """Return the folders in a folder; what tools leave behind is not one of them."""
    left_behind = re.compile(r"\..*|__pycache__|.*\.egg-info|build|dist")
    return {each.name for each in place.iterdir() if each.is_dir() and not left_behind.fullmatch(each.name)}


def rooms() -> set[str]:
    """Return the packages in the halls, by path."""
    return {f"{hall}/{room}" for hall in HALLS for room in folders(ROOT / hall)}


def sentence(package: str) -> str:
    """Return the first line of a package's docstring."""
    text = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))
    assert text, f"{package}/__init__.py says nothing"
    return text.partition("\n")[0]


def test_the_top_has_few_doors_and_no_loose_module() -> None:
    """At most twelve folders beside what is only read, and no module."""
    assert len(folders(ROOT) - ONLY_READ) <= FOLDERS_MAX, sorted(folders(ROOT))
    assert list(ROOT.glob("*.py")) == []


def test_the_engine_is_read_in_an_order_that_has_all_of_it() -> None:
    """Each module stands in the list of its `__init__.py`, and each that stands there is one."""
    engine = ROOT / "streams" / "engine"
    listed = re.findall(r"^ {4}(\w+\.py) ", (engine / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    modules = [each.name for each in engine.glob("*.py") if each.name != "__init__.py"]
    assert sorted(listed) == sorted(modules)


def test_headers_are_asked_for_in_one_place() -> None:
    """Of confluent-kafka's messages by `process/headers.py` alone: a second look at some ends the process."""
    asking = [
        f"{module.relative_to(ROOT)}:{call.lineno}"
        for folder in sorted(folders(ROOT) - NOT_PACKAGES)
        for module in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "headers"
        if not call.args
    ]
    assert asking == []


def test_design_has_the_sentence_of_each_folder() -> None:
    """Every folder stands in DESIGN.md's table with the sentence of its `__init__.py`."""
    design = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `([a-z_/]+)/` \| (.+) \|$", design, re.MULTILINE))
    packages = (folders(ROOT) - NOT_PACKAGES) | rooms() | {"streams/engine"}
    assert table.keys() == packages | NOT_PACKAGES
    assert {package: table[package] for package in packages} == {package: sentence(package) for package in packages}


def test_the_layers_know_every_package() -> None:
    """import-linter is told its packages by name; one that is forgotten there would have no rule."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        linter = tomllib.load(file)["tool"]["importlinter"]
    assert set(linter["root_packages"]) == folders(ROOT) - NOT_PACKAGES
    layers = set(re.findall(r"[a-z.]+", " ".join(linter["contracts"][0]["layers"])))
    split = {"local", "proof"}  # their rooms stand on different floors; those of `edges` have a list of their own
    rooms_of_split = {room.replace("/", ".") for room in rooms() if room.partition("/")[0] in split}
    assert layers == folders(ROOT) - NOT_PACKAGES - split | rooms_of_split


def test_the_image_gets_every_package() -> None:
    """What the container image is built of is everything but the tests and what is only read."""
    allowed = re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(allowed) == folders(ROOT) - ONLY_READ - {"tests"}
