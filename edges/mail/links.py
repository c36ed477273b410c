"""The links in a letter: to the pages, at the place that is spoken of; what confirms a subscription, what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edges.web.mail_subscriptions import CONFIRM, UNSUBSCRIBE
from edges.web.sign_in.credentials import Credential

if TYPE_CHECKING:
    from datetime import date


class Links:
    """Where things are, for people who reach the HTTP side at an address."""

    def __init__(self, public_url: str) -> None:
        self.base = public_url.rstrip("/")

    def period(self, first: date, last: date) -> str:
        """Return the dashboard, at a period."""
        return f"{self.base}/dashboard?from={first}&to={last}"

    def reached(self, first: date, last: date) -> str:
        """Return the list of what was just reached."""
        return f"{self.period(first, last)}#activity"

    def list(self, name: str, first: date, last: date) -> str:
        """Return one of the lists of who needs help, by the end of its address in the API."""
        return f"{self.period(first, last)}&list={name}#help"

    def mentor(self, mentor_id: str) -> str:
        """Return a mentor's page, for a coordinator."""
        return f"{self.base}/me#mentor={mentor_id}"

    @property
    def own_page(self) -> str:
        """A mentor's page, for himself."""
        return f"{self.base}/me"

    def confirm(self, org_id: str, subscription_id: str, secret: bytes) -> str:
        """Return the page that confirms a subscription."""
        return f"{self.base}{CONFIRM}/{Credential(org_id, subscription_id, secret).text}"

    def unsubscribe(self, org_id: str, subscription_id: str, secret: bytes) -> str:
        """Return the page that ends a subscription, at once where a mail program posts to it."""
        return f"{self.base}{UNSUBSCRIBE}/{Credential(org_id, subscription_id, secret).text}"
