"""The documentation's site: it is made without a complaint, loads nothing from elsewhere, and each page is reached."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest
import rich_click as click
import yaml

from commands.main import COMMANDS
from process.settings import Settings, variable_of
from process.version import VERSION
from schemas.settings import settings_page
from tests.snippets import ROOT, in_text, indented, pages, snippets

NAVIGATION_MAX: Final = 15
RUN: Final = {"sh", "python"}
READ: Final[dict[str, Callable[[str], object]]] = {
    "json": json.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}
SHOWN: Final = {"ini", "java", "sql"}
"""Languages of blocks: those that tests/integration/test_site_snippets.py runs, those that are read here, and those for
which there is no program, so that they always say why they are not run."""
FIRST: Final = "docs/index.html"


def make(source: Path, site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Make a site as docs/conf.py says."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-E", "-c", str(ROOT / "docs"), *options, str(source), str(site)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the site; whatever it complains of fails."""
    made = tmp_path_factory.mktemp("site")
    done = make(ROOT, made, "--keep-going")
    assert done.returncode == 0, done.stderr
    return made


class Page(HTMLParser):
    """What a page leads to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Sort a tag's addresses."""
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif (name == "src" or (name == "href" and tag == "link")) and value:
                self.loaded.append(value)


def html(site: Path) -> Iterator[Path]:
    """Yield the pages, without Sphinx's own."""
    return (file for file in site.rglob("*.html") if file.name not in {"search.html", "genindex.html"})


def test_each_page_is_reached(site: Path) -> None:
    """From the first one, by links; and each file of Markdown is a page."""
    seen, ahead = set[Path](), [site / FIRST]
    while ahead:
        file = ahead.pop()
        if file not in seen and file.suffix == ".html":
            seen.add(file)
            links = Page(file.read_text(encoding="utf-8")).links
            ahead += [(file.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link and link]
    assert {str(file.relative_to(site)) for file in seen} >= {page.replace(".md", ".html") for page in pages()}
    assert FIRST in (site / "index.html").read_text(encoding="utf-8")


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    """No page and no style loads what is not of the site; no font does at all."""
    for file in site.rglob("?*/*.html"):
        loaded = Page(file.read_text(encoding="utf-8")).loaded
        assert loaded, file
        assert [each for each in loaded if re.match(r"(\w+:)?//", each)] == [], file
    for file in site.rglob("*.css"):
        text = file.read_text(encoding="utf-8")
        assert re.findall(r"url\(\s*['\"]?(?:\w+:)?//|@import|@font-face", text) == [], file


def test_the_navigation_is_short(site: Path) -> None:
    """At most fifteen pages, the first among them."""
    text = (site / FIRST).read_text(encoding="utf-8")
    navigation = text.partition('<div class="sidebar-tree">')[2].partition("</aside>")[0]
    linked = {link for link in Page(navigation).links if link.endswith(".html") or link == "#"}
    assert 5 < len(linked) + 1 <= NAVIGATION_MAX, sorted(linked)


def test_a_dead_link_is_an_error(tmp_path: Path) -> None:
    """To a page, a file and a heading; what the first test rests on."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# One\n\n[good](#one) [page](other.md) [heading](#two) [file](../x.py)\n")
    done = make(tmp_path, tmp_path / "site", "--keep-going")
    assert done.returncode != 0
    for dead in ("other.md", "two", "../x.py"):
        assert f"target not found: '{dead}'" in done.stderr or f"not found: {dead!r}" in done.stderr, done.stderr
    assert "'one'" not in done.stderr


def test_every_setting_has_its_entry() -> None:
    """With a description; what a bad value says is what `load_settings` says."""
    page = settings_page()
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == [variable_of(name) for name in Settings.model_fields]
    assert all(field.description for field in Settings.model_fields.values())
    assert "`REFERRALS_PARTITIONS: Input should be a valid integer" in page


def test_the_page_does_not_depend_on_who_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of that process is not on it."""
    before = settings_page()
    monkeypatch.setenv("REFERRALS_PARTITIONS", "many")
    monkeypatch.setenv("REFERRALS_SECURITY_PROTOCOL", "SSL")
    assert settings_page() == before


@pytest.mark.parametrize("page", pages())
def test_each_block_has_a_language(page: str) -> None:
    """One that the tests know how to run or read; none is code by indentation alone."""
    assert indented(page) == []
    for snippet in snippets(page):
        if snippet.language in READ:
            READ[snippet.language](snippet.text)
        else:
            assert snippet.language in RUN | (SHOWN if snippet.not_run or snippet.run_by else set()), snippet
        if snippet.run_by is not None:
            test = (ROOT / snippet.run_by).read_text(encoding="utf-8")
            assert re.search(rf'run_by\(\s*"{re.escape(snippet.run_by)}", "{re.escape(page)}"', test), snippet


def test_the_changelog_begins_with_this_version() -> None:
    """What is noticed of it has a place to stand."""
    headings = re.findall(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == VERSION


@pytest.mark.parametrize("page", [page for page in pages() if page != "CHANGELOG.md"])
def test_commands_in_the_text_exist(page: str) -> None:
    """Each `referrals ...` in backticks is a command of the program, with options that it has."""
    for text in in_text(page):
        words = re.match(r"(?:\./)?referrals ([a-z-]+(?: .*)?)$", text)
        if words and "..." not in text and " / " not in text:
            check_command(page, words[1])


def check_command(page: str, line: str) -> None:
    """Follow a line's words through the program's commands, and look for its options there."""
    first, *words = shlex.split(line)
    assert first in COMMANDS, f"{page}: `{line}`: there is no command {first}"
    found: click.Command = importlib.import_module(f"commands.{first.replace('-', '_')}").command
    options: set[str] = set()
    for word in words:
        if isinstance(found, click.Group):
            if word.startswith("-"):
                break
            inner = found.get_command(click.Context(found), word)
            assert inner is not None, f"{page}: `{line}`: there is no command {word}"
            found = inner
        elif word.startswith("--"):
            options.add(word.partition("=")[0])
    known = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert options <= known | {"--help"}, f"{page}: `{line}`"
