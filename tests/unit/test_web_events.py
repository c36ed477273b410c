"""A client that does not take what it is sent, without a network."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edges.web.identity import Identity
from edges.web.routes import events
from edges.web.routes.events import _Sending

Message = dict[str, Any]


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _gone() -> Message:
    return {"type": "http.disconnect"}


class _Sent(list[Message]):
    """What was sent; at most `room` messages are taken."""

    def __init__(self, room: int) -> None:
        self._room = room

    async def __call__(self, message: Message) -> None:
        if len(self) == self._room:
            await asyncio.Event().wait()
        self.append(message)


@pytest.fixture
def sending(monkeypatch: pytest.MonkeyPatch) -> _Sending:
    """Give an answer that has three events, and then waits for more."""

    async def three(*_: object) -> Any:  # noqa: ANN401  an async generator
        for number in range(3):
            yield b"%d" % number
        await asyncio.Event().wait()

    monkeypatch.setattr(events, "events", three)
    monkeypatch.setattr(events, "SEND_TIMEOUT_S", 0.05)
    return _Sending(None, Identity("", "", "coordinator"))  # type: ignore[arg-type]  # no services are needed for it


async def test_a_client_that_takes_nothing_is_dropped(sending: _Sending) -> None:
    """The answer is left without its end, so that the server closes the connection."""
    sent = _Sent(room=2)
    async with asyncio.timeout(10):
        await sending.send_body(sent, _never)  # type: ignore[arg-type]  # messages of one kind only
    assert [message["body"] for message in sent] == [b"0", b"1"]


async def test_the_answer_ends_when_the_client_is_gone(sending: _Sending) -> None:
    """Nothing is left running for it."""
    async with asyncio.timeout(10):
        await sending.send_body(_Sent(room=10), _gone)  # type: ignore[arg-type]  # the same
    assert len(asyncio.all_tasks()) == 1
