"""What a new owner of a partition makes of rows, seals, offsets and topics."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from msgspec.structs import replace

from streams.engine.errors import StateRefused
from streams.engine.standing import (
    ROWS_FORMAT,
    Standing,
    check_format,
    decode_standing,
    encode_standing,
    judge,
    whole_rows_stand,
)
from tests.unit.engine.changes import OTHER_TOPIC, TOPIC, make_found

GOES_ON: dict[str, tuple[dict[str, Any], int]] = {
    "all agree": ({"at": 10, "committed": 10}, 10),
    "the group's offsets expired": ({"at": 10}, 10),
    "somebody has reset the group to the beginning": ({"at": 10, "committed": 0}, 10),
    "somebody has reset the group to the end": ({"at": 10, "committed": 100}, 10),
    "everything is read, and retention has removed it": ({"at": 100, "first": 100, "committed": 100}, 100),
    "a broker that has no identities of topics": ({"at": 10, "topic_id": ""}, 10),
    "a topic made anew of which nothing was read": ({"at": 0, "topic_id": "other"}, 0),
    "nothing at all": ({}, 0),
    "nothing at all, and old records are gone": ({"first": 7}, 7),
    "a state of an earlier version": ({"committed": 10, "has_rows": True, "kept_elsewhere": True}, 10),
    "the same, of garbage alone": ({"committed": 10, "kept_elsewhere": True}, 10),
}


@pytest.mark.parametrize("what", GOES_ON)
def test_goes_on_where_there_is_one_right_answer(what: str) -> None:
    """Where the rows stand is what they say; offsets count only for those of a version that said nothing."""
    found, position = GOES_ON[what]
    assert judge(make_found(**found))[TOPIC] == position


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a changelog was emptied": ({"at": 10, "seals": {"stock": 7}}, "table totals was changed last in epoch 0"),
    "one lost its end": ({"at": 10, "seals": {"stock": 7, "totals": 2}}, "totals was changed last in epoch 2"),
    "the first one lost its end": ({"at": 10, "seals": {"stock": 7, "totals": 4}}, "must have been in epoch 3"),
    "the first one is gone": ({"seals": {"totals": 3}, "committed": 10}, "first table's changelog"),
    "all are gone": ({"committed": 10}, "the changelogs are gone, and the group's offsets are not"),
    "all are gone, others write already": (
        {"committed": 10, "kept_elsewhere": True, "has_marked_offsets": True},
        "the changelogs are gone",
    ),
    "an earlier version's offsets expired": ({"has_rows": True, "kept_elsewhere": True}, "the offsets expired"),
    "an earlier version's changelog was emptied": (
        {"has_rows": True, "committed": 10, "was_emptied": True},
        "records were deleted from its changelogs",
    ),
    "retention has passed the position": ({"at": 10, "first": 30}, "20 records were deleted before they were read"),
    "the log ends before the position": ({"at": 10, "end": 5}, "ends at offset 5, and 10 is next"),
    "the topic was made anew": ({"at": 10, "topic_id": "other"}, "was deleted and made anew"),
    "an earlier version, retention has passed": (
        {"committed": 10, "first": 11, "has_rows": True, "kept_elsewhere": True},
        "1 records were deleted",
    ),
}


SOURCES_LOST: Final = (
    "retention has passed the position",
    "the log ends before the position",
    "the topic was made anew",
    "an earlier version, retention has passed",
)


@pytest.mark.parametrize("what", REFUSED)
def test_refuses_where_somebody_has_to_decide(what: str) -> None:
    """The partition is named, and what is wrong."""
    found, reason = REFUSED[what]
    with pytest.raises(StateRefused, match="partition 3: ") as refused:
        judge(make_found(**found))
    assert reason in refused.value.reason


@pytest.mark.parametrize("what", REFUSED)
def test_only_whole_rows_can_be_accepted(what: str) -> None:
    """A source that has lost records leaves the rows as right as they were; rows of which a part is gone miscount."""
    fields, reason = REFUSED[what]
    found = make_found(**fields)
    with pytest.raises(StateRefused) as refused:
        judge(found)
    if what in SOURCES_LOST:
        assert refused.value.remedies == ("accept", "rebuild")
        assert whole_rows_stand(found)[TOPIC].next == 10
        return
    assert refused.value.remedies == ("rebuild",)
    with pytest.raises(StateRefused, match=re.escape(reason)):
        whole_rows_stand(found)


def test_rows_of_other_topics_are_another_applications() -> None:
    """Two work under one name: neither takes the other's rows for its own. One topic in common, and they are."""
    found = make_found(10)
    standing = found.standing
    assert standing is not None
    others = replace(standing, sources={f"staging.{topic}": stand for topic, stand in standing.sources.items()})
    with pytest.raises(StateRefused, match="another application works under the same name") as refused:
        judge(replace(found, standing=others))
    assert refused.value.remedies == ()
    renamed = replace(standing, sources={TOPIC: standing.sources[TOPIC], "former": standing.sources[OTHER_TOPIC]})
    assert judge(replace(found, standing=renamed)) == {TOPIC: 10, OTHER_TOPIC: 0}


@pytest.mark.parametrize(("laid_out", "refused"), [(0, False), (4, False), (12, True)])
def test_rows_laid_out_for_another_number_of_partitions(laid_out: int, *, refused: bool) -> None:
    """Who counts on another number would look for keys where they are not; an earlier version said no number."""
    found = make_found(10, committed=10)
    assert found.standing is not None
    found = replace(found, standing=replace(found.standing, partitions=laid_out), partitions=4)
    if not refused:
        assert judge(found)[TOPIC] == 10
        return
    with pytest.raises(StateRefused, match="laid out for 12 partitions, and not for 4"):
        judge(found)


def test_each_topic_has_a_position_of_its_own() -> None:
    """One has lost its beginning before anything was read of it, the other has not."""
    assert judge(make_found(first=7)) == {TOPIC: 7, OTHER_TOPIC: 0}


def test_a_standing_reads_back() -> None:
    """As it was written; and a field that a later version adds is no fault."""
    standing = make_found(10).standing
    assert isinstance(standing, Standing)
    assert decode_standing(encode_standing(standing)) == standing
    assert decode_standing(encode_standing(standing)[:-1] + b',"later": 1}') == standing
    assert decode_standing(None) is None


def test_rows_of_a_newer_version_are_left_to_it() -> None:
    """Written again by this one they would lose what it added; those of a version that did not say are the first's."""
    found = make_found(at=10)
    assert found.standing is not None
    newer = replace(found.standing, format=ROWS_FORMAT + 1)
    with pytest.raises(StateRefused, match="partition 3: a newer version has written its rows") as refused:
        judge(replace(found, standing=newer))
    assert refused.value.remedies == ()
    with pytest.raises(StateRefused, match="drop what it does not know"):
        check_format(replace(found, standing=newer))
    read = decode_standing(encode_standing(newer))
    assert read == newer
    before = decode_standing(b'{"epoch":1,"sources":{},"seals":{}}')
    assert before is not None
    check_format(replace(found, standing=before))
