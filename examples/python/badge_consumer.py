"""Makes an award of each milestone, once, in a database of one's own: here a file of SQLite.

pip install -r requirements.txt
python badge_consumer.py awards.sqlite
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from contextlib import closing

from confluent_kafka import Consumer, KafkaException

TOPIC = os.environ.get("REFERRALS_TOPIC_PREFIX", "referrals.") + "milestones.v1"
REACHED = "recruitment_milestone_reached"

consumer = Consumer(
    {
        "bootstrap.servers": os.environ["REFERRALS_BOOTSTRAP_SERVERS"],
        "group.id": os.environ.get("GROUP", "our-badges"),  # your own: each group is given every milestone
        "isolation.level": "read_committed",  # what an open or aborted transaction holds does not exist
        "auto.offset.reset": "earliest",  # a new group begins with the first milestone that there was
        "enable.auto.commit": False,  # the place is noted after the award, never before it
    }
)
stopping = False


def stop(_signal: int, _frame: object) -> None:
    """End after the record at hand."""
    global stopping  # noqa: PLW0603  a script of one loop
    stopping = True


def award(database: sqlite3.Connection, milestone: dict[str, object]) -> bool:
    """Make the award, unless it is made; both are one transaction, so that it is never half done."""
    with database:  # commits, or rolls back
        made = database.execute(
            "INSERT INTO awards VALUES (?, ?, ?, ?, ?) ON CONFLICT (milestone_id) DO NOTHING",
            [milestone[name] for name in ("milestone_id", "org_id", "mentor_id", "milestone_threshold", "reached_at")],
        )
        return made.rowcount == 1


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
with closing(sqlite3.connect(sys.argv[1])) as database:
    database.execute(
        "CREATE TABLE IF NOT EXISTS awards (milestone_id TEXT PRIMARY KEY, org_id TEXT NOT NULL, "
        "mentor_id TEXT NOT NULL, threshold INTEGER NOT NULL, reached_at TEXT NOT NULL)"
    )
    consumer.subscribe([TOPIC])
    while not stopping:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if error := message.error():
            raise KafkaException(error)
        milestone = json.loads(message.value() or b"{}")
        # Of other kinds, should any come, and of fields that are not known, a reader takes no notice.
        if milestone.get("event_type") == REACHED and award(database, milestone):
            print(milestone["milestone_id"], milestone["mentor_id"], milestone["milestone_threshold"], flush=True)
        consumer.commit(message=message, asynchronous=False)  # dies before: it comes again, and is known
consumer.close()
