"""The oracle's report as people read it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from commands.verify import print_report
from proof.verify.report import COUNTS, Difference, Report, SourceTable


def printed(report: Report, *, limit: int | None = 1) -> str:
    """Return what is printed for a report."""
    out = StringIO()
    print_report(report, Console(file=out, width=200), limit=limit)
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
