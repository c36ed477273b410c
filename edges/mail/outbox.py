"""The outbox in Postgres: what is due is taken, and what became of it noted, a mail in a transaction of its own.

The transaction is open while the mail server is spoken with, and the row locked: two that send leave each other what
they have in hand. Killed before the server has taken the mail, the row is as it was, and it is sent by whoever is next.
Killed after that and before the commit, it is sent once more: SMTP has no way to ask. It then has the same Message-ID.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import psycopg
from psycopg.types.string import TextLoader

from process.postgres import session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edges.languages.catalogue import Language
    from edges.registry.tokens import Role
    from edges.web.mail_subscriptions import Topic

Kind: TypeAlias = Literal["confirm", "summary", "badge", "sign_in"]
Connection = psycopg.AsyncConnection[Any]

ROLE: Final = "referrals_mail"
BATCH_MAX: Final = 100
RETRY_FIRST: Final = timedelta(minutes=1)
RETRY_MOST: Final = timedelta(hours=2)
TRIED_FOR: Final = timedelta(days=5)
"""How long a mail is tried that a server puts off (RFC 5321, 4.5.4.1 asks for four to five days)."""

SIGN_IN_FOR: Final = timedelta(minutes=15)
"""How long somebody waits for a link that signs him in, and how long it is good."""

_ACT_FOR: Final = "SELECT set_config('role', %s, true), set_config('referrals.org_id', %s, true)"
_TAKE: Final = """
SELECT
    mail_id, kind, subscription_id, about, made_at, attempts, clock_timestamp(),
    wish.address, wish.language, wish.subject, wish.role, wish.topic, wish.secret, wish.confirmed_at IS NOT NULL,
    wish.refused_at IS NOT NULL, organisations.name, organisations.time_zone
FROM mail_outbox
INNER JOIN organisations USING (org_id)
LEFT JOIN mail_subscriptions AS wish USING (org_id, subscription_id)
WHERE org_id = %s AND mail_id = %s AND sent_at IS NULL AND gave_up_at IS NULL AND due_at <= clock_timestamp()
FOR UPDATE OF mail_outbox SKIP LOCKED
"""
_SENT: Final = """
UPDATE mail_outbox SET sent_at = clock_timestamp(), attempts = attempts + 1, problem = NULL
WHERE org_id = %s AND mail_id = %s
"""
_LATER: Final = """
UPDATE mail_outbox SET due_at = clock_timestamp() + %s, attempts = attempts + 1, problem = %s
WHERE org_id = %s AND mail_id = %s
"""
_GAVE_UP: Final = """
UPDATE mail_outbox SET gave_up_at = clock_timestamp(), attempts = attempts + 1, problem = %s
WHERE org_id = %s AND mail_id = %s
"""
_DROP: Final = "DELETE FROM mail_outbox WHERE org_id = %s AND mail_id = %s"
_REFUSED: Final = """
UPDATE mail_subscriptions SET refused_at = clock_timestamp() WHERE org_id = %s AND subscription_id = %s AND address = %s
"""
_BADGE: Final = "SELECT name FROM badge_definitions WHERE badge_id = %s"


class Recipient(NamedTuple):
    """Whom a mail is for."""

    address: str
    language: Language
    subject: str
    role: Role
    topic: Topic
    secret: bytes
    is_confirmed: bool
    is_refused: bool


class Mail(NamedTuple):
    """A mail that is due."""

    org_id: str
    mail_id: str
    kind: Kind
    subscription_id: str
    about: str
    made_at: datetime
    attempts: int
    now: datetime
    recipient: Recipient | None
    """None: he does not want to be told any more."""
    organisation: str | None
    """What it is called; None: nobody has said so."""
    time_zone: str

    @property
    def is_wanted(self) -> bool:
        """Whether it is still to be sent: he wants it and has confirmed it, or is asked to; and it is not too late."""
        if self.kind == "sign_in" and self.now - self.made_at >= SIGN_IN_FOR:
            return False
        return self.recipient is not None and self.recipient.is_confirmed is not (self.kind == "confirm")

    def next_try(self) -> timedelta | None:
        """Return how long it waits after it was put off; None: it has been tried for long enough."""
        if self.now - self.made_at >= TRIED_FOR and self.attempts > 0:
            return None
        factor: int = 2 ** min(self.attempts, 10)
        return min(RETRY_FIRST * factor, RETRY_MOST)


class Figures(NamedTuple):
    """How the outbox is."""

    waiting: int
    oldest_at: datetime | None
    next_at: datetime | None


class Outbox:
    """The outbox by one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def due(self) -> list[tuple[str, str]]:
        """Return organisation and id of what is due, the longest due first."""
        return await self._as_mail("SELECT org_id, mail_id FROM mail_due(%s, clock_timestamp())", [BATCH_MAX])

    async def figures(self) -> Figures:
        """Return how many wait, and since when."""
        (row,) = await self._as_mail("SELECT waiting, oldest_at, next_at FROM mail_figures()")
        return Figures(*row)

    async def put_summaries(self, at: datetime) -> int:
        """Put the summaries into it that are due at a time and not in it; return how many."""
        ((count,),) = await self._as_mail("SELECT mail_summaries_due(%s)", [at])
        return int(count)

    async def forget(self) -> None:
        """Delete what was sent long ago, and addresses that nobody has confirmed."""
        await self._as_mail("SELECT mail_forgets()::text")

    @asynccontextmanager
    async def taken(self, org_id: str, mail_id: str) -> AsyncIterator[Mail | None]:
        """Give a mail, locked until the body has ended; None: somebody else has it, or had it."""
        async with self.connection.transaction():
            await self.connection.execute(_ACT_FOR, [ROLE, org_id])
            rows = await (await self.connection.execute(_TAKE, [org_id, mail_id])).fetchall()
            yield _mail(org_id, rows[0]) if rows else None

    async def note_sent(self, mail: Mail) -> None:
        """Note that the server has taken it."""
        await self.connection.execute(_SENT, [mail.org_id, mail.mail_id])

    async def note_later(self, mail: Mail, wait: timedelta, problem: str) -> None:
        """Note that it is tried again, and why."""
        await self.connection.execute(_LATER, [wait, problem[:200], mail.org_id, mail.mail_id])

    async def note_gave_up(self, mail: Mail, problem: str, *, is_address: bool) -> None:
        """Note that it is not tried again, and why; where it is the address's fault, that nothing is sent there."""
        await self.connection.execute(_GAVE_UP, [problem[:200], mail.org_id, mail.mail_id])
        if is_address and mail.recipient is not None:
            await self.connection.execute(_REFUSED, [mail.org_id, mail.subscription_id, mail.recipient.address])

    async def drop(self, mail: Mail) -> None:
        """Take one out that nobody wants any more."""
        await self.connection.execute(_DROP, [mail.org_id, mail.mail_id])

    @asynccontextmanager
    async def acting_for(self, org_id: str) -> AsyncIterator[Connection]:
        """Open a transaction for an organisation within `taken`, as who makes links asks for it."""
        async with self.connection.transaction():
            await self.connection.execute(_ACT_FOR, [ROLE, org_id])
            yield self.connection

    async def badge_name(self, badge_id: str) -> str:
        """Return what a badge is called; within `taken`."""
        ((name,),) = await (await self.connection.execute(_BADGE, [badge_id])).fetchall()
        return str(name)

    async def _as_mail(self, query: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        async with self.connection.transaction():
            await self.connection.execute("SELECT set_config('role', %s, true)", [ROLE])
            return await (await self.connection.execute(query.encode(), values)).fetchall()


@asynccontextmanager
async def open_outbox(database_url: str) -> AsyncIterator[Outbox]:
    """Connect for the body; raise psycopg.Error."""
    async with await psycopg.AsyncConnection.connect(database_url, **session(database_url, "referrals mail")) as found:
        found.adapters.register_loader("uuid", TextLoader)
        yield Outbox(found)


def _mail(org_id: str, row: tuple[Any, ...]) -> Mail:
    mail_id, kind, subscription_id, about, made_at, attempts, now, *recipient, organisation, time_zone = row
    found = None if recipient[0] is None else Recipient(*recipient)
    return Mail(org_id, mail_id, kind, subscription_id, about, made_at, attempts, now, found, organisation, time_zone)
