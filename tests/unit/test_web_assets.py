"""The pages' files: what is vendored is what the lock leads to, and nothing in them needs what the policy forbids."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from edges.web.answers.mentors import Picture
from edges.web.assets import FOLDER, Assets
from models.badges import PICTURES

PAGES = ("badges", "dashboard", "docs", "mentor", "missing", "welcome")
VENDOR = FOLDER / "vendor"
VENDORED = (VENDOR, Path(__file__).resolve().parents[1] / "browser" / "vendor")
OURS = [path for path in FOLDER.rglob("*.js") if VENDOR not in path.parents]
MARKUP_FROM_TEXT = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "setHTML",
    "eval(",
    "new Function",
)


@pytest.fixture(scope="module")
def assets() -> Assets:
    """Give the installation's own."""
    return Assets()


@pytest.mark.parametrize("folder", VENDORED, ids=["pages", "tests"])
def test_vendored_files_are_those_of_the_lock(folder: Path) -> None:
    """Version, integrity and every file agree: package.json, the lock, what update.py noted, what stands here."""
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    noted = json.loads((folder / "vendored.json").read_text())
    assert set(noted) == set(wanted)
    for package, facts in noted.items():
        lock = locked[f"node_modules/{package}"]
        assert facts["version"] == lock["version"] == wanted[package]
        assert facts["integrity"] == lock["integrity"]
        standing = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (folder / package).iterdir()
        }
        assert standing == facts["sha256"]
        assert f"{package}/LICENSE" in standing


def test_the_lock_names_no_registry() -> None:
    """Where it was fetched from is the machine's affair."""
    assert not [folder for folder in VENDORED if "resolved" in (folder / "package-lock.json").read_text()]


class _Page(HTMLParser):
    """What a page's markup holds that matters here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note addresses, and what a policy without 'unsafe-inline' refuses."""
        given = dict(attrs)
        self.names += [value for name in ("src", "href") if (value := given.get(name)) and "/static/" in value]
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("name", PAGES)
def test_pages_find_their_files_and_hold_nothing_inline(assets: Assets, name: str) -> None:
    """Every address is a file under the present version; no inline script, style or handler."""
    page = _Page(assets.page(name, "nb").content.decode())
    prefix = f"/static/{assets.version}/"
    assert page.inline == []
    assert len(page.names) > 3
    for address in page.names:
        assert address.startswith(prefix)
        assert assets.file(address.removeprefix(prefix).partition("#")[0]) is not None, address


@pytest.mark.parametrize("name", ["dashboard", "mentor", "welcome"])
def test_pages_preload_every_module_they_import(assets: Assets, name: str) -> None:
    """No module is found late, by another that imports it."""
    text = assets.page(name, "nb").content.decode()
    for module in assets.modules(f"{name}/main.js"):
        assert f'/{module}"' in text, module


def test_icons_are_there() -> None:
    """Every icon that a page or a module names is in the one file of them."""
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', (FOLDER / "icons.svg").read_text()))
    texts = [path.read_text() for path in [*OURS, *FOLDER.rglob("*.html")]]
    named = {
        name for text in texts for name in re.findall(r'icon\("([\w-]+)"\)|icons\.svg#([\w-]+)"', text) for name in name
    }
    assert named - {""} <= drawn
    assert len(named) > 5


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_no_module_makes_markup_of_text(path: Path) -> None:
    """Text becomes text nodes, whatever an answer holds."""
    source = path.read_text()
    assert [word for word in MARKUP_FROM_TEXT if word in source] == []


def test_only_what_browsers_need_is_served(assets: Assets) -> None:
    """Locks, scripts beside them, and templates are not; nor anything outside the folder."""
    assert assets.file("base.css") is not None
    for name in (
        "vendor/package-lock.json",
        "vendor/update.py",
        "dashboard/page.html",
        "../app.py",
        "vendor/uplot/LICENSE",
    ):
        assert assets.file(name) is None, name


def test_version_changes_with_any_file(tmp_path: Path) -> None:
    """What browsers keep for ever is never asked for again, so its address must change with it."""
    for folder in PAGES:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "page.html").write_text("{static}")
    (tmp_path / "a.js").write_text("1")
    before = Assets(tmp_path)
    assert before.page("mentor", "en").content == f"/static/{before.version}".encode()
    (tmp_path / "a.js").write_text("2")
    after = Assets(tmp_path)
    assert after.version != before.version
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    assert Assets(tmp_path).version != after.version


def test_pictures_are_those_of_the_pages() -> None:
    """Of the answers, of the icons, and of the form that offers them."""
    assert get_args(Picture) == PICTURES
    icons = (FOLDER / "icons.svg").read_text(encoding="utf-8")
    form = (FOLDER / "badges/maker.js").read_text(encoding="utf-8")
    for name in PICTURES:
        assert f'<symbol id="{name}"' in icons
        assert f'  {name}: text("picture.{name}"),' in form
