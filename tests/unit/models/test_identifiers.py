"""UUIDs as text: a whole batch is judged as each would be by itself."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.identifiers import NAMESPACE, all_uuids, derived_uuid, is_uuid, milestone_id

GOOD = "0c000000-0000-4000-8000-000000000001"


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """Return a UUID of which a few characters were exchanged, taken out or put in."""
    text = list(str(draw(st.uuids())))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, max(len(text) - 1, 0)))
        put_in = draw(st.sampled_from(["", "-", "0", "f", "F", "g", "--", "\u0661", "\u00e9", "\ud800", "\n", "\0"]))
        text[place : place + draw(st.integers(0, 2))] = put_in
    return "".join(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(spoilt() | st.uuids().map(str) | st.uuids().map(lambda each: str(each).upper()), max_size=6))
@example([])
@example([GOOD])
@example([GOOD + GOOD[:5], GOOD[5:]])  # two in a row, cut at the wrong place
@example([GOOD[:-1], GOOD[-1:] + GOOD])
@example([GOOD[:-2] + "\u00e9"])  # 36 bytes of 35 characters
@example([GOOD[:-1] + "\u00e9"])
@example([GOOD[:8] + "0" + GOOD[9:], GOOD[:9] + "-" + GOOD[10:]])  # hyphens that add up
@example([GOOD.replace("-", "")])
def test_a_list_is_judged_as_each_of_it(texts: list[str]) -> None:
    """The check in columns agrees with the check one by one."""
    assert all_uuids(texts) == all(is_uuid(text) for text in texts)


@pytest.mark.parametrize("good", [GOOD, GOOD.upper(), str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1))])
def test_a_uuid_is_one_in_either_case(good: str) -> None:
    """Any version, any variant, either case."""
    assert is_uuid(good)
    assert all_uuids([good])


@pytest.mark.parametrize(
    "bad", ["", "x", GOOD[:-1], f"{GOOD}\n", f"{{{GOOD}}}", f"urn:uuid:{GOOD}", GOOD.replace("-", ""), GOOD[::-1]]
)
def test_other_forms_are_none(bad: str) -> None:
    """Braces, a URN, no hyphens, a line end: what `uuid.UUID` would take too is refused."""
    assert not is_uuid(bad)
    assert not all_uuids([bad])


def test_a_milestones_id_never_changes() -> None:
    """The badge consumer knows a milestone again by it, for ever: UUIDv5 of organisation, mentor and threshold."""
    made = milestone_id("0a000000-0000-4000-8000-000000000001", "0b000000-0000-4000-8000-000000000001", 5)

    assert made == "c2beff87-0c34-5396-b62c-0cbeca8ae252"
    assert uuid.UUID(made).version == 5


def test_each_milestone_has_its_own_id() -> None:
    """Organisation, mentor and threshold decide, each of them."""
    ids = {milestone_id(org, mentor, at) for org in ("a", "b") for mentor in ("a", "b") for at in (1, 11)}

    assert len(ids) == 8


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_derived_id_is_the_uuid5_of_its_name(name: str) -> None:
    """As the standard says, for whoever derives it elsewhere."""
    assert derived_uuid(name) == str(uuid.uuid5(NAMESPACE, name))
