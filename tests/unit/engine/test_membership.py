"""What errors of the group's protocol mean for a worker: aiokafka's own, as it raises them."""

from __future__ import annotations

import pytest
from aiokafka import errors as kafka_errors

from streams.engine.errors import BadSessionTimeout, CannotWork, JoinRefused, NotAllowed, NotInGroup
from streams.engine.membership import GroupFull, explained


@pytest.mark.parametrize(
    ("error", "becomes", "says"),
    [
        (kafka_errors.GroupAuthorizationFailedError("shop"), NotAllowed, "READ on group shop"),
        (kafka_errors.TopicAuthorizationFailedError({"orders", "bills"}), NotAllowed, "READ on topic bills, orders"),
        (kafka_errors.TopicAuthorizationFailedError("orders"), NotAllowed, "READ on topic orders"),
        (kafka_errors.InvalidSessionTimeoutError(), BadSessionTimeout, "7.5 s"),
        (kafka_errors.InconsistentGroupProtocolError(), JoinRefused, "group shop has members of another program"),
        (kafka_errors.InvalidGroupIdError(), JoinRefused, "'shop'"),
        (kafka_errors.KafkaError(repr(ZeroDivisionError("planted"))), NotInGroup, "planted"),
    ],
)
def test_an_error_of_the_group_names_the_culprit(error: Exception, becomes: type[Exception], says: str) -> None:
    """With a remedy where somebody has to act; the rest is worth another start."""
    explanation = explained(error, "shop", 7.5)

    assert type(explanation) is becomes
    assert says in str(explanation)
    assert isinstance(explanation, CannotWork) == (becomes is not NotInGroup)


def test_a_full_group_has_a_name() -> None:
    """Aiokafka's own list of errors ends before it, and `UnknownError()` is what a worker would be told."""
    assert kafka_errors.for_code(81) is GroupFull
