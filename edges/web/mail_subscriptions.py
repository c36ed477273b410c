"""What people want to be told by mail: asked for by who is signed in, confirmed and ended by links in its mails.

An address counts when somebody has opened the link of a first mail and pressed its button: who types another's address
makes one mail, and no more than a few a day. A link is one subscription's and does nothing else, so it needs no
sign-in. Ending a subscription deletes the address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from edges.web.sign_in.credentials import new_credential

if TYPE_CHECKING:
    from datetime import datetime

    from edges.languages.catalogue import Language
    from edges.registry.tokens import Role
    from edges.web.database import Database
    from edges.web.identity import Identity
    from edges.web.sign_in.credentials import Credential

Topic: TypeAlias = Literal["summary", "badges"]

CONFIRM: Final = "/mail/confirm"
UNSUBSCRIBE: Final = "/mail/unsubscribe"
"""Addresses of the pages that links lead to; what follows is the credential."""
ASKED_A_DAY_MAX: Final = 5
"""First mails that somebody can have sent in a day, to whatever addresses."""

_FIND: Final = """
SELECT address, language, asked_at, confirmed_at, refused_at FROM mail_subscriptions
WHERE org_id = %s AND subject = %s AND topic = %s
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(org_id)s || %(subject)s, 8242))"
_ASKED: Final = """
SELECT count(*) FROM mail_outbox
WHERE org_id = %(org_id)s AND kind = 'confirm' AND subject = %(subject)s AND made_at > now() - interval '1 day'
"""
_KEEP: Final = """
UPDATE mail_subscriptions SET language = %(language)s
WHERE org_id = %(org_id)s AND subject = %(subject)s AND topic = %(topic)s AND address = %(address)s
AND confirmed_at IS NOT NULL AND refused_at IS NULL
RETURNING 1
"""
_FORGET: Final = """
DELETE FROM mail_subscriptions WHERE org_id = %(org_id)s AND subject = %(subject)s AND topic = %(topic)s
"""
_ASK: Final = """
INSERT INTO mail_subscriptions (org_id, subscription_id, subject, role, topic, address, language, secret)
VALUES (
    %(org_id)s, %(subscription_id)s, %(subject)s, %(role)s, %(topic)s, %(address)s, %(language)s, %(secret)s
)
"""
_FIRST_MAIL: Final = """
INSERT INTO mail_outbox (org_id, kind, subscription_id, about, subject)
VALUES (%(org_id)s, 'confirm', %(subscription_id)s, now()::text, %(subject)s)
"""
_BY_LINK: Final = """
SELECT topic, language, confirmed_at IS NOT NULL, (SELECT name FROM organisations WHERE org_id = %(org_id)s)
FROM mail_subscriptions
WHERE org_id = %(org_id)s AND subscription_id = %(subscription_id)s AND secret = %(secret)s
"""
_CONFIRM: Final = """
UPDATE mail_subscriptions SET confirmed_at = coalesce(confirmed_at, now())
WHERE org_id = %(org_id)s AND subscription_id = %(subscription_id)s AND secret = %(secret)s
RETURNING 1
"""
_END: Final = """
DELETE FROM mail_subscriptions
WHERE org_id = %(org_id)s AND subscription_id = %(subscription_id)s AND secret = %(secret)s
RETURNING 1
"""


class TooOften(Exception):  # noqa: N818  read as what is wrong
    """Somebody has had as many first mails as a day allows."""


class Subscription(NamedTuple):
    """What somebody is told by mail, and where."""

    address: str
    language: Language
    asked_at: datetime
    confirmed_at: datetime | None
    refused_at: datetime | None
    """When a mail server said that there is no such address."""


class Linked(NamedTuple):
    """What a link is about."""

    topic: Topic
    language: Language
    is_confirmed: bool
    organisation: str | None


def topic_of(role: Role) -> Topic:
    """Return what somebody of a role can be told: a mentor of his badges, others of the week."""
    return "badges" if role == "mentor" else "summary"


async def find_subscription(database: Database, identity: Identity) -> Subscription | None:
    """Return what somebody is told by mail; None: nothing. Raises DatabaseUnavailable."""
    values = [identity.org_id, identity.subject, topic_of(identity.role)]
    rows = await database.rows(identity.org_id, _FIND, values)
    return Subscription(*rows[0]) if rows else None


async def subscribe(database: Database, identity: Identity, address: str, language: Language) -> None:
    """Let somebody be told in a language, at an address that `read_address` has read.

    An address that he has confirmed stays so; another one, or one that he has not, gets a first mail.

    Raises:
        TooOften: nothing was changed.
        DatabaseUnavailable: nothing was changed.

    """
    credential = new_credential(identity.org_id)
    values = {
        "org_id": identity.org_id,
        "subject": identity.subject,
        "role": identity.role,
        "topic": topic_of(identity.role),
        "address": address,
        "language": language,
        "subscription_id": credential.credential_id,
        "secret": credential.secret,
    }
    async with database.acting_for(identity.org_id) as connection:
        await connection.execute(_LOCK, values)  # so that two requests at once do not both count the same mails
        if await (await connection.execute(_KEEP, values)).fetchall():
            return
        ((asked,),) = await (await connection.execute(_ASKED, values)).fetchall()
        if asked >= ASKED_A_DAY_MAX:
            raise TooOften
        await connection.execute(_FORGET, values)
        await connection.execute(_ASK, values)
        await connection.execute(_FIRST_MAIL, values)


async def unsubscribe(database: Database, identity: Identity) -> None:
    """End what somebody is told, and delete his address. Raises DatabaseUnavailable."""
    values = {"org_id": identity.org_id, "subject": identity.subject, "topic": topic_of(identity.role)}
    await database.rows(identity.org_id, f"{_FORGET} RETURNING 1", values)


async def find_by_link(database: Database, link: Credential) -> Linked | None:
    """Return what a link is about; None: it has ended, or never was one. Raises DatabaseUnavailable."""
    rows = await database.rows(link.org_id, _BY_LINK, _of_link(link))
    return Linked(*rows[0]) if rows else None


async def confirm_by_link(database: Database, link: Credential) -> bool:
    """Let an address count; whether there is such a subscription. Raises DatabaseUnavailable."""
    return bool(await database.rows(link.org_id, _CONFIRM, _of_link(link)))


async def end_by_link(database: Database, link: Credential) -> bool:
    """End a subscription and delete its address; whether there was one. Raises DatabaseUnavailable."""
    return bool(await database.rows(link.org_id, _END, _of_link(link)))


def _of_link(link: Credential) -> dict[str, object]:
    return {"org_id": link.org_id, "subscription_id": link.credential_id, "secret": link.secret}
