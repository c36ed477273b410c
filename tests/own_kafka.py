"""A Kafka that one test has for itself: for what would be slow, or in the way, on the one that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from local.parts.aot import cache_for
from local.parts.jars import fetch
from local.parts.kafka import LocalKafka
from local.parts.running import Running, cache_dir

Kind = TypeVar("Kind", bound=LocalKafka)


@contextmanager
def own_kafka(kind: type[Kind], directory: Path) -> Iterator[Kind]:
    """Run one for the body, with its data in the directory."""
    running = Running(temporary_dir=None)
    jars = fetch(cache_dir() / "jars", url=None, announce=lambda _: None)
    aot_cache = cache_for(jars, cache_dir() / "aot", running=running, announce=lambda _: None)
    kafka = kind(directory, jars, durable=False, running=running, aot_cache=aot_cache)
    try:
        kafka.prepare()
        kafka.start()
        yield kafka
    finally:
        kafka.close()
        running.close()
