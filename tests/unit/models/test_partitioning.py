"""Kafka's standard partitioner, against the Java client's own vectors and another implementation."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import given, settings
from hypothesis import strategies as st

from models.partitioning import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
        (b"", 275646681),
    ],
)
def test_the_hash_is_the_java_clients(key: bytes, signed: int) -> None:
    """The vectors of org.apache.kafka.common.utils.UtilsTest.testMurmur2, and the empty key."""
    assert murmur2(key) == signed % 2**32


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
def test_the_hash_is_aiokafkas(key: bytes) -> None:
    """Any key, the empty one and those with a rest of 1 to 3 bytes among them."""
    assert murmur2(key) == murmur2_of_aiokafka(key) % 2**32


@pytest.mark.parametrize(("key", "partition"), [(b"21", 0), (b"foobar", 6), (b"abc", 3)])
def test_the_partition_is_the_hash_without_its_sign_bit(key: bytes, partition: int) -> None:
    """Java's toPositive clears the sign bit; the absolute value would lead elsewhere."""
    assert partition_of(key, 12) == partition


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.integers(1, 1_000))
def test_a_partition_is_one_of_those_there_are(key: bytes, partitions: int) -> None:
    """Any key and any number of partitions."""
    assert 0 <= partition_of(key, partitions) < partitions
