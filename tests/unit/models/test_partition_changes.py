"""Changes of the number of partitions: under which number a record came, and where its code belonged then."""

from __future__ import annotations

import pytest

from models.partition_changes import Homes, PartitionChange, encode_change, latest_changes
from models.partitioning import partition_of
from tests.factories import CLICKS_TOPIC, CODE

FIRST = PartitionChange(number=1, former=2, partitions=4, read_to={CLICKS_TOPIC: [10, 0]}, is_done=True)
SECOND = PartitionChange(number=2, former=4, partitions=8, read_to={CLICKS_TOPIC: [15, 0, 3, 0]}, is_done=True)
HOMES = Homes([FIRST, SECOND], 8)


@pytest.mark.parametrize(
    ("partition", "offset", "partitions"),
    [(0, 9, 2), (0, 10, 4), (0, 14, 4), (0, 15, 8), (1, 0, 8), (2, 2, 4), (2, 3, 8), (7, 0, 8)],
)
def test_the_number_under_which_a_record_came(partition: int, offset: int, partitions: int) -> None:
    """What was read before a change came under the number before it; a partition that is new, under its own."""
    assert HOMES.partitions_at(CLICKS_TOPIC, partition, offset) == partitions


def test_where_a_code_belonged() -> None:
    """The first place first, each once."""
    key = CODE.encode()
    assert HOMES.of(CODE) == list(dict.fromkeys(partition_of(key, number) for number in (2, 4, 8)))
    assert Homes((), 8).of(CODE) == [partition_of(key, 8)]


def test_of_a_change_the_last_record_stands() -> None:
    """It is noted when it is begun, and once more when it is over."""
    begun = PartitionChange(number=2, former=4, partitions=8, read_to=SECOND.read_to)
    assert latest_changes([encode_change(each) for each in (FIRST, begun, SECOND)]) == [FIRST, SECOND]


def test_the_order_of_a_codes_records_is_that_of_the_changes() -> None:
    """An offset of a new partition is low, and comes after everything that came before the change."""
    before, after = HOMES.order(CLICKS_TOPIC, 0, 9), HOMES.order(CLICKS_TOPIC, 2, 0)
    assert before < after < HOMES.order(CLICKS_TOPIC, 2, 2) < HOMES.order(CLICKS_TOPIC, 2, 3)
    assert HOMES.order(CLICKS_TOPIC, 6, 0) > HOMES.order(CLICKS_TOPIC, 2, 2)
