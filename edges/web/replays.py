"""Dead letters sent again by an organisation's administrator, as `referrals dead-letters replay` does.

One at a time in this process: each replay fences whoever is at one, this one too. Which dead letters are meant has been
decided by row-level security; here each is read from its topic, and sent only if it is the record that was listed.

Failure handling: `edges/publishing/replaying.py`. Killed, or without Kafka, a batch is sent and noted or neither; asked
again it sends what is left.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from confluent_kafka import KafkaException
from msgspec import Meta, Struct

from edges.publishing.replaying import BEFORE, READY, CannotReplay, Judge, Replay
from edges.web.answers.dead_letters import ReplayVerdict
from operations.dead_letters import DeadLetterReader
from operations.reading import CannotRead
from operations.topics import TopicMismatch
from process.topics import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from process.settings import Settings

LETTERS_MAX: Final = 100
"""Dead letters of one request; the command sends any number."""

Place = tuple[int, int]
"""Partition and offset in the dead letters topic."""


_LetterName = Annotated[str, Meta(pattern="^[0-9]{1,9}/[0-9]{1,18}$")]


class PostedReplay(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which dead letters are to be sent again."""

    letters: Annotated[list[_LetterName], Meta(min_length=1, max_length=LETTERS_MAX)]
    """By where they stand: partition/offset, as they are listed."""
    dry_run: bool = False
    """Send nothing; say what would be."""


class ReplayUnavailable(Exception):  # noqa: N818  read as what is wrong
    """Kafka cannot be asked, or does not let us send; the message says why."""


class Replays:
    """Sends dead letters again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._at_it = asyncio.Lock()

    async def replay(
        self, own: Mapping[Place, str], asked: Collection[Place], erased: Collection[bytes], *, dry_run: bool
    ) -> list[ReplayVerdict]:
        """Return what becomes of each that was asked for, having sent those that can be, unless it is a dry run.

        Args:
            own: those that are the organisation's, each with the digest of its record.
            asked: what was asked for, in its order; what is not its own is `gone`, as what does not exist.
            erased: pseudonyms of its erased pairs.
            dry_run: send nothing.

        Raises ReplayUnavailable.

        """
        async with self._at_it:
            try:
                found = await asyncio.to_thread(self._replay, own, erased, dry_run=dry_run)
            except (CannotReplay, CannotRead, TopicMismatch, NotAllowed) as error:
                raise ReplayUnavailable(str(error)) from None
            except KafkaException as error:
                raise ReplayUnavailable(error.args[0].str()) from None
        return [
            found.get(place, ReplayVerdict(letter=f"{place[0]}/{place[1]}", verdict="gone", why=None))
            for place in asked
        ]

    def _replay(
        self, own: Mapping[Place, str], erased: Collection[bytes], *, dry_run: bool
    ) -> dict[Place, ReplayVerdict]:
        """Do it, in a thread: everything here waits for Kafka."""
        with closing(Replay(self._settings)) as sender, closing(DeadLetterReader(self._settings)) as reader:
            if not dry_run:
                sender.begin()  # before the notes are read: whoever was at it has ended then
            judge = Judge(self._settings.topic_prefix, reader.replayed(), erased=lambda: erased)
            now = datetime.now(UTC)
            letters = [each for each in reader.named(own) if each.digest == own[each.partition, each.offset]]
            verdicts = [judge.judge(letter, now) for letter in letters]
            if not dry_run:
                sender.send(verdicts)
        names: dict[str, Literal["ready", "sent", "before"]]
        names = {READY: "ready" if dry_run else "sent", BEFORE: "before"}
        return {
            (verdict.letter.partition, verdict.letter.offset): ReplayVerdict(
                letter=verdict.letter.name,
                verdict=names.get(verdict.why, "refused"),
                why=None if verdict.why in names else verdict.why,
            )
            for verdict in verdicts
        }
