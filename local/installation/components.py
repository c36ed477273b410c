"""The components as a table: what each one reads, and the consumer group under which Kafka knows it.

| component | consumer group     | reads                         | writes                                  |
|-----------|--------------------|-------------------------------|-----------------------------------------|
| stream    | app_id             | codes, clicks, registrations  | mentor-counts, milestones, dead-letters |
| badges    | topic prefix badges| milestones                    | Postgres: awards and decisions          |
| counts    | topic prefix counts| codes, mentor-counts          | Postgres: codes and counts              |
|           |      and history   | clicks, registrations         | Postgres: what happened on which day    |
|           |      and letters   | dead-letters                  | Postgres: dead letters by organisation  |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from models.topics import CODES, MENTOR_COUNTS, MILESTONES, SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.topics import Topic
    from process.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """A component that reads topics as a consumer group; several processes of it share the partitions."""

    name: str
    """The command that runs it: `referrals NAME`."""
    reads: tuple[Topic, ...]

    def group_id(self, settings: Settings) -> str:
        """Return the consumer group whose committed offsets say how far it is."""
        return settings.app_id if self.name == "stream" else f"{settings.topic_prefix}{self.name}"


STREAM: Final = Component(name="stream", reads=SOURCES)
BADGES: Final = Component(name="badges", reads=(MILESTONES,))
COUNTS: Final = Component(name="counts", reads=(CODES, MENTOR_COUNTS))

MAIL: Final = "mail"
"""The command that sends mail: it reads no topic, and runs where there is a mail server (REFERRALS_SMTP_HOST)."""

COMPONENTS: Final = {component.name: component for component in (STREAM, BADGES, COUNTS)}
"""By name, in the order in which they are started."""


def process_names(components: Sequence[str]) -> dict[str, str]:
    """Return what each process is called, with its component: one of a kind by its name, several numbered from 1."""
    names = {}
    for position, name in enumerate(components):
        number = components[: position + 1].count(name)
        names[f"{name}-{number}" if components.count(name) > 1 else name] = name
    return names
