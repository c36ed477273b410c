"""Every text that people read is in the catalogue of each language, is said somewhere, and stands nowhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from edges.languages.catalogue import FOLDER, LANGUAGES, PLACE, Language, Text, catalogue, text
from edges.languages.choice import language_of, read_accepted
from edges.web.assets import FOLDER as STATIC
from edges.web.assets import SAID, Assets
from tests.page_texts import Page, Script, style_says

ROOT: Final = Path(__file__).resolve().parents[2]
OURS: Final = sorted(
    path
    for path in STATIC.rglob("*")
    if path.suffix in {".css", ".html", ".js"} and STATIC / "vendor" not in path.parents
)
PYTHON: Final = [
    path for path in (ROOT / "edges").rglob("*.py") if STATIC not in path.parents and FOLDER not in path.parents
]
SAME_IN_BOTH: Final = {
    "account.who",
    "channel.sms",
    "channel.whatsapp",
    "counts.mentor",
    "docs.type",
    "mentors.name",
    "product",
    "role.admin",
    "role.mentor",
    "sign-in.token",
    "title",
}
"""What an Englishman and a Norwegian write alike; all else that is the same was forgotten."""


def forms(said: Text) -> dict[str, str]:
    """Return the forms of a text."""
    return {"other": said} if isinstance(said, str) else said


def places(said: Text) -> set[str]:
    """Return the names of the values in a text."""
    return {place for form in forms(said).values() for place in PLACE.findall(form)}


def keys_said() -> set[str]:
    """Return the keys that pages, scripts and Python name."""
    sources = {path: path.read_text(encoding="utf-8") for path in (*OURS, *PYTHON)}
    scripts = {key for path, source in sources.items() if path.suffix == ".js" for key in SAID.findall(source)}
    pages = {key for path, source in sources.items() for key in re.findall(r"\{text ([\w.-]+)", source)}
    texts = [source for path, source in sources.items() if path.suffix == ".py"]
    python = {key for source in texts for key in re.findall(r"""\btext\(\s*[\w.]+,\s*["']([\w.-]+)["']""", source)}
    python |= {key for key in catalogue("en") if any(f'"{key}"' in source for source in texts)}
    return scripts | python | (pages - {"X"})  # as assets.py describes it


def test_no_text_is_missing_and_none_is_left_over() -> None:
    """What is said somewhere has its text, and no text is kept that nobody says."""
    said = keys_said()
    assert {language: said ^ set(catalogue(language)) for language in LANGUAGES} == {each: set() for each in LANGUAGES}


def test_keys_are_written_out() -> None:
    """A key that is put together would be found by neither the test above nor the page, which brings what it says."""
    for path in OURS:
        source = path.read_text(encoding="utf-8") if path.suffix == ".js" else ""
        calls = re.findall(r"(?<!function )(?<!\.)\b(?:text|parts)\((?!key\b)", source)
        assert len(calls) == len(SAID.findall(source)), path


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_catalogues_say_the_same(language: Language) -> None:
    """In the same order, with the same values in them, in the forms that there are; and nothing is left in English."""
    english, other = catalogue("en"), catalogue(language)
    assert list(english) == list(other)
    for key, said in english.items():
        assert places(said) == places(other[key]), key
        assert forms(said).keys() | forms(other[key]).keys() <= {"one", "other"}, key
        assert "other" in forms(other[key]), key
        assert (said == other[key]) is (key in SAME_IN_BOTH), key


def test_one_is_not_many_in_norwegian() -> None:
    """What stands behind a number there has an ending of its own for one, where English has the same word."""
    many = re.compile(r"\{n\} (?:bekreftede|mentorer|medlemmer|dager|timer|rader|registreringer)\b")
    wrong = [key for key, said in catalogue("nb").items() if many.search(str(said)) and "one" not in forms(said)]
    assert wrong == []


def test_catalogues_hold_no_key_twice() -> None:
    """JSON would take the last and say nothing."""
    for language in LANGUAGES:
        written = re.findall(r'^  "([^"]+)":', (FOLDER / f"{language}.json").read_text(encoding="utf-8"), re.MULTILINE)
        assert len(written) == len(set(written)) == len(catalogue(language))


def said_by(path: Path) -> list[str]:
    """Return what a file says of its own."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".css":
        return list(style_says(source))
    return Script(source).said if path.suffix == ".js" else Page(source).said


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_nothing_says_a_text_of_its_own(path: Path) -> None:
    """If this fails: put the text into every catalogue, and name its key here."""
    assert said_by(path) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("child.js", 'fill(body, element("p", { class: "quiet" }, "clicks"))'),
        ("template.js", 'element("p", {}, `${number(lag)} waiting`)'),
        ("conditional.js", 'const a = (b ? "x" : text("a.b")); say(isDone ? "Done" : text("a.b"));'),
        ("deep.js", 'element("p", {}, `${isNew ? `${n} days` : ""}`)'),
        ("attribute.js", 'element("nav", { class: "pager", "aria-label": "pages" })'),
        ("array.js", 'element("p", {}, ["open", " "])'),
        ("property.js", 'button.textContent = isTable ? "chart" : text("a.b");'),
        ("sentence.js", 'const TITLES = { failed: ["unreachable", "could not be read"] };'),
        ("after-regex.js", 'const A = /["\']/; announce("copied");'),
        ("after-comment.js", '// it\'s\nannounce("copied"); /* " */'),
        ("text.html", "<p>{text a.b} and</p>"),
        ("attribute.html", '<button aria-label="close"></button>'),
        ("placeholder.html", '<input placeholder="code">'),
        ("generated.css", 'li::before { content: "✓" / "done"; }'),
    ],
)
def test_a_text_of_its_own_is_found(tmp_path: Path, name: str, source: str) -> None:
    """Planted where a script, a page or a style sheet could say it."""
    path = tmp_path / name
    path.write_text(source, encoding="utf-8")
    assert len(said_by(path)) == 1


def test_what_programs_read_is_no_text() -> None:
    """Classes, selectors, keys of texts, commands and the like."""
    script = """
    import { text } from "./text.js"; // isn't it?
    const UNITS = [["year", 31_557_600]];
    element("button", { type: "button", class: "button primary", "data-kind": kind }, icon("retry"), text("a.b"));
    element("pre", {}, element("code", {}, "referrals token --org ORG"));
    find('[data-rate="clicks"]', root).style.width = `${width}px`;
    if (!/^[A-Z"]+$/.test(code)) throw new Error(`the page has no ${selector}`);
    """
    assert Script(script).said == []
    assert Page('<p class="lead">{text a.b}: <input value="7" name="days"> &nbsp;…</p>').said == []


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("nb-NO,nb;q=0.9,no;q=0.8,nn;q=0.7,en-US;q=0.6,en;q=0.5", "nb"),
        ("nn-NO", "nb"),
        ("NO", "nb"),
        ("en-GB,en;q=0.9", "en"),
        ("sv, nb;q=0.4, en;q=0.3", "nb"),
        ("en;q=0.5, nb", "nb"),
        ("nb;q=0, en;q=0.1", "en"),
        ("de-DE,de;q=0.9", "en"),
        ("nb;q=many", "en"),
        ("norsk, *", "en"),
        (";,=;q", "en"),
        ("", "en"),
    ],
)
def test_the_browsers_language(accepted: str, language: str) -> None:
    """Whoever reads any Norwegian gets Bokmål; whoever reads none of ours gets English."""
    assert read_accepted(accepted) == language


def test_a_choice_comes_before_the_browser() -> None:
    """If it is one."""
    assert language_of("en", "nb") == "en"
    assert language_of("nb", "en") == "nb"
    assert language_of("tlh", "nb") == "nb"
    assert language_of(None, "nb") == "nb"


def test_values_and_forms() -> None:
    """A number chooses the form; a value that is missing is seen at once."""
    assert text("en", "mentors.clicks", n=1) == "1 click"
    assert text("en", "mentors.clicks", n=0) == "0 clicks"
    assert text("nb", "daily.days", n=7) == "7 dager"
    with pytest.raises(KeyError):
        text("en", "title")


def test_a_page_brings_its_language_and_what_its_scripts_say() -> None:
    """Nothing of another language is in it but the way there, and no text can end the element that holds the texts."""
    page = Assets().page("dashboard", "nb").content.decode()
    assert '<html lang="nb">' in page
    assert "<dt>Bekreftet</dt>" in page
    assert '"pipeline.waiting": "{n} venter"' in page
    assert '"share.link"' not in page
    assert re.findall(r'lang="(\w+)">([^<]+)', page) == [("nb", "\n"), ("en", "English")]
    held = page.partition('id="texts">')[2].partition("</script>")[0]
    assert "<" not in held
