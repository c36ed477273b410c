"""Why a worker leaves.

EngineError
├── BadTopic           a topic is missing, would lose rows, or takes no records
├── CommitFailed       an epoch could not be committed: fenced, aborted, or the broker was away too long
├── NameTaken          the application's name is another's, or it has a state under another name
├── OutOfOrder         a batch does not follow the position that the rows stand at
├── StateDecided       somebody has decided about a partition that was refused
├── StateRefused       what is kept of a partition does not fit the cluster, and somebody has to decide
└── NotCoPartitioned   the assignment or the topics contradict the join by partition
"""

from __future__ import annotations


class EngineError(Exception):
    """The worker cannot go on as it is; a fresh start puts it right unless the message says otherwise."""


class BadTopic(EngineError):  # noqa: N818 - read as what it is
    """A topic is not kept as it must be, above all a changelog, the only complete state; the message has the remedy."""


class CommitFailed(EngineError):  # noqa: N818 - read as what happened
    """An epoch could not be committed; nothing of it is visible, and it is done again from the last commit."""


class NameTaken(EngineError):  # noqa: N818 - read as what happened
    """The application must not work under this name; the message says why, and has the remedy."""


class OutOfOrder(EngineError):  # noqa: N818 - read as what happened
    """A batch does not follow what the rows hold: folding it would count records twice, or leave some out."""


class StateRefused(EngineError):  # noqa: N818 - read as what happened
    """What is kept of a source partition and what the cluster has contradict each other; going on would miscount."""

    def __init__(self, partition: int, reason: str) -> None:
        super().__init__(f"partition {partition}: {reason}")
        self.partition = partition
        self.reason = reason


class StateDecided(EngineError):  # noqa: N818 - read as what happened
    """A partition that was refused can be taken over now; a fresh start does it."""


class NotCoPartitioned(EngineError):  # noqa: N818 - read as what happened
    """The joined topics must have the same number of partitions, and a worker must own the same of each."""
