"""Kafka's partitioner, murmur2, as librdkafka has it: what keys decide for who sends records without it."""

from __future__ import annotations

import ctypes
import random
from typing import Final

from confluent_kafka import cimpl

_MURMUR2: Final = ctypes.CDLL(cimpl.__file__).rd_kafka_msg_partitioner_murmur2
_MURMUR2.argtypes = [
    ctypes.c_void_p,  # the topic: of no importance to this partitioner, as are the last two
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.c_int32,
    ctypes.c_void_p,
    ctypes.c_void_p,
]
_MURMUR2.restype = ctypes.c_int32


def partition_for(key: bytes | None, partitions: int) -> int:
    """Return the partition of a key among so many; any where there is no key."""
    if key is None:
        return random.randrange(partitions)  # noqa: S311 - it decides nothing but where
    found: int = _MURMUR2(None, key, len(key), partitions, None, None)
    return found
