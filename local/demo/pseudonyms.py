"""Readable names for ids: the same id has the same name always, and no name says anything about anybody.

Ids are pseudonymous already; these are for the eye. Two ids may share a name (1 in 256, 1 in 4,096).
"""

from __future__ import annotations

from functools import cache
from typing import Final

_BEGINNINGS: Final = (
    "Alder", "Ash", "Birch", "Brook", "Cedar", "Clover", "Elm", "Fern",
    "Hazel", "Heath", "Linden", "Maple", "Moss", "Oak", "Rowan", "Willow",
)  # fmt: skip
_ENDINGS: Final = (
    "bridge", "bury", "combe", "dale", "field", "ford", "gate", "ham",
    "haven", "hill", "hurst", "mere", "mouth", "stead", "ton", "wick",
)  # fmt: skip
_ADJECTIVES: Final = (
    "Able", "Agile", "Amber", "Bold", "Brave", "Brisk", "Bright", "Calm",
    "Clear", "Clever", "Coral", "Cosy", "Crisp", "Daring", "Deft", "Eager",
    "Early", "Fair", "Fleet", "Fond", "Gentle", "Glad", "Golden", "Grand",
    "Happy", "Hardy", "Honest", "Jolly", "Jovial", "Keen", "Kind", "Lively",
    "Loyal", "Lucky", "Mellow", "Merry", "Mighty", "Mild", "Modest", "Neat",
    "Nimble", "Noble", "Patient", "Placid", "Plucky", "Polite", "Proud", "Quick",
    "Quiet", "Ready", "Robust", "Rosy", "Serene", "Silver", "Smart", "Steady",
    "Sturdy", "Sunny", "Swift", "Tidy", "Trusty", "Warm", "Wise", "Witty",
)  # fmt: skip
_ANIMALS: Final = (
    "Badger", "Bat", "Bear", "Beaver", "Bee", "Bison", "Boar", "Cat",
    "Cod", "Crane", "Crow", "Deer", "Dove", "Duck", "Eagle", "Eel",
    "Elk", "Falcon", "Ferret", "Finch", "Fox", "Frog", "Gecko", "Goat",
    "Goose", "Gull", "Hare", "Hawk", "Heron", "Horse", "Ibex", "Ibis",
    "Jay", "Kite", "Koala", "Lark", "Lemur", "Lion", "Lynx", "Magpie",
    "Marten", "Mole", "Moose", "Moth", "Newt", "Otter", "Owl", "Panda",
    "Pony", "Puffin", "Quail", "Rabbit", "Raven", "Robin", "Salmon", "Seal",
    "Sparrow", "Stoat", "Swan", "Tapir", "Tiger", "Toad", "Trout", "Wren",
)  # fmt: skip


@cache
def organisation_name(org_id: str) -> str:
    """Return the name of an organisation: a place that there is not."""
    number = _number(org_id)
    return _pick(_BEGINNINGS, number) + _pick(_ENDINGS, number // len(_BEGINNINGS))


@cache
def mentor_name(mentor_id: str) -> str:
    """Return the name of a mentor: an animal and its temper."""
    number = _number(mentor_id)
    return f"{_pick(_ADJECTIVES, number)} {_pick(_ANIMALS, number // len(_ADJECTIVES))}"


def _number(identifier: str) -> int:
    return int(identifier[-12:], 16)  # the digits of a UUID that hold neither version nor variant


def _pick(names: tuple[str, ...], number: int) -> str:
    return names[number % len(names)]
