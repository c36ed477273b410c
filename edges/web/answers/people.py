"""Signing in, and the mail that somebody wants."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from edges.web.answers.answer import Answer


class SignInWays(Answer, frozen=True, kw_only=True):
    """How people sign in here, beside links that sign in once."""

    provider: str | None
    """What the identity provider is called; null: there is none."""
    by_mail: bool
    """Whether who has confirmed a mail address can have a link sent there."""


class Asked(Answer, frozen=True, kw_only=True):
    """What was asked for is done if it can be; whether it could is told to nobody who is not signed in."""

    address: str
    """As it was understood."""


class SignedIn(Answer, frozen=True, kw_only=True):
    """Who is signed in."""

    org_id: str
    subject: str
    """Of a mentor his id; of others what the provider, the link or the token calls them."""
    role: Literal["mentor", "coordinator", "org_admin", "onboarding"]
    expires_at: datetime
    """When it ends."""
    by_session: bool
    """False: a bearer token came with the request."""


class MailWish(Answer, frozen=True, kw_only=True):
    """What somebody is told by mail, and where."""

    is_sent: bool
    """Whether this installation sends mail."""
    topic: Literal["summary", "badges"]
    """What he can be told: a mentor of his badges, others each week of the organisation."""
    address: str | None
    """Where; null: he is told nothing."""
    language: str | None
    """Of the mails: en, nb."""
    asked_at: datetime | None
    confirmed_at: datetime | None
    """When somebody pressed the button that the first mail leads to; null: nothing is sent before."""
    refused_at: datetime | None
    """When a mail server said that there is no such address; null: none has."""
