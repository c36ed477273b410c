"""What the engine is given in these tests: wiring without a broker, and changes as any application's fold returns."""

from __future__ import annotations

from collections.abc import Callable

from streams.engine.options import EngineOptions
from streams.engine.standing import Found, Log, Stand, Standing

TOPIC = "orders"
OTHER_TOPIC = "customers"


def make_options(on_leave: Callable[[Exception], None] | None = None) -> EngineOptions:
    """Return the wiring of an application with two joined topics and two tables; no broker has this address."""
    return EngineOptions(
        app_id="shop",
        source_topics=(TOPIC, OTHER_TOPIC),
        read_first=OTHER_TOPIC,
        tables=("stock", "totals"),
        partitions=4,
        client_config={"bootstrap.servers": "127.0.0.1:1", "log_level": "0"},
        on_leave=on_leave or _fail,
    )


def make_found(
    at: int | None = None,
    *,
    epoch: int = 7,
    first: int = 0,
    end: int = 100,
    seals: dict[str, int] | None = None,
    committed: int | None = None,
    topic_id: str = "same",
    **more: bool,
) -> Found:
    """Return what a new owner finds: rows that stand at offset `at` of both topics (None: they say nothing), say.

    `first`, `end` and `topic_id` are what TOPIC is now; the other has 100 records and is as it was.
    """
    standing = None
    if at is not None:
        stands = {topic: Stand(at, "same") for topic in (TOPIC, OTHER_TOPIC)}
        standing = Standing(epoch, stands, {"stock": epoch, "totals": 3})
    offsets = {} if committed is None else {TOPIC: committed, OTHER_TOPIC: committed}
    return Found(
        number=3,
        standing=standing,
        seals=({"stock": epoch, "totals": 3} if at is not None else {}) if seals is None else seals,
        committed=offsets,
        sources={TOPIC: Log(first, end, topic_id), OTHER_TOPIC: Log(0, 100, "same")},
        **({"has_rows": at is not None} | more),
    )


def _fail(error: Exception) -> None:
    raise AssertionError("the worker left") from error
