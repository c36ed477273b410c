"""Why a row is left: each code has its text in every language, and the page says it by its code."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from edges.languages.catalogue import LANGUAGES, PLACE, Language, catalogue, text
from edges.reconciliation import reasons
from edges.reconciliation.errors import SourceFailed
from edges.reconciliation.mapping import Reading
from edges.reconciliation.members import MemberReader
from edges.reconciliation.reasons import FAULT, PREFIX, Fault, Why
from edges.reconciliation.verdicts import BadRow
from edges.web.assets import FOLDER

SAID: Final = re.compile(r'\b(?:Why|BadRow|UnclearRow|UnreadTime)\(\s*f?"([\w{}.-]+)"')
FAULT_SAID: Final = re.compile(r'\bFault\(\s*f?"([\w{}.-]+)"')
"""How Python names a code."""


def codes_named() -> set[str]:
    """Return the codes that are given as reasons; what stands in braces is one of two units."""
    sources = (path.read_text(encoding="utf-8") for path in Path(reasons.__file__).parent.glob("*.py"))
    named = {code for source in sources for code in SAID.findall(source)}
    return (named - {"no-{self._form}"}) | {"no-seconds", "no-milliseconds"}


def faults_named() -> set[str]:
    """Return the codes that are given as faults; what can be tried again has one for more than once."""
    sources = [path.read_text(encoding="utf-8") for path in Path(reasons.__file__).parent.glob("*.py")]
    named = {code for source in sources for code in FAULT_SAID.findall(source)} - {"{self.code}-often"}
    return named | {f"{code}-often" for code in ("no-connection", "no-answer", "answered")}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("prefix", "named"), [(PREFIX, codes_named()), (FAULT, faults_named())])
def test_each_code_has_its_text(language: Language, prefix: str, named: set[str]) -> None:
    """None is missing, and none is kept that nothing is left for; each language says all that the code is said of."""
    texts = {key: said for key, said in catalogue(language).items() if key.startswith(prefix)}
    assert named == {key.removeprefix(prefix) for key in texts}
    for key, said in texts.items():
        assert set(PLACE.findall(str(said))) == set(PLACE.findall(str(catalogue("en")[key]))), key


@pytest.mark.parametrize(
    ("script", "prefix", "named"),
    [("dashboard/left.js", PREFIX, codes_named()), ("dashboard/faults.js", FAULT, faults_named())],
)
def test_the_page_says_each_by_its_code(script: str, prefix: str, named: set[str]) -> None:
    """A code that stood beside another code's text would say something else in Norwegian than at the terminal."""
    source = (FOLDER / script).read_text(encoding="utf-8")
    given = r"(, (?:values|quoting\(values\)))?"
    entry = rf'^  "?([\w-]+)"?: \((values)?\) => (?:text|parts)\("{re.escape(prefix)}([\w-]+)"{given}\),$'
    said = re.findall(entry, source, re.MULTILINE)
    assert {code for code, *_ in said} == named
    for code, taken, key, passed in said:
        assert key == code
        has_values = bool(PLACE.search(str(catalogue("en")[prefix + code])))
        assert bool(taken) is bool(passed) is has_values, code


def test_a_fault_is_english_and_counts_what_was_tried() -> None:
    """At the terminal, in logs, and beside its code in Postgres."""
    fault = Fault("answered", {"place": "https://members.example/list", "said": "503"})
    assert str(fault.tried(1)) == "https://members.example/list: answered 503"
    assert str(SourceFailed(fault.tried(8))) == "https://members.example/list: answered 503, 8 times"
    often = fault.tried(8)
    assert text("nb", FAULT + often.code, **often.values) == "https://members.example/list: svarte 503, 8 ganger"


def test_a_reason_is_english_and_of_a_field() -> None:
    """At the terminal and in logs; a field is named as the operator knows it."""
    why = Why("time-pattern", {"pattern": "%d.%m.%Y"}).about("confirmed_at (since)")
    assert str(why) == "confirmed_at (since) is not written as configured (%d.%m.%Y)"
    assert text("nb", PREFIX + why.code, **why.values).startswith("confirmed_at (since) er ikke skrevet")


def test_a_value_is_never_what_a_row_holds() -> None:
    """The page, Postgres and whoever asks the API see values: a column, a number, a pattern."""
    row = {"member_id": "Anna Secret", "referral_code": "ANNA000001", "confirmed_at": "2026-11-20"}
    with pytest.raises(BadRow) as error:
        MemberReader(Reading()).read(row, datetime(2026, 11, 28, tzinfo=UTC))
    assert error.value.why == Why("no-uuid", {"field": "member_id"})
