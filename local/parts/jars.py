"""Jars, Kafka's first of all: fetched once into the cache directory, checked against their SHA-256 at each start."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from local.parts.errors import PartsError

KAFKA_VERSION = "4.1.1"

_LIST = Path(__file__).with_name("kafka-jars.txt")
_TRIES_MAX = 3
_THREADS = 6  # downloads at a time; more were not faster
_TIMEOUT_S = 60


class Jar(NamedTuple):
    """A file of a Maven repository and the hash it must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, store: Path) -> Path:
        """Return where the file stands in a store."""
        name = f"{self.artifact}-{self.version}.jar"
        return store.joinpath(*self.group.split("."), self.artifact, self.version, name)


def listed() -> list[Jar]:
    """Return the jars of `kafka-jars.txt`."""
    lines = (line for line in _LIST.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(*line.replace(":", " ").split()) for line in lines]


def fetch(
    store: Path,
    jars: list[Jar] | None = None,
    *,
    url: str | None,
    announce: Callable[[str], None],
    name: str = f"Apache Kafka {KAFKA_VERSION}",
) -> list[Path]:
    """Return the paths of jars in `store`, each with the right hash, after fetching those that are not.

    `jars` are Kafka's unless given, and `name` says what they are. `url` names a mirror of Maven Central. Several
    processes may call this at once.
    """
    store.mkdir(parents=True, exist_ok=True)
    jars = listed() if jars is None else jars
    if _missing(jars, store):
        with (store / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                announce("waiting for another start that is fetching jars")
                fcntl.flock(lock, fcntl.LOCK_EX)
            _fetch(_missing(jars, store), store, url=url, announce=announce, name=name)
    return [jar.path(store) for jar in jars]


def _missing(jars: list[Jar], store: Path) -> list[Jar]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return [
            jar
            for jar, is_right in zip(jars, pool.map(lambda jar: _is_right(jar, store), jars), strict=True)
            if not is_right
        ]


def _is_right(jar: Jar, store: Path) -> bool:
    try:
        with jar.path(store).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def _fetch(jars: list[Jar], store: Path, *, url: str | None, announce: Callable[[str], None], name: str) -> None:
    if not jars:
        return
    from jgo.maven import MavenContext  # noqa: PLC0415  only a first start needs it, and it is slow to import

    context = MavenContext(repo_cache=store, timeout=_TIMEOUT_S, remote_repos={"central": url} if url else None)

    def fetch_one(jar: Jar) -> None:
        fault: object = "its SHA-256 is not the expected one"
        for _ in range(_TRIES_MAX):
            jar.path(store).unlink(missing_ok=True)  # jgo takes any file that is there for the right one
            try:
                context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
            except Exception as error:  # noqa: BLE001  jgo raises errors of several libraries and plain RuntimeErrors
                fault = error
            if _is_right(jar, store):
                return
        message = (
            f"Could not fetch {jar.group}:{jar.artifact}:{jar.version} of {name}: {fault}. "
            "Check the connection to Maven Central, name a mirror of it in REFERRALS_MAVEN_URL, "
            "or use a Kafka of yours by REFERRALS_BOOTSTRAP_SERVERS."
        )
        raise PartsError(message)

    announce(f"fetching {name}: {len(jars)} jars, once")
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for done, _ in enumerate(pool.map(fetch_one, jars), start=1):
                if done % 10 == 0 and done < len(jars):
                    announce(f"fetching {name}: {done} of {len(jars)} jars")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # the first fault, or Ctrl-C, is enough
            raise
