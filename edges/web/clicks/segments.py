r"""The spool's files: segments of checked lines, each named by the place where it begins.

A line is `CHECKSUM CODE EVENT\n`: the CRC-32 of what follows it as eight hexadecimal digits, the normalised code, and
the click as it goes to Kafka. A place is a number that grows with every byte written, as an offset does in Kafka; there
are gaps between segments, and never two bytes with one number. Files are only appended to and deleted, never mended:
a line that was torn by a kill or a full disk does not agree with its checksum and is passed over.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

SUFFIX: Final = ".clicks"
_NAME: Final = re.compile(rf"(\d{{20}}){re.escape(SUFFIX)}")
_CHECKSUM_LENGTH: Final = 8
_LINE_LENGTH_MIN: Final = _CHECKSUM_LENGTH + len(" C {}")


class SpooledClick(NamedTuple):
    """A click on its way to Kafka."""

    key: bytes
    """The normalised code."""
    value: bytes
    """The event, as JSON."""


@dataclass(slots=True)
class Segment:
    """One file of the spool."""

    path: Path
    begins_at: int
    length: int
    """Bytes that may be read; the last line of a file that is written to is whole."""

    @property
    def ends_at(self) -> int:
        """The place after the last byte that may be read."""
        return self.begins_at + self.length


def segment_path(directory: Path, begins_at: int) -> Path:
    """Return the name of the segment that begins at a place."""
    return directory / f"{begins_at:020d}{SUFFIX}"


def find_segments(directory: Path) -> list[Segment]:
    """Return the segments that stand in a directory, in order."""
    named = [(match, path) for path in directory.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted(
        (Segment(path, int(match[1]), path.stat().st_size) for match, path in named), key=lambda each: each.begins_at
    )


def encode_line(key: bytes, value: bytes) -> bytes:
    """Return a click as a line."""
    content = b"%b %b" % (key, value)
    return b"%08x %b\n" % (crc32(content), content)


def decode_line(line: bytes) -> SpooledClick | None:
    """Return the click that a line is, without its line feed; None where it is none."""
    content = line[_CHECKSUM_LENGTH + 1 :]
    if len(line) < _LINE_LENGTH_MIN or line[:_CHECKSUM_LENGTH] != b"%08x" % crc32(content):
        return None
    key, _, value = content.partition(b" ")
    return SpooledClick(key, value)


class SegmentReader:
    """Reads segments, one at a time, and keeps the file open that it reads."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file = -1

    def read(self, segment: Segment, place: int, bytes_max: int) -> bytes:
        """Return bytes of the segment from a place on, at most so many and none behind its end."""
        if self._path != segment.path:
            self.close()
            self._file = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
            self._path = segment.path
        return os.pread(self._file, min(bytes_max, segment.ends_at - place), place - segment.begins_at)

    def close(self) -> None:
        """Close the file."""
        if self._path is not None:
            os.close(self._file)
            self._path = None
