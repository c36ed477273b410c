"""What libraries log: repeated seldom, and an error only where it is one."""

from __future__ import annotations

import inspect
import logging

import pytest
from aiokafka.consumer import fetcher, group_coordinator
from aiokafka.errors import KafkaConnectionError, KafkaError, NotLeaderForPartitionError, TopicAuthorizationFailedError

from process.logs import REJOINS, TRIED_AGAIN, LibraryNoise, configure
from process.settings import Settings


@pytest.mark.parametrize("text", TRIED_AGAIN)
@pytest.mark.parametrize(
    ("error", "level"),
    [
        (NotLeaderForPartitionError(), logging.WARNING),
        (KafkaConnectionError("closed"), logging.WARNING),
        (TopicAuthorizationFailedError(), logging.ERROR),
    ],
)
def test_what_passes_and_is_tried_again_is_no_error(text: str, error: KafkaError, level: int) -> None:
    """A fresh installation asks for offsets of changelogs that have no leader yet; a missing right does not pass."""
    said = inspect.getsource(fetcher) + inspect.getsource(group_coordinator)
    assert f'log.error("{text}"' in said.replace('log.error(\n                "', 'log.error("')
    arguments = (*[1] * (text.count("%s") - 1), error)
    record = logging.LogRecord(fetcher.__name__, logging.ERROR, "", 0, text, arguments, None)
    noise = LibraryNoise()
    assert noise.filter(record)
    assert (record.levelno, record.levelname) == (level, logging.getLevelName(level))
    assert not noise.filter(record)


def test_that_others_have_come_is_no_error() -> None:
    """A worker's offsets follow each second, and now and then while the group takes another member in."""
    said = " ".join(inspect.getsource(group_coordinator).replace('"', " ").split())
    assert " ".join(REJOINS.split()) in said
    record = logging.LogRecord(group_coordinator.__name__, logging.ERROR, "", 0, REJOINS, ("group", KafkaError()), None)
    assert LibraryNoise().filter(record)
    assert record.levelno == logging.WARNING


def test_the_filters_are_in_an_order_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """One looks at the errors that the other puts words in place of."""
    before = logging.getLogger().handlers[:]
    monkeypatch.setattr(logging.getLogger(), "handlers", before)
    configure(Settings(log_format="json"))
    (handler,) = logging.getLogger().handlers
    record = logging.LogRecord(
        fetcher.__name__, logging.ERROR, "", 0, TRIED_AGAIN[0], (1, NotLeaderForPartitionError()), None
    )
    assert handler.filter(record)
    assert record.levelno == logging.WARNING
