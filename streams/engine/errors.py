"""Why a worker leaves.

EngineError            a fresh start puts it right
├── NothingFolds       records fail one after the other: it is the program, or what it needs
├── TooLarge           what a fold wants kept or sent is larger than its topic takes
├── CommitFailed       an epoch could not be committed: aborted, or the broker was away too long
│   ├── Fenced             somebody else has the partition's transactional id
│   └── Interrupted        its transaction was, for a reason that passes
├── OutOfOrder         a batch does not follow the position that the rows stand at
├── NotCoPartitioned   the assignment or the topics contradict the join by partition
├── NotInGroup         the group's protocol failed, in the client or in the assignor
├── StandsStill        the watchdog saw no progress where there must be some
├── StateDecided       somebody has decided about a partition that was refused
├── StateRefused       what is kept of a partition does not fit the cluster, and somebody has to decide
└── CannotWork         no start will do until somebody has acted
    ├── BadSessionTimeout  the broker takes no session timeout like this worker's
    ├── BadTopic           a topic is missing, would lose rows, or takes no records
    ├── JoinRefused        the group is of another kind, or its name is none
    ├── NameTaken          the application's name is another's, or it has a state under another name
    └── NotAllowed         the cluster does not let this user do what a worker must
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

Remedy = Literal["accept", "rebuild"]
"""What a person can decide about a partition: the functions of `deciding`."""


class EngineError(Exception):
    """The worker cannot go on as it is; a fresh start puts it right unless the message says otherwise."""


class CannotWork(EngineError):  # noqa: N818 - read as what it is
    """A fresh start would end in the same way until somebody has acted; the message has the remedy."""


class BadTopic(CannotWork):
    """A topic is not kept as it must be, above all a changelog, the only complete state; the message has the remedy."""


class BadSessionTimeout(CannotWork):
    """The broker takes no session timeout like this worker's."""


class CommitFailed(EngineError):  # noqa: N818 - read as what happened
    """An epoch could not be committed; nothing of it is visible, and it is done again from the last commit."""


class Fenced(CommitFailed):
    """Another producer has begun under the partition's transactional id: the partition is its owner's."""


class Interrupted(CommitFailed):
    """A transaction went no further, for a reason that passes: its epoch can be tried again, by another producer."""


class JoinRefused(CannotWork):
    """The group cannot take this worker as a member: it is of another kind, or its name is none."""


class NameTaken(CannotWork):
    """The application must not work under this name; the message says why, and has the remedy."""


class NotAllowed(CannotWork):
    """The cluster does not let this user do what a worker must; the message names the right."""


class NotInGroup(EngineError):  # noqa: N818 - read as what happened
    """The group's protocol failed on this side: an exception in the client, or in the assignor of the leader."""


class OutOfOrder(EngineError):  # noqa: N818 - read as what happened
    """A batch does not follow what the rows hold: folding it would count records twice, or leave some out."""


class NothingFolds(EngineError):  # noqa: N818 - read as what happened
    """The fold fails at each record: setting them all aside would lose them to whoever waits for their effect."""


class TooLarge(EngineError):  # noqa: N818 - read as what it is
    """A row or a record is larger than its topic takes: an epoch with it could never be committed."""


class StandsStill(EngineError):  # noqa: N818 - read as what happened
    """Something has made no progress for longer than it can take; the message says what, and where it is."""


class StateRefused(EngineError):  # noqa: N818 - read as what happened
    """What is kept of a source partition and what the cluster has contradict each other; going on would miscount."""

    def __init__(self, partition: int, reason: str, remedies: Collection[Remedy] = ("accept", "rebuild")) -> None:
        super().__init__(f"partition {partition}: {reason}")
        self.partition = partition
        self.reason = reason
        self.remedies = tuple(remedies)
        """What somebody may decide; nothing where the reason says what else is to be done."""


class StateDecided(EngineError):  # noqa: N818 - read as what happened
    """A partition that was refused can be taken over now; a fresh start does it."""


class NotCoPartitioned(EngineError):  # noqa: N818 - read as what happened
    """The joined topics must have the same number of partitions, and a worker must own the same of each.

    An assignment may say so because the group's leader has just not heard of a topic; a start looks for itself.
    """
