"""The oracle and a real worker whose cluster has lived: records removed, a topic made anew, rows rebuilt."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from models.topics import CLICKS, MENTOR_COUNTS
from proof.verify.history import CLICKS_GONE
from proof.verify.oracle import Oracle
from proof.verify.report import Report
from streams.engine.standing import STANDING_KEY
from tests.crew import differences
from tests.integration.test_stream_app import counts_of
from tests.integration.test_stream_state import CLICKS_SENT, CODE, CONFIRMED, MENTOR, ORG, Scene, scene

__all__ = ["scene"]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

GONE = "clicks that are counted and gone"


def check(the: Scene, file: Path | None = None, *, with_database: bool = False) -> Report:
    """Let the oracle look when the worker has caught up, and find nothing wrong."""
    report = Oracle(the.settings, checkpoint_file=file).check(wait_s=60, with_database=with_database)
    assert report.is_clean, differences(report)
    return report


def make_anew_and_accept(the: Scene) -> None:
    """Delete the clicks topic while no worker runs, make it anew, take that as it is, and let a click come."""
    name = CLICKS.full_name(the.settings.topic_prefix)
    the.delete_topics(name)
    the.make(name)
    the.start()
    the.crew.wait_log(the.worker, "partition_refused")
    the.decide("accept", f"--partition={the.home}")
    the.click(1)


def test_old_clicks_are_bounded_and_a_rebuild_proves_all_that_is_left(scene: Scene) -> None:
    """After retention the old clicks are beyond proof; rows that were begun anew hold none of them, which is exact."""
    name = CLICKS.full_name(scene.settings.topic_prefix)
    scene.start()
    scene.delete_records(name, CLICKS_SENT - 1)
    assert check(scene).beyond_proof == {GONE: CLICKS_SENT - 1}
    scene.decide("rebuild", f"--partition={scene.home}")
    scene.click(2)
    scene.wait_counted(3)
    assert check(scene).beyond_proof == {}


@pytest.mark.long
def test_an_earlier_check_stays_the_proof_until_the_rows_are_begun_anew(scene: Scene, tmp_path: Path) -> None:
    """Old clicks are known from it; after a rebuild it speaks of other rows, and is left alone."""
    name, file = CLICKS.full_name(scene.settings.topic_prefix), tmp_path / "checkpoint.json"
    scene.start()
    check(scene, file)
    scene.click(2)
    scene.wait_counted(CLICKS_SENT + 2)
    scene.delete_records(name, CLICKS_SENT)
    assert check(scene, file).beyond_proof == {}
    scene.decide("rebuild", f"--partition={scene.home}")
    scene.click(1)
    scene.wait_counted(3)
    assert check(scene, file).beyond_proof == {}


def test_a_topic_made_anew_and_accepted_is_no_difference(scene: Scene) -> None:
    """The rows hold clicks of the topic that is no more: as many as it had at most."""
    make_anew_and_accept(scene)
    scene.wait_counted(CLICKS_SENT + 1)
    assert check(scene).beyond_proof == {GONE: CLICKS_SENT}


@pytest.mark.long  # its two halves are tried without a broker: tests/unit/engine/test_idle.py, test_verify_history.py
def test_the_history_holds_more_of_a_topic_that_is_no_more_than_rows_that_were_begun_anew(scene: Scene) -> None:
    """It was read when clicks were there that retention had removed before the rebuild, and says how many it read."""
    name = CLICKS.full_name(scene.settings.topic_prefix)
    for component in ("badges", "counts"):
        scene.crew.start(component, component)
    scene.start()
    check(scene, with_database=True)
    scene.delete_records(name, CLICKS_SENT - 1)
    scene.decide("rebuild", f"--partition={scene.home}")
    scene.wait_counted(1)
    assert check(scene, with_database=True).beyond_proof == {CLICKS_GONE: CLICKS_SENT - 1}
    scene.stop()
    make_anew_and_accept(scene)
    scene.wait_counted(2)
    assert check(scene, with_database=True).beyond_proof == {GONE: 1, CLICKS_GONE: CLICKS_SENT}


def test_positions_are_known_without_the_groups_offsets(scene: Scene) -> None:
    """They expire while no worker runs; what the rows have counted is not lag."""
    scene.forget_offsets()
    assert check(scene).unprocessed == 0


def test_counts_that_are_still_to_be_published_are_waited_for(scene: Scene) -> None:
    """Before the group's first offsets, or when they have expired, the rows say that counts are to follow."""
    scene.forget_offsets()
    rows = scene.rows("mentors")
    standing = orjson.loads(rows[STANDING_KEY] or b"") | {"owes": True}
    changelog, counts = scene.changelog("mentors"), MENTOR_COUNTS.full_name(scene.settings.topic_prefix)
    earlier = orjson.dumps(counts_of(scene.settings)[CODE] | {"total_clicks": CLICKS_SENT - 1})
    producer = Producer({**scene.settings.kafka_client_config(), "partitioner": "murmur2_random"})
    (mentor,) = [row for key, row in rows.items() if not key.startswith(b"\0")]
    producer.produce(changelog, mentor, CODE, scene.home)  # as an urgent epoch would, which leaves the counts for later
    producer.produce(changelog, orjson.dumps(standing), STANDING_KEY, scene.home)
    producer.produce(counts, earlier, f"{ORG}:{MENTOR}")
    assert producer.flush(30) == 0
    report = Oracle(scene.settings).check(wait_s=1, with_database=False)
    assert f"partitions {scene.home}: counts are still to be published" in report.notes[0]
    assert [difference.found for difference in report.differences] == [str(CLICKS_SENT - 1)]
    waited: list[str] = []

    def note(what: str) -> None:
        waited.append(what)
        scene.start()

    report = Oracle(scene.settings, on_wait=note).check(wait_s=60, with_database=False)
    assert report.is_clean, differences(report)
    assert len(waited) == 1
    assert scene.counted() == (CLICKS_SENT, CONFIRMED)
