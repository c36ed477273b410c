"""Kafka's caches for quick starts: several checkouts on one machine keep theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local.parts import aot
from local.parts.kafka import features_beside
from local.parts.running import Running


def test_some_caches_are_kept_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each environment makes its own once, and not again because another one has made one meanwhile."""
    made: list[Path] = []

    def make(cache: Path, jars: list[Path], running: Running) -> None:
        del jars, running
        cache.touch()
        os.utime(cache, (len(made), len(made)))  # a file system's clock may stand still for longer than all of this
        features_beside(cache).touch()
        made.append(cache)

    monkeypatch.setattr(aot, "_make", make)
    running = Running(temporary_dir=None)
    jars = [tmp_path / f"{number}.jar" for number in range(aot.KEPT + 1)]
    for jar in jars:
        jar.touch()

    def cache_of(jar: Path) -> Path | None:
        return aot.cache_for([jar], tmp_path / "aot", running=running, announce=lambda _: None)

    try:
        for jar in (*jars[:-1], *jars[:-1], jars[-1], jars[1]):
            found = cache_of(jar)
            assert found is not None
            assert found.exists()
    finally:
        running.close()
    assert len(made) == len(jars), "one of those that are kept was made again"
    assert not made[0].exists(), "the oldest has gone"
    assert not features_beside(made[0]).exists()
