"""Whether the processes are at work: each group stands with all partitions it reads given out, and web is ready."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition

from local.installation.components import COMPONENTS, MAIL, Component
from local.installation.web import WEB, is_ready
from local.parts import PartsError
from local.parts.process import tail
from process.administrator import Administrator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka.admin import ConsumerGroupDescription  # type: ignore[attr-defined]  # not in its __all__

    from local.parts.supervisor import Supervisor
    from process.settings import Settings

READY_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.1
REQUEST_TIMEOUT_S: Final = 30.0
COORDINATOR_POLL_S: Final = 1.0
COORDINATOR_TIMEOUT_S: Final = 5.0
"""A broker that has just started loads its groups in a fraction of a second."""


class NotReady(PartsError):  # noqa: N818  read as what is wrong
    """A component does not come up; the message names it, its log, and the log's end."""


def members_now(settings: Settings) -> frozenset[str]:
    """Return the members of the components' groups; before a start, these are what a killed run has left there.

    Kafka gives them partitions until their session is over.
    """
    with closing(_Groups(settings)) as groups:
        found = [groups.find_patiently(component) for component in COMPONENTS.values()]
    return frozenset(member.member_id for group in found if group is not None for member in group.members)


def wait_until_ready(
    settings: Settings,
    processes: Mapping[str, str],
    supervisor: Supervisor,
    *,
    former_members: frozenset[str],
    announce: Callable[[str], None],
    timeout_s: float = READY_TIMEOUT_S,
) -> None:
    """Wait until every component has its partitions and web is ready, and announce each with the seconds it took.

    `processes` is what each process is called, with its component; `former_members` are not among them.
    Raises NotReady after `timeout_s` seconds.
    """
    started_s = time.monotonic()
    # Mail may wait for a server of somebody else's, and nothing waits for mail.
    awaited = {name: list(processes.values()).count(name) for name in processes.values() if name != MAIL}
    with closing(_Groups(settings)) as groups:
        while True:
            for name in list(awaited):
                if name == WEB:
                    is_there, what = is_ready(settings), "is ready"
                else:
                    is_there = groups.are_at_work(COMPONENTS[name], members=awaited[name], former=former_members)
                    what = "has its partitions"
                if is_there:
                    announce(f"{name} {what} after {time.monotonic() - started_s:.1f} s")
                    del awaited[name]
            if not awaited:
                return
            if time.monotonic() - started_s > timeout_s:
                name = next(iter(awaited))
                log = supervisor.log(next(process for process, of in processes.items() if of == name))
                msg = f"{name} was not ready within {timeout_s:.0f} s; the end of its log, {log}:\n{tail(log)}"
                raise NotReady(msg)
            time.sleep(POLL_S)


class _Groups:
    """The consumer groups of the components, as Kafka knows them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._config: dict[str, str | int | float | bool] = {**settings.kafka_client_config(), "log_level": 2}
        self._admin = Administrator(self._config)
        self._reachable: set[str] = set()

    def are_at_work(self, component: Component, *, members: int, former: frozenset[str]) -> bool:
        """Tell whether so many processes of a component share all its partitions, none of them a former one."""
        group = self.find(component)
        if group is None or group.state is not ConsumerGroupState.STABLE or len(group.members) < members:
            return False
        given_out = sum(len(member.assignment.topic_partitions) for member in group.members)
        is_new = former.isdisjoint(member.member_id for member in group.members)
        return is_new and given_out >= self._partitions_of(component)

    def _partitions_of(self, component: Component) -> int:
        """Return how many partitions the topics have that it reads."""
        found = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        names = [topic.full_name(self._settings.topic_prefix) for topic in component.reads]
        return sum(len(found[name].partitions) for name in names)

    def find(self, component: Component) -> ConsumerGroupDescription | None:
        """Return the group of a component; None where it is not there yet, or its coordinator is not."""
        group_id = component.group_id(self._settings)
        if not self._is_reachable(group_id, component.reads[0].full_name(self._settings.topic_prefix)):
            return None
        future = self._admin.describe_consumer_groups([group_id], request_timeout=REQUEST_TIMEOUT_S)[group_id]
        return None if future.exception() is not None else future.result()

    def _is_reachable(self, group_id: str, topic: str) -> bool:
        """Tell whether the group's coordinator answers.

        Asked by a consumer that never joins: the admin client may abort the process when it has to wait for a
        coordinator (librdkafka, pull request 5397), so it is asked only when that is there.
        """
        if group_id not in self._reachable:
            consumer = Consumer({**self._config, "group.id": group_id, "enable.auto.commit": False})
            try:
                consumer.committed([TopicPartition(topic, 0)], COORDINATOR_POLL_S)
                self._reachable.add(group_id)
            except KafkaException:  # not yet
                return False
            finally:
                consumer.close()
        return True

    def find_patiently(self, component: Component) -> ConsumerGroupDescription | None:
        """Return the group of a component as `find` does, after waiting for a coordinator that has just started."""
        deadline_s = time.monotonic() + COORDINATOR_TIMEOUT_S
        while (group := self.find(component)) is None and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
        return group

    def close(self) -> None:
        """Let the client go while Kafka is there: librdkafka may wait for ever for a broker that is not."""
        del self._admin
