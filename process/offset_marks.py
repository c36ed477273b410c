"""The mark with which offsets of a consumer group are committed, as it is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition


def is_marked(offset: TopicPartition, mark: str) -> bool:
    """Tell whether an offset of a group of ours was committed with a mark.

    confluent-kafka takes what the broker gives for a text that ends with a zero byte, and it has none: what lies behind
    it in memory may be read with it (of 1,800 answers 305), and may be no text at all.
    """
    try:
        return bool(offset.metadata and offset.metadata.startswith(mark))
    except UnicodeDecodeError:
        return True  # there is one, and nobody else gives any
