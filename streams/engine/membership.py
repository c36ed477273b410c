"""Membership of the consumer group: what a refused join means, and how to leave at once.

aiokafka keeps an error of the group's protocol until somebody asks for it, and does nothing more before that; Faust
never asks. So a worker that was refused once lived on and never joined again. Here somebody asks, five times a second.

    refused for good    missing right, session timeout, another kind of group: the worker ends and names the remedy
    refused for now     the group is full: it is said, and tried again; a worker that waits takes over when one ends
    anything else       an exception in the client or the assignor: the worker starts afresh
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import errors as kafka_errors
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.group import LeaveGroupRequest

from streams.engine.errors import BadSessionTimeout, EngineError, JoinRefused, NotInGroup
from streams.engine.rights import not_allowed

if TYPE_CHECKING:
    import aiokafka

LOOK_S: Final = 0.2
"""How often the group's errors are asked for."""
TRIED_AGAIN_S: Final = 5.0
"""A full group is asked again this often."""
SAID_AGAIN_S: Final = 60.0

log = structlog.get_logger("engine")


class GroupFull(kafka_errors.BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """The group has as many members as the broker allows; aiokafka does not know this error."""

    errno = 81
    message = "GROUP_MAX_SIZE_REACHED"
    description = "The consumer group has reached its maximum number of members (group.max.size)."


kafka_errors.kafka_errors[GroupFull.errno] = GroupFull


class Membership:
    """The membership of this worker, as aiokafka's consumer has it; belongs to the consumer's event loop."""

    def __init__(self, consumer: aiokafka.AIOKafkaConsumer, group: str, *, session_timeout_s: float) -> None:
        self._consumer: Any = consumer
        self._group = group
        self._session_timeout_s = session_timeout_s
        self.waits_for: str | None = None
        """Why this worker was refused for now; None where it was not."""
        self._said_s = 0.0

    def keep_as(self, group_instance_id: str | None) -> None:
        """Be a static member by this name, before the group is joined; with None be one as long as the process lives.

        The coordinator keeps a static member's partitions for it until its session ends, and gives them to the next
        process of this name without asking the others. So such a worker never says that it leaves, neither here nor in
        aiokafka. Two processes of one name take the membership from each other.
        """
        self._consumer._group_instance_id = group_instance_id  # noqa: SLF001 - Faust does not know of it

    @property
    def progress(self) -> object:
        """What changes while a join goes on."""
        coordinator = self._consumer._coordinator  # noqa: SLF001 - aiokafka shows it in no other way
        return None if coordinator is None else (coordinator.generation, coordinator.member_id)

    async def watch(self) -> EngineError:
        """Return why this worker cannot be a member, as soon as it is so."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self._check()
            except kafka_errors.KafkaError as error:
                if GroupFull.__name__ not in str(error):  # aiokafka wraps what it does not expect
                    return explained(error, self._group, self._session_timeout_s)
                self._wait_for_room()
                await asyncio.sleep(TRIED_AGAIN_S)

    async def leave(self) -> None:
        """Tell the coordinator that this worker is gone, so that the others need not wait for its session to end.

        By the connection that fetches: on the coordinator's own, a join that waits holds up whatever comes after it.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 - the same
        if coordinator is None or coordinator.coordinator_id is None or not coordinator.member_id:
            return
        if self._consumer._group_instance_id is not None:  # noqa: SLF001 - the same
            return
        for task in (coordinator._heartbeat_task, coordinator._coordination_task):  # noqa: SLF001 - or it joins again
            if task is not None:
                task.cancel()
        request = LeaveGroupRequest(self._group, coordinator.member_id)
        await self._consumer._client.send(coordinator.coordinator_id, request, group=ConnectionGroup.DEFAULT)  # noqa: SLF001

    def _check(self) -> None:
        coordinator = self._consumer._coordinator  # noqa: SLF001 - the same
        if coordinator is None or self._consumer._closed:  # noqa: SLF001 - the same
            return
        coordinator.check_errors()
        if coordinator.generation > 0:
            self.waits_for = None

    def _wait_for_room(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self.waits_for is None or now_s - self._said_s > SAID_AGAIN_S:
            self._said_s = now_s
            log.warning("group_is_full", group=self._group, remedy=GROUP_FULL_REMEDY)
        self.waits_for = f"group {self._group} is full: {GROUP_FULL_REMEDY}"


GROUP_FULL_REMEDY: Final = (
    "the broker's group.max.size lets no more workers in; this one waits until another ends: "
    "run fewer, or raise group.max.size"
)


def explained(error: Exception, group: str, session_timeout_s: float) -> EngineError:
    """Return an error of the group's protocol as one that names the remedy."""
    if isinstance(error, kafka_errors.GroupAuthorizationFailedError):
        return not_allowed("READ", "group", group)
    if isinstance(error, kafka_errors.TopicAuthorizationFailedError):
        return not_allowed("READ", "topic", _named(error))
    if isinstance(error, kafka_errors.InvalidSessionTimeoutError):
        return BadSessionTimeout(
            f"the broker refuses a session timeout of {session_timeout_s:g} s: it takes what is between its "
            "group.min.session.timeout.ms and group.max.session.timeout.ms"
        )
    if isinstance(error, kafka_errors.InconsistentGroupProtocolError):
        return JoinRefused(f"group {group} has members of another program: end them, or give this one another group")
    if isinstance(error, kafka_errors.InvalidGroupIdError):
        return JoinRefused(f"{group!r} cannot be the name of a group")
    return NotInGroup(f"group {group} cannot be joined: {error}")


def _named(error: Exception) -> str:
    """Return the topic, or the topics, that aiokafka names."""
    named = error.args[0] if error.args else "that is subscribed to"
    return named if isinstance(named, str) else ", ".join(sorted(named))
