"""Who is compared: how each is built, and how it is started.

Each peer reads its addresses and names from these variables, and ends in order on SIGTERM:

    PEER_BOOTSTRAP_SERVERS  host:port
    PEER_GROUP              consumer group, transactional ids and Streams' application id begin with it
    PEER_SOURCE_PREFIX      of the topics codes.v1, clicks.v1 and registrations.v1
    PEER_SINK_PREFIX        of the topics mentor-counts.v1, milestones.v1, dead-letters.v1 and changelog
    PEER_STATE_DIR          a directory of its own: what is kept there outlives a restart
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from proof.bench.worker import ENGINE, PLAIN_FAUST

HERE: Final = Path(__file__).parent
BUILT: Final = HERE.parents[2] / ".referrals" / "peers"
"""Where the builds write, which no check of this project looks into: librdkafka brings Python of its own."""
BUILD_TIMEOUT_S: Final = 1_800.0
LINES_SHOWN: Final = 5

_QUIET: Final = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",)
# What Flink's documentation asks for on Java 17: its serializers look into these.
_FLINK_OPENS: Final = tuple(
    f"--add-opens=java.base/java.{package}=ALL-UNNAMED"
    for package in ("lang", "net", "io", "nio", "text", "time", "util", "util.concurrent", "util.concurrent.atomic")
)

Announce = Callable[[str], None]


class Absent(Exception):  # noqa: N818  read as what it is
    """A contender cannot be had on this machine; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """How a contender is started."""

    arguments: Sequence[str]
    program: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A program that does the job."""

    name: str
    """As the option --peer has it."""
    title: str
    build: Callable[[Announce], Command]
    """Return how it is started; raise Absent."""
    is_slow: bool = False
    """Whether it is measured with fewer events."""
    reads_codes_first: bool = True
    """Whether it needs no help to know the codes before the events."""
    is_peer: bool = True
    """False: it has this program's settings, and one prefix for all of its topics."""


def _java(folder: str, main: str, *options: str, **environment: str) -> Callable[[Announce], Command]:
    def build(announce: Announce) -> Command:
        _require("java", "mvn")
        _run(
            HERE / folder,
            ["mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DincludeScope=runtime"],
            announce,
        )
        target = BUILT / folder  # as the pom says
        arguments = [*_QUIET, *options, "-cp", f"{target / 'classes'}:{target / 'dependency'}/*", main]
        return Command(program=_found("java"), arguments=arguments, environment=environment)

    return build


def _native(announce: Announce) -> Command:
    _require("cargo", "cc", "make")  # the crate compiles librdkafka
    target = BUILT / "native"
    _run(HERE / "native", ["cargo", "build", "--release", "--locked", "--target-dir", str(target)], announce)
    return Command(program=str(target / "release" / "native"), arguments=[])


def _python(*arguments: str) -> Callable[[Announce], Command]:
    return lambda _: Command(arguments=arguments)


def _require(*programs: str) -> None:
    if missing := [program for program in programs if shutil.which(program) is None]:
        raise Absent(f"not on this machine: {', '.join(missing)}")


def _found(program: str) -> str:
    found = shutil.which(program)
    assert found is not None  # noqa: S101  _require has seen it
    return found


def _run(folder: Path, command: Sequence[str], announce: Announce) -> None:
    """Build; the registries' clients keep what they have fetched, so a second build takes seconds."""
    if not folder.is_dir():
        raise Absent(f"{folder} is not there: its sources are in a checkout, not in an installed package")
    announce(f"building {folder.name}: {' '.join(command)}")
    try:
        subprocess.run(
            command, cwd=folder, check=True, timeout=BUILD_TIMEOUT_S, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except subprocess.TimeoutExpired:
        raise Absent(f"{command[0]} did not end within {BUILD_TIMEOUT_S:.0f} s") from None
    except subprocess.CalledProcessError as error:
        lines = error.stdout.decode(errors="replace").strip().splitlines()
        errors = [line.strip() for line in lines if "error" in line.lower()] or lines
        raise Absent(f"{command[0]} failed: {' / '.join(errors[:LINES_SHOWN])}") from None


CONTENDERS: Final = {
    contender.name: contender
    for contender in (
        Contender(name="engine", title="this program", build=_python(*ENGINE), is_peer=False),
        Contender(name="native", title="native limit (Rust, librdkafka)", build=_native),
        Contender(
            name="flink-1s",
            title="Flink, checkpoints of 1 s",
            build=_java("flink", "FlinkPeer", *_FLINK_OPENS, PEER_CHECKPOINT_MS="1000"),
        ),
        Contender(
            name="flink-100ms",
            title="Flink, checkpoints of 100 ms",
            build=_java("flink", "FlinkPeer", *_FLINK_OPENS, PEER_CHECKPOINT_MS="100"),
        ),
        Contender(
            name="kafka-streams",
            title="Kafka Streams, exactly_once_v2",
            build=_java("kafka_streams", "StreamsPeer"),
        ),
        Contender(
            name="python-loop",
            title="Python loop with transactions",
            build=_python("-P", "-m", "proof.bench.peers.python_loop.loop"),
        ),
        Contender(
            name="faust",
            title="plain Faust, at least once",
            build=_python(*PLAIN_FAUST),
            is_slow=True,
            reads_codes_first=False,
            is_peer=False,
        ),
    )
}
"""In the order of the tables."""
