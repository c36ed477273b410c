"""The spool keeps exactly the clicks that are not in Kafka, whatever ends the process, and says so when it cannot."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edges.web.clicks.segments import SpooledClick, decode_line, encode_line, find_segments
from edges.web.clicks.spool import READ_BYTES, Spool, SpoolFull
from process.settings import SettingsError

BOUND = 64 * 1024 * 1024


def click(number: int, *, padding: int = 0) -> SpooledClick:
    """Return a click that can be told from others."""
    return SpooledClick(f"ANNA{number:06}".encode(), b'{"number": %d, "padding": "%b"}' % (number, b"x" * padding))


def read_all(spool: Spool) -> list[SpooledClick]:
    """Publish everything to nobody, and return it."""
    clicks = []
    while (batch := spool.read()).clicks:
        clicks += batch.clicks
        spool.note(batch.ends_at)
    return clicks


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    """Give what opens the test's spool; the one opened before is closed, as the end of its process does."""
    spools: list[Spool] = []

    def open_spool(bytes_max: int = BOUND) -> Spool:
        if spools:
            spools.pop().close()
        spools.append(Spool(tmp_path / "spool", bytes_max=bytes_max))
        return spools[-1]

    yield open_spool
    spools.pop().close()


class SpoolLife(RuleBasedStateMachine):
    """Any sequence of appends, publishing, kills and losses of power: Kafka gets each click that was kept, once.

    Kafka is a list and a place that change together; everything else is the real thing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.kafka: list[SpooledClick] = []
        self.place = 0
        self.kept: list[tuple[SpooledClick, Path, int]] = []
        """Each click with its file, and the file's length just after it."""
        self.number = 0
        self.open()

    def open(self) -> None:
        """Open the spool as a process does, and ask Kafka."""
        self.spool = Spool(self.directory, bytes_max=16 * 1024)
        self.spool.note(self.place)

    @rule(padding=strategies.integers(0, 700))
    def append(self, padding: int) -> None:
        """Keep a click, if there is room."""
        new = click(self.number, padding=padding)
        self.number += 1
        try:
            self.spool.append(*new)
        except SpoolFull:
            return
        path = find_segments(self.directory)[-1].path
        self.kept.append((new, path, path.stat().st_size))

    @rule()
    def publish(self) -> None:
        """Publish a batch and note it."""
        self.spool.note(self.commit())

    @rule()
    def killed_after_commit(self) -> None:
        """Publish a batch and die before that is noted."""
        self.commit()
        self.kill()

    @rule()
    def kill(self) -> None:
        """Die and start again; what the kernel has, stays."""
        self.spool.close()
        self.open()

    @rule(torn=strategies.binary(min_size=1, max_size=50))
    def killed_within_append(self, torn: bytes) -> None:
        """Die with a part of a line written."""
        with find_segments(self.directory)[-1].path.open("ab") as file:
            file.write(torn.replace(b"\n", b"-"))
        self.kill()

    @precondition(lambda self: self.kept)
    @rule(cut=strategies.integers(1, 3_000), position=strategies.booleans())
    def power_lost(self, *, cut: int, position: bool) -> None:
        """Lose the end of the newest file, published or not, and perhaps the position."""
        old = (self.directory / "position").read_bytes()
        self.publish()
        self.spool.close()
        path = find_segments(self.directory)[-1].path
        length = max(0, path.stat().st_size - cut)
        os.truncate(path, length)
        lost = {each for each, file, end in self.kept if file == path and end > length} - set(self.kafka)
        self.kept = [each for each in self.kept if each[0] not in lost]
        if position:
            (self.directory / "position").write_bytes(old)
        self.open()

    @invariant()
    def nothing_is_doubled(self) -> None:
        """See that what is in Kafka is there once."""
        assert len(self.kafka) == len(set(self.kafka))

    def teardown(self) -> None:
        """Publish the rest: then Kafka has what was kept, in order, and the disk nothing more of it."""
        while self.spool.read().clicks:
            self.publish()
        self.spool.close()
        shutil.rmtree(self.directory)
        assert self.kafka == [each for each, _, _ in self.kept]
        assert self.spool.waiting_bytes == 0

    def commit(self) -> int:
        """Do what the transaction does: the clicks and the place, both."""
        batch = self.spool.read()
        self.kafka += batch.clicks
        if batch.clicks:
            self.place = batch.ends_at
        return batch.ends_at


TestSpoolLife = SpoolLife.TestCase
TestSpoolLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_kept_over_a_restart_in_order(opened: Callable[..., Spool]) -> None:
    """More clicks than one file and one read hold come out as they went in, after a restart."""
    clicks = [click(number, padding=1_000) for number in range(1_500)]
    spool = opened()
    for each in clicks:
        spool.append(*each)
    spool = opened()
    assert spool.waiting_bytes > 1_500 * 1_000
    assert len(spool.read().clicks) * 1_000 < READ_BYTES
    assert read_all(spool) == clicks
    assert opened().read().clicks == []


def test_published_files_are_deleted(opened: Callable[..., Spool], tmp_path: Path) -> None:
    """What Kafka has takes no more disk than a file; a spool that was opened and not used leaves nothing behind."""
    spool = opened(bytes_max=80_000)
    for _ in range(20):
        for number in range(50):
            spool.append(*click(number, padding=1_000))
        read_all(spool)
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) < 25_000
    for _ in range(3):
        opened()
    assert len(find_segments(tmp_path / "spool")) == 1


def test_bound(opened: Callable[..., Spool]) -> None:
    """At the bound the newest click is refused and the older ones stay; published ones make room."""
    spool = opened(bytes_max=4096)
    kept = [click(number, padding=100) for number in range(4096 // len(encode_line(*click(0, padding=100))))]
    for each in kept:
        spool.append(*each)
    with pytest.raises(SpoolFull):
        spool.append(*click(99, padding=100))
    assert 4096 - 200 < spool.waiting_bytes <= 4096
    assert opened(bytes_max=4096).waiting_bytes == spool.waiting_bytes
    spool = opened(bytes_max=4096)
    with pytest.raises(SpoolFull):
        spool.append(*click(100, padding=100))
    assert read_all(spool) == kept
    assert spool.waiting_bytes == 0
    spool.append(*click(101))


@contextmanager
def files_limited_to(length: int) -> Iterator[None]:
    """Let the kernel refuse to write beyond a length: like a full disk, it takes a part of a line, then nothing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("restarts", [False, True])
def test_full_disk(opened: Callable[..., Spool], *, restarts: bool) -> None:
    """A line that the disk took a part of is refused and passed over; those before and after it are kept."""
    spool = opened()
    spool.append(*click(1))
    with files_limited_to(spool.waiting_bytes + 20):
        for number in (2, 3, 4):
            with pytest.raises(OSError, match=r"bytes|File too large"):
                spool.append(*click(number))
    spool.append(*click(5))
    with files_limited_to(spool.waiting_bytes + 10), pytest.raises(OSError, match="10 of"):
        spool.append(*click(6))
    if restarts:
        spool = opened()
    spool.append(*click(7))
    assert read_all(spool) == [click(1), click(5), click(7)]
    assert spool.waiting_bytes == 0


def test_damage_in_the_middle(opened: Callable[..., Spool], tmp_path: Path) -> None:
    """A click that the disk has changed is left out, and so are no others."""
    spool = opened()
    for number in range(3):
        spool.append(*click(number))
    (segment,) = find_segments(tmp_path / "spool")
    content = bytearray(segment.path.read_bytes())
    content[len(content) // 2] ^= 1
    segment.path.write_bytes(content)
    assert read_all(opened()) == [click(0), click(2)]


def test_large_damage(opened: Callable[..., Spool], tmp_path: Path) -> None:
    """A stretch without a line feed that is longer than what is read at a time does not stop what follows."""
    spool = opened()
    spool.append(*click(0))
    with find_segments(tmp_path / "spool")[-1].path.open("ab") as file:
        file.write(bytes(3 * READ_BYTES))
    spool = opened()
    spool.append(*click(1))
    assert read_all(spool) == [click(0), click(1)]


def test_removed_file(opened: Callable[..., Spool], tmp_path: Path) -> None:
    """A file that somebody has removed is passed over."""
    spool = opened()
    spool.append(*click(0))
    spool = opened()
    find_segments(tmp_path / "spool")[0].path.unlink()
    spool.append(*click(1))
    assert read_all(spool) == [click(1)]
    assert spool.waiting_bytes == 0


def test_removed_files_and_a_position_behind_them(opened: Callable[..., Spool], tmp_path: Path) -> None:
    """Clicks after all files were removed are not taken for those that Kafka has."""
    spool = opened()
    for number in range(10):
        spool.append(*click(number))
    read_all(spool)
    place = spool.position
    for segment in find_segments(tmp_path / "spool"):
        segment.path.unlink()
    spool = opened()
    spool.append(*click(10))
    spool.note(place)
    assert read_all(spool) == [click(10)]


def test_one_process_at_a_time(opened: Callable[..., Spool], tmp_path: Path) -> None:
    """A second process is told which setting to change."""
    opened()
    with pytest.raises(SettingsError, match=r"REFERRALS_SPOOL_DIR: .*spool: another process uses it"):
        Spool(tmp_path / "spool", bytes_max=BOUND)


def test_unusable_directory(tmp_path: Path) -> None:
    """A directory that cannot be made is named, and so is a position that is none."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"REFERRALS_SPOOL_DIR: .*file/spool: Not a directory"):
        Spool(tmp_path / "file" / "spool", bytes_max=BOUND)
    (tmp_path / "position").write_bytes(b"no position")
    with pytest.raises(SettingsError, match="position says b'no position'"):
        Spool(tmp_path, bytes_max=BOUND)


@pytest.mark.parametrize(
    "line", [b"", b"0", b"00000000 CODE {}", b"-0000000 CODE {}", b"zzzzzzzz CODE {}", b"\xff" * 30]
)
def test_lines_that_are_none(line: bytes) -> None:
    """A line whose checksum is another one, or none, is no click."""
    assert decode_line(line) is None


def test_lines() -> None:
    """A line gives back its click; upper case hexadecimal, which is never written, is no checksum."""
    line = encode_line(b"ANNA000001", b'{"a": "b c"}')
    assert line.endswith(b' ANNA000001 {"a": "b c"}\n')
    assert decode_line(line[:-1]) == (b"ANNA000001", b'{"a": "b c"}')
    assert decode_line(line[:8].upper() + line[8:-1]) is None
