"""Erasures into the registrations topic, each under its code, so that it has its place among the events of its pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from edges.publishing.producer import SourceProducer
from models.events import encode_event
from models.topics import REGISTRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.events import Erasure
    from process.settings import Settings

ACKNOWLEDGED_S: Final = 60.0


class NotSent(Exception):  # noqa: N818  read as what is wrong
    """The brokers have not taken every erasure; the message says why. Sending them again does no harm."""


def send_erasures(settings: Settings, erasures: Iterable[Erasure]) -> None:
    """Send erasures, and return when all of them are acknowledged.

    Raises:
        NotSent: they are not.
        edges.publishing.producer.TopicMissing: there is no such topic.

    """
    faults: dict[str, str] = {}
    producer = SourceProducer(settings, faults.__setitem__)
    producer.check_topics()
    topic = REGISTRATIONS.full_name(settings.topic_prefix)
    try:
        for erasure in erasures:
            code = erasure.referral_code
            producer.send(topic, code.encode(), encode_event(erasure), place=f"the erasure under {code}")
    except KafkaException as error:
        raise NotSent(f"the producer cannot go on: {error.args[0].str()}") from error
    left = producer.flush(ACKNOWLEDGED_S)
    if left or faults:
        place, why = next(iter(faults.items()), (f"{left} erasures", f"no answer for {ACKNOWLEDGED_S:.0f} s"))
        raise NotSent(f"{place} was not taken: {why}; run this again")
