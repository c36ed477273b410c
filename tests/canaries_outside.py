"""What goes wrong at a mail server or a membership system that quotes what it was asked; the rest is in `canaries`.

What is kept of it (a mail's problem, a run's error, rows that are left) goes to standard output.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from uuid import UUID, uuid4

import psycopg

from edges.mail.metrics import MailHealth, MailState
from edges.mail.outbox import Mail, Outbox, Recipient
from edges.mail.relay import MailRelay
from edges.mail.server import ServerAway
from edges.reconciliation.endpoint import ASKED_ONCE, Patience
from edges.reconciliation.runs import Run, Source
from edges.reconciliation.store import RunStore
from edges.reconciliation.walk import Job, Walk
from local.parts.ports import free_ports
from process.settings import Settings
from tests.mail_server import Post, mail_server, settings_with

ADDRESS: Final = "canary.of.an.address@example.org"
SECRET: Final = b"canary-of-a-link-in-a-mail"
QUOTED: Final = "canary-of-a-member's-name"
IN_ADDRESSES: Final = "canary-of-a-page-token"
MEMBERS: Final = {
    path: str(UUID(int=0xC0DE << 96 | 0x4001 << 64 | 0x8000 << 48 | number, version=4))
    for number, path in enumerate(("row", "answer", "page", "store", "writing"))
}
CANARIES: Final = frozenset({ADDRESS, SECRET.decode(), QUOTED, IN_ADDRESSES, *MEMBERS.values()})

ORG: Final = str(UUID(int=0xA1DE << 96 | 1, version=4))
COLUMNS: Final = "member_id,referral_code,status,confirmed_at"


class OneMail:
    """An outbox with one mail, which shows what is noted of it."""

    def __init__(self, badge_name: Exception | str = "A badge") -> None:
        now = datetime.now(UTC)
        recipient = Recipient(ADDRESS, "en", MEMBERS["writing"], "mentor", "badges", SECRET, True, False)  # noqa: FBT003
        self._mail = Mail(
            ORG, str(uuid4()), "badge", str(uuid4()), "b", now - timedelta(hours=1), 0, now, recipient, None, "UTC"
        )
        self._badge_name = badge_name
        self.connection = self

    @asynccontextmanager
    async def taken(self, *_: str) -> AsyncIterator[Mail]:
        """Give the mail."""
        yield self._mail

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Do nothing."""
        yield

    async def badge_name(self, _: str) -> str:
        """Return it, or fail."""
        if isinstance(self._badge_name, Exception):
            raise self._badge_name
        return self._badge_name

    async def note_sent(self, _: Mail) -> None:
        """Do nothing."""

    async def note_later(self, _: Mail, wait: timedelta, problem: str) -> None:
        """Show it."""
        sys.stdout.write(f"later {wait} {problem}\n")

    async def note_gave_up(self, _: Mail, problem: str, **__: object) -> None:
        """Show it."""
        sys.stdout.write(f"gave up {problem}\n")


async def fail_in_mail(settings: Settings) -> None:
    """Be refused, put off, cut off and not let in, by a server that repeats address and text; fail to write one."""
    quotes = f"<{ADDRESS}> {MEMBERS['answer']} {QUOTED}"
    posts = (
        Post(refuses={ADDRESS: f"550 5.1.1 {quotes}"}),
        Post(refuses={ADDRESS: f"550 5.7.1 {quotes}: no relaying"}),
        Post(refuses_text=f"554 5.6.0 {quotes}"),
        Post(greylists=1),
        Post(dies="before taking"),
        Post(),
    )
    logging.getLogger("mail.log").disabled = True  # the server's own
    settings = settings.model_copy(update={"smtp_username": None, "smtp_password": None})
    state = MailState()
    for post in posts:
        with mail_server(post=post) as server:
            relay = MailRelay(settings_with(settings, server), state)
            fails = KeyError(f"{ADDRESS} {QUOTED}") if post is posts[-1] else "A badge"
            await relay._send_all(cast("Outbox", OneMail(fails)), [(ORG, "a mail")])  # noqa: SLF001 - without Postgres
    (port,) = free_ports(1)
    nobody = settings.model_copy(
        update={"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "mail_from": "a@example.org",
                "public_url": "https://refer.example.org"}
    )  # fmt: skip
    relay = MailRelay(nobody, state)
    try:
        await relay._send_all(cast("Outbox", OneMail()), [(ORG, "a mail")])  # noqa: SLF001 - the same
    except ServerAway as fault:
        state.note_away(str(fault))
    row = f"new row violates a constraint\nDETAIL:  Failing row contains ({ADDRESS}, {MEMBERS['store']}, {QUOTED})."
    relay._note_store_away(psycopg.errors.CheckViolation(row))  # noqa: SLF001 - as its loop does
    sys.stdout.write(f"{MailHealth(state).ready()}\n")


class Members(BaseHTTPRequestHandler):
    """A membership system that gives bad rows, and then a page that it cannot give, in a language of its own."""

    def do_GET(self) -> None:
        """Answer by the path."""
        path, _, query = self.path.partition("?")
        quotes = f'"{MEMBERS["answer"]} {QUOTED} {query}"'
        row = f'"member_id": "{MEMBERS["row"]} {QUOTED}", "status": {quotes}, "referral_code": {quotes}'
        following = f'"/broken?after={MEMBERS["page"]}&page_token={IN_ADDRESSES}"'
        answers = {
            "/rows": (200, f'{{"value": [{{{row}}}, {quotes}], "next": {following}}}'),
            "/broken": (500, quotes),
            "/refused": (403, quotes),
            "/gone": (404, quotes),
            "/no-json": (200, f"<p>{quotes}</p>"),
            "/elsewhere": (302, ""),
        }
        status, body = answers[path]
        self.send_response_only(status)
        if status == 302:
            self.send_header("Location", f"https://elsewhere.example.org/?token={IN_ADDRESSES}&of={MEMBERS['page']}")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
        """Say nothing."""


class NoCodes:
    """A store that knows no token, and every code."""

    def has_token(self, _: str) -> bool:
        """Return False."""
        return False

    def issued(self, _: str, codes: set[str]) -> set[str]:
        """Return all."""
        return codes


@contextmanager
def membership_system() -> Iterator[str]:
    """Run one for the body; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Members)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def fail_in_reconciliation(settings: Settings) -> None:
    """Read rows that cannot be used, from a file and from a system that fails in every way."""
    lines = [
        COLUMNS,
        f"{MEMBERS['row']} {QUOTED},ANNA000001,confirmed,2026-11-20",
        f"{MEMBERS['row']},{QUOTED},confirmed,2026-11-20",
        f"{MEMBERS['row']},ANNA000001,{QUOTED},2026-11-20",
        f"{MEMBERS['row']},ANNA000001,confirmed,{QUOTED}",
        f"{MEMBERS['row']},ANNA000001,confirmed,2026-11-20,{QUOTED},{QUOTED}",
        f'{MEMBERS["row"]},"{QUOTED}',
    ]
    _walk(Job(ORG, Source(kind="csv", url="members.csv"), lines=[f"{line}\n" for line in lines]), settings, ASKED_ONCE)
    with membership_system() as url:
        for path in ("rows", "broken", "refused", "gone", "no-json", "elsewhere"):
            address = f"{url}/{path}?$filter={MEMBERS['page']}&key={IN_ADDRESSES}"
            _walk(Job(ORG, Source(kind="json", url=address)), settings, Patience(2, 1))


def _walk(job: Job, settings: Settings, patience: Patience) -> None:
    run = Run(org_id=ORG, source=job.source.kind, since=None, until=None)
    walk = Walk(job, run, settings, cast("RunStore", cast("Any", NoCodes())), patience=patience)
    try:
        while walk._fault is None and not walk._at_end:  # noqa: SLF001 - as `settle` asks
            walk.gather(1)
        run.error = str(walk._fault)  # noqa: SLF001 - the same
    finally:
        walk.close()
    sys.stdout.write(f"run {run.error} {run.incomplete} {[row[:2] for row in run.rows_left]}\n")
