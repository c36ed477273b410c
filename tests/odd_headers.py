"""Records with a header name that is not UTF-8: Kafka takes them, and no ordinary client will send one."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.producer import message_accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from pytest import MonkeyPatch  # noqa: PT013 - for its type


class OddName(str):
    """A header name that goes out as other bytes."""

    __slots__ = ("raw",)
    raw: bytes

    def encode(self, *_: object) -> bytes:
        """Return the bytes."""
        return self.raw


def odd_name(raw: bytes) -> OddName:
    """Return a name that goes out as these bytes."""
    name = OddName("odd")
    name.raw = raw
    return name


async def send_raw(
    address: str, topic: str, partition: int, records: Sequence[tuple[bytes, bytes, list[tuple[str, bytes]]]]
) -> None:
    """Send key, value and headers in one batch."""
    with MonkeyPatch.context() as patch:
        patch.setattr(message_accumulator, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        producer = AIOKafkaProducer(bootstrap_servers=address)
        await producer.start()
        try:
            batch = producer.create_batch()
            for key, value, headers in records:
                batch.append(key=key, value=value, timestamp=None, headers=headers)
            sent = await producer.send_batch(batch, topic, partition=partition)
            await sent
        finally:
            await producer.stop()
