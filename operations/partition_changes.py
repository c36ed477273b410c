"""Which changes of the number of partitions there have been, as their topic says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.partition_changes import Homes, PartitionChange, latest_changes
from models.topics import PARTITION_CHANGES
from operations.reading import TopicReader, content

if TYPE_CHECKING:
    from process.settings import Settings

READER = "partition-changes"
"""What reads, as librdkafka wants a group's name for it."""


def read_changes(settings: Settings, *, reader: TopicReader | None = None) -> list[PartitionChange]:
    """Return the changes of an installation, the first one first; the last may not be over.

    Args:
        settings: the installation's.
        reader: who reads the topic; None: one for this alone.

    Raises operations.reading.CannotRead.

    """
    name = PARTITION_CHANGES.full_name(settings.topic_prefix)
    reading = reader or TopicReader(settings, name=READER)
    try:
        if not reading.stands(name):
            return []
        return latest_changes([content(message.value()) or b"" for message in reading.read(reading.spans([(name, 0)]))])
    finally:
        if reader is None:
            reading.close()


def homes(settings: Settings, partitions: int, *, reader: TopicReader | None = None) -> Homes:
    """Return where codes belong and belonged, under so many partitions now; raises CannotRead."""
    return Homes([change for change in read_changes(settings, reader=reader) if change.is_done], partitions)
