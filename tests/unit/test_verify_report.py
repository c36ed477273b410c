"""The oracle's report as people read it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from commands.verify import print_report
from proof.verify.report import CHECKS, COUNTS, DISPOSITIONS, TABLE_CHECKS, Difference, Report, SourceTable


def printed(report: Report, *, limit: int | None = 1, width: int = 200) -> str:
    """Return what is printed for a report."""
    out = StringIO()
    print_report(report, Console(file=out, width=width), limit=limit)
    return out.getvalue()


@pytest.mark.parametrize(("limit", "shown", "hidden"), [(1, 1, 2), (None, 3, 0)])
def test_the_first_differences_are_printed_and_the_rest_counted(limit: int | None, shown: int, hidden: int) -> None:
    """--all prints each one."""
    differences = [Difference(COUNTS, f"mentor {number}", "1", "2") for number in range(3)]

    text = printed(Report(differences=differences), limit=limit)

    assert text.count("found 1, wanted 2") == shown
    assert (f"... and {hidden} more" in text) is (hidden > 0)
    assert "3 differences" in text


def test_what_is_not_processed_is_said_first() -> None:
    """Lag explains differences, and without any the installation is still not clean."""
    report = Report(sources={"clicks.v1": SourceTable(records=9, unprocessed=2)})

    text = printed(report)

    assert text.startswith("2 records not processed yet")
    assert "clean" not in text


def test_a_clean_report_says_so() -> None:
    """And says what was left out."""
    text = printed(Report(with_database=False))

    assert "clean: 0 source records" in text
    assert "--no-database" in text


def test_no_word_is_cut_on_a_narrow_terminal() -> None:
    """At 80 columns each name stands whole, beside counts of years."""
    topics = ("codes.v1", "clicks.v1", "registrations.v1")
    report = Report(sources={topic: SourceTable(records=98_765_432_109) for topic in topics})
    report.compared.update(dict.fromkeys((*CHECKS, *TABLE_CHECKS), 98_765_432_109))
    report.differences.append(Difference(COUNTS, "mentor 1", "1", "2"))

    text = printed(report, width=80)

    assert max(map(len, text.splitlines())) <= 80
    for name in (*topics, *CHECKS, *TABLE_CHECKS, *DISPOSITIONS, "removed by", "98,765,432,109", "1 difference:"):
        assert name in text
