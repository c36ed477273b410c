"""The demo's picture: it fits the terminal and shows what there is."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console

from local.demo.figures import AwardSeen, Figures, MentorSeen, MilestoneSeen, Place, ProcessSeen
from local.demo.frame import Stage, draw, sparkline
from local.demo.pseudonyms import mentor_name, organisation_name
from local.demo.views import as_line

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
ORG = "0a000000-0000-4000-8000-00000000abcd"
DASHBOARD = Place(
    "dashboard of Ashford", link="http://127.0.0.1:8080/dashboard#token=" + "x" * 300, link_file=Path("d.txt")
)
PLACES = [Place("Kafka " * 40), Place("logs in /tmp"), DASHBOARD]


def mentor(number: int) -> str:
    """Return the id of a mentor."""
    return str(UUID(int=number * 7_919))


FULL = Figures(
    received=1_234_567,
    received_per_s=98_765.4,
    processed=1_234_000,
    processed_per_s=98_000,
    lags={"stream": 123_456, "badges": 12, "counts": 123},
    partitions=12,
    partitions_committed=11,
    dead_letters={"OtherOrganisation": 12_345, "BadEvent": 123, "BadCode": 7, "CodeTaken": 1, "TooLarge": 1},
    milestones=900,
    milestones_latest=[
        MilestoneSeen(org_id=ORG, mentor_id=mentor(each), threshold=25, seen_at=AT) for each in range(30)
    ],
    awards=899,
    awards_latest=[
        AwardSeen(org_id=ORG, mentor_id=mentor(each), badge_name="Twenty-five recruits", awarded_at=AT)
        for each in range(30)
    ],
    mentors=300,
    busiest=[
        MentorSeen(
            org_id=ORG,
            mentor_id=mentor(each),
            clicks=12_345,
            pending=123,
            confirmed=1_234,
            conversion_rate=0.1,
            milestones=[1, 5, 10, 25],
        )
        for each in range(30)
    ],
    processes=[ProcessSeen(name=name, pid=12_345, restarts=2) for name in ("stream-1", "stream-2", "badges", "counts")],
    away=["Postgres"],
    received_history=[float(each) for each in range(60)],
    processed_history=[float(each) for each in range(60)],
    lag_history=[float(each) for each in range(60)],
)


def drawn(figures: Figures, width: int, lines: int) -> list[str]:
    """Return the picture's lines."""
    console = Console(width=width, height=lines, file=io.StringIO(), color_system=None)
    stage = Stage(text="sample traffic, 12 of 30 s", fraction=0.4)
    notices = [f"a notice of the longer kind, number {each}, with a path in it " + "/x" * 60 for each in range(9)]
    with console.capture() as capture:
        console.print(draw(figures, stage, width=width, lines=lines, places=PLACES, notices=notices))
    return capture.get().splitlines()


@pytest.mark.parametrize("figures", [Figures(), FULL], ids=["nothing yet", "full"])
@pytest.mark.parametrize(("width", "lines"), [(80, 24), (100, 30), (120, 40), (200, 60)])
def test_picture_fits(figures: Figures, width: int, lines: int) -> None:
    """The picture has as many lines as the terminal, none longer than it is wide, whatever the figures are."""
    picture = drawn(figures, width, lines)
    assert len(picture) == lines
    assert max(map(len, picture)) <= width


def test_picture_tells_what_there_is() -> None:
    """Rates, lag, totals, names, badges and what does not answer are all there at 80 columns."""
    picture = "\n".join(drawn(FULL, 80, 24))
    wanted = ["98,765/s", "123,591", "1,234,567", "milestones  900", "badges awarded  899", "Twenty-five recruits"]
    assert [text for text in wanted if text not in picture] == []
    assert mentor_name(mentor(0)) in picture
    assert organisation_name(ORG) in picture


def test_the_dashboard_can_be_opened_from_the_picture_and_stands_in_full_where_there_is_none() -> None:
    """A terminal gets a link, whose address no width cuts; a plain line has the address itself."""
    console = Console(width=80, height=24, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    with console.capture() as capture:
        console.print(draw(FULL, Stage(text=""), width=80, lines=24, places=PLACES, notices=[]))
    assert f";{DASHBOARD.link}\x1b\\" in capture.get()
    assert DASHBOARD.in_full == f"dashboard of Ashford: {DASHBOARD.link}"


def test_line_tells_what_there_is() -> None:
    """The line for no terminal names the totals, the latest award, and what does not answer."""
    line = as_line(FULL)
    wanted = ["in 1,234,567 (98,765/s)", "lag 123,591", "milestones 900", "awards 899", "no answer from Postgres"]
    assert [text for text in wanted if text not in line] == []


def test_sparkline_is_as_wide_as_asked_and_scaled_to_the_highest() -> None:
    """Values become bars of the highest's height; too few stand at the right."""
    assert sparkline([0, 4, 8], 5) == "  ▁▄█"
    assert sparkline([], 3) == "   "
    assert sparkline([0, 0], 2) == "▁▁"
    assert sparkline([1, 2, 3], 2) == "▅█"


def test_a_name_belongs_to_its_id() -> None:
    """An id has the same name always; another one mostly has another."""
    assert mentor_name(mentor(1)) == mentor_name(mentor(1))
    assert len({mentor_name(mentor(each)) for each in range(1, 100)}) > 90
