"""A change of the number of partitions of the source topics, with everything that was counted.

    look     is anybody at work, is everything read, does every row stand where it must
    fence    whoever owns a partition and does not say so
    lay out  changelogs get their partitions, and rows go where they belong (streams/engine/resharding.py)
    note     up to where each partition was read under the former number, in a topic of its own: whoever reads a source
             topic from its beginning must know it, for the records stay where they are (models/partition_changes.py)
    grow     the source topics get their partitions; from now on producers use them
    issue    the codes that moved are published once more, where they belong: their topic is compacted by partition, and
             its readers look for a code where it belongs

Each step leaves the cluster as the next one finds it: killed anywhere and run again, it goes on, and no worker starts
meanwhile. What comes in the meantime, or from a producer that has not heard of it yet, lies in a partition where its
code does not belong, and is moved by the workers afterwards, as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from confluent_kafka import ConsumerGroupState, KafkaException

from models.outgoing import Outgoing
from models.partition_changes import PartitionChange, encode_change
from models.resharding import spread
from models.topics import CODES, PARTITION_CHANGES, SOURCES
from operations.lag import Lag
from operations.partition_changes import read_changes
from process import topics
from process.administrator import answer_to
from streams.app import engine_options
from streams.engine.cluster import Cluster
from streams.engine.errors import EngineError, StateRefused
from streams.engine.resharding import Layout
from streams.republishing import issue_again, send_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka.admin import ConsumerGroupListing  # type: ignore[attr-defined]  # not in its __all__

    from process.administrator import Administrator
    from process.settings import Settings
    from streams.engine.standing import Standing

TIMEOUT_S: Final = 30.0

MUST_STOP: Final = ("counts", "history")
"""Sinks that ask where a code belongs, by the ends of their groups' names: `referrals counts` has both."""


class CannotReshard(EngineError):  # noqa: N818 - read as what it is
    """It cannot be begun, or not go on; each line of the message says what is in the way, and the remedy."""


@dataclass(kw_only=True, slots=True)
class Outlook:
    """What a change would be, or where one that was begun stands."""

    former: int
    partitions: int
    is_begun: bool = False
    """Whether changelogs have partitions of it already: no worker starts until it is over."""
    is_over: bool = False
    unread: dict[str, int] = field(default_factory=dict)
    """Of each source topic, the records that are not counted yet; topics without any are left out."""
    obstacles: list[str] = field(default_factory=list)
    """Why it cannot be done now."""


class Resharding:
    """One change of one installation; all methods block."""

    def __init__(self, settings: Settings, partitions: int, *, unread_max: int = 0) -> None:
        """Prepare it.

        Args:
            settings: the installation's; the number of partitions that they say is not looked at.
            partitions: how many there are to be.
            unread_max: so many records may be unread; workers move them afterwards.

        """
        self._settings = settings
        self._partitions = partitions
        self._unread_max = unread_max
        self._options = engine_options(settings.model_copy(update={"partitions": partitions}))
        self._sources = [topic.full_name(settings.topic_prefix) for topic in SOURCES]
        self._changelogs = [self._options.changelog(table) for table in self._options.tables]
        self._changes_topic = PARTITION_CHANGES.full_name(settings.topic_prefix)
        self._admin: Administrator = self._options.clients.admin(self._options.client_config)
        self._changes = read_changes(settings)

    def look(self) -> Outlook:
        """Return what would be done, and what is in the way; changes nothing.

        Raises:
            CannotReshard: from what there is no change leads to so many partitions.
            operations.reading.CannotRead, KafkaException: the cluster does not answer.

        """
        outlook = self._outlook()
        if outlook.is_over:
            return outlook
        outlook.obstacles += self._at_work()
        if self._under_way() is None:
            self._look_at_rows(outlook)
        return outlook

    def run(self, outlook: Outlook, on_step: Callable[[str], None]) -> None:
        """Do it, or go on with it.

        Args:
            outlook: what `look` has returned; nothing is in the way.
            on_step: told each step before it begins.

        Raises:
            CannotReshard: something is in the way; where nothing was begun, nothing has changed.
            StateRefused, Fenced, process.topics.NotAllowed, KafkaException: the same, from one of its steps.

        """
        change = self._under_way() or self._lay_out(outlook.former, on_step)
        on_step(f"partitions for {', '.join(self._sources)}")
        topics.grow(self._admin, self._sources, self._partitions)
        self._options.fault_point("reshard.grown")
        on_step("codes published where they belong now")
        codes = CODES.full_name(self._settings.topic_prefix)
        issue_again(self._options, codes, range(change.former, change.partitions))
        self._options.fault_point("reshard.issued")
        done = PartitionChange(
            number=change.number,
            former=change.former,
            partitions=change.partitions,
            read_to=change.read_to,
            is_done=True,
        )
        self._note(done)

    # -- what there is -----------------------------------------------------------------------------------------

    def _outlook(self) -> Outlook:
        found = self._admin.list_topics(timeout=TIMEOUT_S).topics
        missing = [name for name in (*self._sources, *self._changelogs) if name not in found]
        if missing:
            raise CannotReshard(
                f"{', '.join(missing)}: no such topic; there is nothing to be changed before a worker ran"
            )
        counts = {name: len(found[name].partitions) for name in (*self._sources, *self._changelogs)}
        under_way = self._under_way()
        if under_way is not None:
            if under_way.partitions != self._partitions:
                raise CannotReshard(f"a change to {under_way.partitions} partitions was begun: let that one end first")
            return Outlook(former=under_way.former, partitions=self._partitions, is_begun=True)
        former = min(counts[name] for name in self._sources)
        if len({counts[name] for name in self._sources}) > 1:
            raise CannotReshard(
                f"{', '.join(f'{name} has {counts[name]}' for name in self._sources)} partitions: somebody has added "
                "some by hand, and this cannot tell where records were counted"
            )
        changelogs = {counts[name] for name in self._changelogs}
        if former == self._partitions and changelogs == {former}:
            return Outlook(former=former, partitions=former, is_over=True)
        if not changelogs <= {former, self._partitions}:
            raise CannotReshard(
                f"the changelogs have {', '.join(map(str, sorted(changelogs)))} partitions and the source topics "
                f"{former}: a change to another number was begun, or somebody has added partitions by hand"
            )
        if self._partitions <= former or self._partitions % former:
            raise CannotReshard(
                f"the source topics have {former} partitions, and may have {2 * former}, {3 * former} and so on: Kafka "
                "takes no partition away, and a multiple lets each key go to one of a few"
            )
        return Outlook(former=former, partitions=self._partitions, is_begun=changelogs != {former})

    def _under_way(self) -> PartitionChange | None:
        """Return the change whose rows are laid out, and which is not over."""
        return self._changes[-1] if self._changes and not self._changes[-1].is_done else None

    def _at_work(self) -> list[str]:
        """Return a line for each consumer group that must have no members and has some."""
        names = {self._options.app_id: "workers"}
        names |= {f"{self._settings.topic_prefix}{name}": "referrals counts" for name in MUST_STOP}
        try:
            listed = answer_to(self._groups, TIMEOUT_S)
        except KafkaException as error:
            raise CannotReshard(f"the brokers do not say which groups have members: {error.args[0].str()}") from None
        idle = {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}
        return [
            f"group {group.group_id} has members: stop {names[group.group_id]} (one that was killed is missed after "
            f"{self._settings.session_timeout_s:g} s)"
            for group in listed
            if group.group_id in names and group.state not in idle
        ]

    def _groups(self, within_s: float) -> list[ConsumerGroupListing]:
        listed = self._admin.list_consumer_groups(request_timeout=within_s).result()
        if listed.errors:
            raise KafkaException(listed.errors[0])
        return list(listed.valid)

    def _look_at_rows(self, outlook: Outlook) -> None:
        """See that every partition stands where a worker would go on, and how much is not read."""
        layout = self._layout(outlook.former)
        try:
            standings = layout.standings()
        except StateRefused as refused:
            outlook.obstacles.append(f"{refused}: `referrals state show` says more")
            return
        outlook.unread = self._unread(standings)
        if sum(outlook.unread.values()) > self._unread_max and not outlook.is_begun:
            left = ", ".join(f"{count:,} of {topic}" for topic, count in outlook.unread.items())
            outlook.obstacles.append(
                f"records are not counted yet: {left}. Stop what produces, let the workers come to the end, stop them; "
                "or let workers move them afterwards: --unread"
            )

    def _layout(self, former: int) -> Layout:
        return Layout(self._options, former=former, spread=spread)

    def _unread(self, standings: dict[int, Standing]) -> dict[str, int]:
        at = {(t, number): stand.positions.get(t, 0) for number, stand in standings.items() for t in self._sources}
        logs = Cluster(self._options).logs(list(at))
        lag = Lag(self._settings)
        try:
            left = lag.locate("reshard", at, {place: log.end for place, log in logs.items()})
        finally:
            lag.close()
        by_topic: dict[str, int] = {}
        for (topic, _), count in left.items():
            by_topic[topic] = by_topic.get(topic, 0) + count
        return by_topic

    # -- the steps ---------------------------------------------------------------------------------------------

    def _lay_out(self, former: int, on_step: Callable[[str], None]) -> PartitionChange:
        layout = self._layout(former)
        on_step("owners fenced")
        layout.fence()
        self._refuse_who_is_at_work()
        on_step(f"partitions for the changelogs: {former} to {self._partitions}")
        topics.grow(self._admin, self._changelogs, self._partitions)
        self._options.fault_point("reshard.begun")
        self._refuse_who_is_at_work()
        positions = []
        for number in range(former):
            on_step(f"rows of partition {number}")
            positions.append(layout.move(number).positions)
            self._options.fault_point("reshard.moved")
        change = PartitionChange(
            number=len(self._changes) + 1,
            former=former,
            partitions=self._partitions,
            read_to={topic: [at.get(topic, 0) for at in positions] for topic in self._sources},
        )
        self._note(change)
        self._options.fault_point("reshard.noted")
        return change

    def _refuse_who_is_at_work(self) -> None:
        if at_work := self._at_work():
            raise CannotReshard("\n".join([*at_work, "then run this again"]))

    def _note(self, change: PartitionChange) -> None:
        """Keep a change in its own topic."""
        found = topics.describe(self._admin, [self._sources[0]])
        replicas = found[self._sources[0]].replicas
        topics.make(
            self._admin,
            [
                topics.WantedTopic(
                    name=self._changes_topic, partitions=1, replicas=replicas, config=PARTITION_CHANGES.config()
                )
            ],
        )
        send_all(self._options, [Outgoing(self._changes_topic, change.key, encode_change(change), [])])
