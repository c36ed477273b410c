r"""Header names that are not UTF-8: Kafka takes any bytes, and aiokafka's parser raises at them, for ever.

The batch with such a name is parsed again, leniently: its bytes are written as `\xff` in the name, which can be sent
on and tells what they were. Every other batch is parsed as before (parsing.py).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, SupportsIndex, overload

from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

if TYPE_CHECKING:
    from collections.abc import Iterator


class LenientBytes(bytearray):
    """Bytes whose every part can be decoded."""

    @overload
    def __getitem__(self, place: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, place: slice, /) -> LenientBytes: ...
    def __getitem__(self, place: SupportsIndex | slice, /) -> int | LenientBytes:
        """Return a byte, or a part that is lenient too."""
        found = super().__getitem__(place)
        return found if isinstance(found, int) else LenientBytes(found)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        r"""Return the text, and what is none as `\xff`."""
        del errors
        return super().decode(encoding, "backslashreplace")


class LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # final for type checkers: its parser reads any buffer
    """A record batch whose header names may be any bytes."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = LenientBytes(self._buffer)


def again(data: bytes, number: int) -> LenientBatch:
    """Return the batch of this number in fetched data, counted from 0, whatever its header names are."""
    (raw,) = islice(_Slices(data), number, number + 1)
    return LenientBatch(raw)


class _Slices(_MemoryRecordsPy):  # type: ignore[misc]  # final for type checkers
    """The bytes of each batch."""

    def __iter__(self) -> Iterator[memoryview]:
        while self._next_slice is not None:
            raw = self._next_slice
            self._cache_next()
            yield raw
