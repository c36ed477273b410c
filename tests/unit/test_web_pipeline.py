"""When a component counts as behind: rules over looks, without Kafka."""

from __future__ import annotations

from edges.web.offsets import COMPONENTS, Progress, group_id
from edges.web.pipeline import BEHIND_AFTER_S, BEHIND_RECORDS, Patience
from local.installation import COMPONENTS as STARTED
from models.topics import CLICKS, REGISTRATIONS
from operations.lag import Place
from process.settings import load_settings
from sinks.history import History

PLACE: Place = ("clicks", 0)
LATER_S = BEHIND_AFTER_S + 1


def progress(*, committed: int, end: int, waiting: int | None = None) -> Progress:
    """Return a look at one partition of one component."""
    records = end - committed if waiting is None else waiting
    return Progress(
        committed={"stream": {PLACE: committed}},
        ends={PLACE: end},
        waiting={"stream": {PLACE: records} if records else {}},
        dead_letters=0,
    )


def test_groups_are_those_that_the_components_join() -> None:
    """The table here and the one that starts them say the same."""
    settings = load_settings(topic_prefix="some.", app_id="an-app")
    assert {name: (topics, group_id(name, settings)) for name, topics in COMPONENTS.items()} == {
        name: (component.reads, component.group_id(settings)) for name, component in STARTED.items()
    } | {"history": ((CLICKS, REGISTRATIONS), f"some.{History.name}")}


def test_a_component_that_keeps_up_is_not_behind() -> None:
    """There is always something that waits, but never the same."""
    patience = Patience()
    for look in range(10):
        assert not patience.is_over(progress(committed=100 * look, end=100 * look + 50), look * LATER_S)


def test_a_component_that_does_not_run_is_behind() -> None:
    """One record that waits for too long is enough."""
    patience = Patience()
    assert not patience.is_over(progress(committed=7, end=8), 0.0)
    assert not patience.is_over(progress(committed=7, end=9), BEHIND_AFTER_S - 1)
    assert patience.is_over(progress(committed=7, end=9), LATER_S)
    assert not patience.is_over(progress(committed=9, end=10), LATER_S + 1), "it runs again"


def test_a_component_that_is_slower_than_what_comes_is_behind() -> None:
    """It moves, and what was there at the first look is still not done."""
    patience = Patience()
    assert not patience.is_over(progress(committed=0, end=1_000), 0.0)
    assert patience.is_over(progress(committed=500, end=2_000), LATER_S)


def test_what_is_no_record_is_not_waited_for() -> None:
    """Offsets of transaction markers are between committed and end for ever."""
    patience = Patience()
    for look in range(3):
        assert not patience.is_over(progress(committed=7, end=8, waiting=0), look * LATER_S)


def test_very_many_records_are_behind_at_once() -> None:
    """Nobody needs to wait to say so."""
    assert Patience().is_over(progress(committed=0, end=BEHIND_RECORDS + 1), 0.0)
