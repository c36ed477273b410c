"""How the parts of the installation do."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from edges.web.answers.answer import Answer


class Liveness(Answer, frozen=True, kw_only=True):
    """The process answers."""

    status: str


class Readiness(Answer, frozen=True, kw_only=True):
    """Whether everything that the HTTP side needs is there."""

    status: str
    """`ready`, or `waiting`, then with 503."""
    missing: dict[str, str]
    """What is missing and why, by part: `kafka`, `postgres`, `clicks`, `codes`."""


class ComponentLag(Answer, frozen=True, kw_only=True):
    """What waits for one component."""

    name: str
    """`stream`, `badges` or `counts`."""
    lag: int
    """Records."""


class PipelineState(Answer, frozen=True, kw_only=True):
    """How far the components are; of the whole installation, whose organisations share them."""

    components: list[ComponentLag]
    dead_letters: int
    """Records that could not be used, of whichever organisation."""
    state: Literal["ok", "behind", "unreachable"]
    """`behind`: a record has waited for more than ten seconds; `unreachable`: Kafka is, and the numbers are old."""
    checked_at: datetime
