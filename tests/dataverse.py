"""A Dataverse environment and the Entra tenant before it, on loopback: what Microsoft documents of both, and no more.

- tokens: client credentials (v2.0 endpoint), `scope` the environment's `/.default`, answers with `expires_in`, refusals
  with `error` and an AADSTS code (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow);
- pages: `Prefer: odata.maxpagesize`, `@odata.nextLink` with a paging cookie (.../webapi/query/page-results);
- changes: `Prefer: odata.track-changes`, `@odata.deltaLink`, deleted rows as `$deletedEntity`, and none of it beside
  `$filter` (.../use-change-tracking-synchronize-data-external-systems);
- limits: 429 with `Retry-After` (.../data-platform/api-limits), asked for by the test.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

CONTACTS: Final = "/api/data/v9.2/contacts"
TOKEN: Final = "/tenant/oauth2/v2.0/token"  # noqa: S105  a path
CLIENT_ID: Final = "5f2b1c3d-0000-4000-8000-00000000c11e"
SECRET: Final = "s3cr~t.value"  # noqa: S105  it opens nothing
PAGE_ROWS_MAX: Final = 5_000


@dataclass
class Refusal:
    """An answer that is given instead of a page."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


class Dataverse:
    """What the environment has and what it was asked."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.url = self.origin + CONTACTS
        self.token_url = self.origin + TOKEN
        self.rows: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        """What a delta link leads to, after the first one was given."""
        self.page_rows_max = PAGE_ROWS_MAX
        self.token_uses = 1_000_000
        """Requests that a token is good for; then it has ended."""
        self.expires_in: object = 3599
        self.refusals: dict[int, Refusal] = {}
        """By the number of the request for a page, counted from 1."""
        self.token_refusals: list[Refusal] = []
        self.is_delta_kept = True
        self.granted = 0
        self.asked: list[str] = []
        """Path and query of each request for a page that was let in."""
        self.preferred: list[str] = []
        self._uses: dict[str, int] = {}

    def grant(self, form: dict[str, list[str]]) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Answer a request for a token."""
        if self.token_refusals:
            refusal = self.token_refusals.pop(0)
            return refusal.status, refusal.headers, {}
        if form.get("grant_type") != ["client_credentials"] or form.get("client_id") != [CLIENT_ID]:
            return (
                400,
                {},
                {"error": "unauthorized_client", "error_description": "AADSTS700016: Application not found."},
            )
        if form.get("client_secret") != [SECRET]:
            described = (
                "AADSTS7000215: Invalid client secret provided for app 'a name that nobody is to read in a log'."
            )
            return 401, {}, {"error": "invalid_client", "error_description": described}
        if form.get("scope") != [f"{self.origin}/.default"]:
            return (
                400,
                {},
                {"error": "invalid_scope", "error_description": "AADSTS70011: The provided value is not valid."},
            )
        self.granted += 1
        token = f"eyJ0.{self.granted}"
        self._uses[token] = 0
        return 200, {}, {"token_type": "Bearer", "expires_in": self.expires_in, "access_token": token}

    def answer(self, target: str, headers: Any) -> tuple[int, dict[str, str], dict[str, Any]]:  # noqa: ANN401  a message
        """Answer a request for contacts."""
        token = (headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in self._uses or self._uses[token] >= self.token_uses:
            return 401, {"WWW-Authenticate": "Bearer authorization_uri=..."}, {}
        self._uses[token] += 1
        self.asked.append(target)
        self.preferred.append(headers.get("Prefer") or "")
        if refusal := self.refusals.pop(len(self.asked), None):
            return refusal.status, refusal.headers, {"error": {"code": "0x80072322", "message": "limit"}}
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        preferences = [each.strip() for each in (headers.get("Prefer") or "").split(",")]
        tracks = "odata.track-changes" in preferences
        if tracks and "$filter" in query:
            return 400, {}, {"error": {"code": "0x0", "message": "$filter is not supported with change tracking"}}
        size = next(
            (int(each.partition("=")[2]) for each in preferences if each.startswith("odata.maxpagesize=")), 5_000
        )
        return self._page(query, min(size, self.page_rows_max), tracks=tracks)

    def _page(self, query: dict[str, str], size: int, *, tracks: bool) -> tuple[int, dict[str, str], dict[str, Any]]:
        is_delta = "$deltatoken" in query
        if is_delta and not self.is_delta_kept:
            return 410, {}, {"error": {"code": "0x80044352", "message": "Version stamp has expired."}}
        rows = self.changes if is_delta else self.rows
        if since := query.get("$filter", "").removeprefix("modifiedon ge "):
            rows = [row for row in rows if row["modifiedon"] >= since]
        cookie = unquote(query.get("$skiptoken", ""))
        start = int(cookie.removeprefix('<cookie pagenumber="').removesuffix('"/>')) if cookie else 0
        page: dict[str, Any] = {
            "@odata.context": f"{self.origin}/api/data/v9.2/$metadata#contacts{'/$delta' if is_delta else ''}",
            "value": rows[start : start + size],
        }
        if start + size < len(rows):
            kept = "".join(f"{name}={quote(value, safe='$')}&" for name, value in query.items() if name != "$skiptoken")
            cookie = quote(quote(f'<cookie pagenumber="{start + size}"/>'))
            page["@odata.nextLink"] = f"{self.url}?{kept}$skiptoken={cookie}"
        elif tracks or is_delta:
            page["@odata.deltaLink"] = f"{self.url}?$deltatoken=919042%2108%2f22%2f2026"
        return 200, {"Preference-Applied": f"odata.maxpagesize={size}"}, page


@contextmanager
def running_dataverse() -> Iterator[Dataverse]:
    """Run one on a free port for the body."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    dataverse = Dataverse(server.server_address[1])
    server.dataverse = dataverse  # type: ignore[attr-defined]  # how the handler finds it
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    serving.start()
    try:
        yield dataverse
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer a request for contacts."""
        self._answer(*self._dataverse.answer(self.path, self.headers))

    def do_POST(self) -> None:
        """Answer a request for a token."""
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(*(self._dataverse.grant(parse_qs(form)) if self.path == TOKEN else (404, {}, {})))

    @property
    def _dataverse(self) -> Dataverse:
        found: Dataverse = self.server.dataverse  # type: ignore[attr-defined]  # see above
        return found

    def _answer(self, status: int, headers: dict[str, str], body: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; odata.metadata=minimal", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
