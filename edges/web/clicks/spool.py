"""Clicks on disk until Kafka has them: what was appended survives the process, whatever becomes of Kafka.

One thread appends, another reads and notes; neither waits for the other. An append is one `write` into the page cache:
it outlives SIGKILL of the process, but not a machine that loses its power before the kernel has written it to the disk.

    spool/lock       locked by the process that uses the spool
    spool/position   the spool's id for Kafka (transactional id, consumer group), and the place before which everything
                     is in Kafka: a hint, Kafka itself has the last word
    spool/*.clicks   the clicks, see `segments.py`
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from edges.web.clicks.segments import (
    Segment,
    SegmentReader,
    SpooledClick,
    decode_line,
    encode_line,
    find_segments,
    segment_path,
)
from process.fault_points import fault_point
from process.settings import SettingsError

SEGMENT_BYTES_MAX: Final = 1024 * 1024
"""A file of some 5,000 clicks. It is deleted when the last of them is in Kafka."""
SEGMENTS_UNDER_BOUND: Final = 8
"""Under a small bound files are smaller, so that they are deleted in time."""
READ_BYTES: Final = 256 * 1024
"""What is read at a time: some 1,200 clicks, 3 ms of this process's time."""
RUN_GAP: Final = 1 << 36
"""Places that a process leaves out before its first click. A machine that loses its power may lose the end of a file,
and the position, of what is in Kafka already; a place must not come twice then. No machine loses 64 GiB of its last
seconds."""

_POSITION: Final = re.compile(rb"([0-9a-f]{32}) (\d{20})\n")
_PLACE_AT: Final = 33
"""Where the place begins in the file `position`."""

log = structlog.get_logger("clicks")


class SpoolFull(Exception):  # noqa: N818  read as what is wrong
    """As many bytes wait as may."""


class Batch(NamedTuple):
    """Consecutive clicks."""

    clicks: list[SpooledClick]
    ends_at: int
    """The place after them."""


class Spool:
    """The clicks of one process."""

    def __init__(self, directory: Path, *, bytes_max: int) -> None:
        """Open the spool, or make it.

        Raises:
            SettingsError: another process has it, or the directory cannot be used.

        """
        self._directory = directory
        self._bytes_max = bytes_max
        self._segment_bytes = min(SEGMENT_BYTES_MAX, bytes_max // SEGMENTS_UNDER_BOUND)
        self._reader = SegmentReader()
        self._changing = threading.Lock()
        """Held while the list of segments changes or is gone through."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = _lock(directory / "lock")
            self._position_file, self.id, self.position = _open_position(directory / "position")
            self._segments = find_segments(directory)
            ends_at = max([self.position, *(each.ends_at for each in self._segments)])
            self._active, self._active_file = self._make_segment(ends_at + RUN_GAP)
            _sync(directory)  # the next process begins behind this one, whatever else is lost
            self._delete([each for each in self._segments[:-1] if not each.length or each.ends_at <= self.position])
        except OSError as error:
            msg = (
                f"REFERRALS_SPOOL_DIR: clicks cannot be kept in {directory}: {error.strerror or error}; give a "
                "directory that can be written, and that no other process uses"
            )
            raise SettingsError(msg) from error
        self._torn = 0
        """Bytes at the end of the active file that a failed write has left."""
        self._appended_bytes = self._bytes_between(self.position, ends_at)
        self._noted_bytes = 0

    def close(self) -> None:
        """Let another process have the spool."""
        self._reader.close()
        os.close(self._active_file)
        os.close(self._position_file)
        os.close(self._lock_file)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are not known to be in Kafka."""
        return self._appended_bytes - self._noted_bytes

    # By the thread that appends ---------------------------------------------------------------------------------------

    def append(self, key: bytes, value: bytes) -> None:
        """Keep a click.

        Raises:
            SpoolFull: the bound is reached; the click is not kept.
            OSError: the disk is full, or fails; the click is not kept.

        """
        line = encode_line(key, value)
        if self.waiting_bytes + len(line) > self._bytes_max:
            raise SpoolFull
        if self._active.length + self._torn >= self._segment_bytes:
            self._rotate()
        if self._torn:
            line = b"\n" + line  # so that what is torn is a line of its own, which is passed over
        written = os.write(self._active_file, line)
        if written < len(line):
            self._torn += written
            msg = f"the disk took {written} of {len(line)} bytes"
            raise OSError(msg)
        fault_point("spool.appended")
        length = self._torn + written
        self._torn = 0
        self._appended_bytes += length
        self._active.length += length  # now it can be read

    def _rotate(self) -> None:
        segment, file = self._make_segment(self._active.ends_at + self._torn)
        os.close(self._active_file)
        self._active, self._active_file, self._torn = segment, file, 0

    def _make_segment(self, begins_at: int) -> tuple[Segment, int]:
        path = segment_path(self._directory, begins_at)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        segment = Segment(path, begins_at, 0)
        with self._changing:
            self._segments.append(segment)
        return segment, file

    # By the thread that reads -----------------------------------------------------------------------------------------

    def read(self) -> Batch:
        """Return the next clicks after the position; none if there are no more."""
        while (segment := self._segment_after(self.position)) is not None:
            place = max(self.position, segment.begins_at)
            try:
                content = self._reader.read(segment, place, READ_BYTES)
            except FileNotFoundError:
                content = b""
            whole = content.rfind(b"\n") + 1
            clicks = [click for line in content[:whole].split(b"\n") if (click := decode_line(line)) is not None]
            if clicks:
                return Batch(clicks, place + whole)
            # What a kill, a full disk or a loss of power has torn; or a file that somebody has removed.
            passed_over = whole or len(content) or segment.ends_at - place
            log.warning("spool_unreadable", file=segment.path.name, bytes=passed_over)
            self.note(place + passed_over)
        return Batch([], self.position)

    def note(self, place: int) -> None:
        """Take note that everything before this place is in Kafka; delete the files that are needed no more."""
        if place <= self.position:
            return
        self._noted_bytes += self._bytes_between(self.position, place)
        self.position = place
        with suppress(OSError):  # it is a hint
            os.pwrite(self._position_file, b"%020d" % place, _PLACE_AT)
        self._delete([each for each in self._segments[:-1] if each.ends_at <= place])

    def _delete(self, segments: list[Segment]) -> None:
        with self._changing:
            self._segments = [each for each in self._segments if each not in segments]
        for segment in segments:
            with suppress(OSError):  # it is tried again when the spool is opened the next time
                segment.path.unlink()

    def _segment_after(self, place: int) -> Segment | None:
        """Return the first segment with something to be read at or after a place."""
        with self._changing:
            return next((each for each in self._segments if each.length and place < each.ends_at), None)

    def _bytes_between(self, place: int, end: int) -> int:
        with self._changing:
            overlaps = [min(end, each.ends_at) - max(place, each.begins_at) for each in self._segments]
        return sum(overlap for overlap in overlaps if overlap > 0)


def _lock(path: Path) -> int:
    """Return the locked file; raise OSError if another process has locked it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        msg = "another process uses it"
        raise OSError(msg) from None
    return file


def _sync(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _open_position(path: Path) -> tuple[int, str, int]:
    """Return the file, and what it says: the spool's id, and the place before which everything is in Kafka."""
    if not path.exists():
        new = path.with_suffix(".new")
        new.write_bytes(b"%b %020d\n" % (uuid.uuid4().hex.encode(), 0))
        new.rename(path)
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    content = os.read(file, _PLACE_AT + 100)
    found = _POSITION.fullmatch(content)
    if found is None:
        os.close(file)
        msg = f"{path.name} says {content[:60]!r}, which is no position"
        raise OSError(msg)
    return file, found[1].decode(), int(found[2])
