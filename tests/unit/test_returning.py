"""A call of librdkafka that does not return is given up."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from process.returning import NotReturned, returned
from streams.engine import clients as module
from streams.engine.clients import LibrdkafkaClients


def test_what_a_call_raises_is_raised() -> None:
    """By who waits for it; a call that returns is nothing."""
    returned("call", lambda: None, 10.0)
    with pytest.raises(ZeroDivisionError):
        returned("call", lambda: 1 // 0, 10.0)


def test_offsets_that_are_never_set_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the producer is not closed then: that would wait for the call."""
    for_ever = threading.Event()
    monkeypatch.setattr(module, "HANGS_S", 0.1)
    producer = LibrdkafkaClients().producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})

    def stand(*_: object) -> None:
        for_ever.wait()

    monkeypatch.setattr(module, "Producer", SimpleNamespace(send_offsets_to_transaction=stand))
    try:
        with pytest.raises(NotReturned, match="send_offsets_to_transaction: librdkafka has not returned"):
            producer.send_offsets_to_transaction([], None)
        assert producer.close() is False
    finally:
        for_ever.set()
