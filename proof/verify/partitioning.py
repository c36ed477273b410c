"""Where a key belongs: Kafka's default partitioner, written from the Java client's `Utils.murmur2`."""

from __future__ import annotations

SEED = 0x9747B28C
M = 0x5BD1E995
R = 24


def _times(a: int, b: int) -> int:
    """Multiply as a Java int does: 32 bits, the rest is lost."""
    return (a * b) & 0xFFFFFFFF


def home_of(key: str | bytes, partitions: int) -> int:
    """Return the number of the partition for a key."""
    data = key.encode("utf-8") if isinstance(key, str) else key
    length = len(data)
    h = SEED ^ length

    for i in range(length // 4):
        k = data[4 * i] | data[4 * i + 1] << 8 | data[4 * i + 2] << 16 | data[4 * i + 3] << 24
        k = _times(k, M)
        k ^= k >> R
        k = _times(k, M)
        h = _times(h, M)
        h ^= k

    tail = length - length % 4
    if length % 4 == 3:  # noqa: PLR2004  as in the Java source, where these are the cases of a switch
        h ^= data[tail + 2] << 16
    if length % 4 >= 2:  # noqa: PLR2004
        h ^= data[tail + 1] << 8
    if length % 4 >= 1:
        h ^= data[tail]
        h = _times(h, M)

    h ^= h >> 13
    h = _times(h, M)
    h ^= h >> 15
    return (h & 0x7FFFFFFF) % partitions
