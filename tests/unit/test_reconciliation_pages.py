"""Pages of a membership system, from a real server on loopback that pages, refuses, stalls, breaks and never ends."""

from __future__ import annotations

import email.utils
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edges.reconciliation import endpoint as endpoint_module
from edges.reconciliation.address import origin_of
from edges.reconciliation.endpoint import ASKED_ONCE, ATTEMPTS, LOOKING, Endpoint, Patience
from edges.reconciliation.errors import BadSource, PageGone, SourceBusy, SourceFailed
from edges.reconciliation.mapping import Reading
from edges.reconciliation.members import MemberReader
from edges.reconciliation.pages import csv_pages, first_url, json_pages
from edges.reconciliation.verdicts import BadRow
from tests.membership_system import Answer, MembershipSystem, running_membership_system

TOKEN = "a token"  # noqa: S105 - it opens nothing


@pytest.fixture
def system() -> Iterator[MembershipSystem]:
    """Give a membership system with 25 members in pages of ten."""
    with running_membership_system() as running:
        running.rows = [{"member_id": number} for number in range(25)]
        running.page_rows = 10
        yield running


class Asking:
    """Asks a system for all its pages, and notes the pauses instead of making them."""

    def __init__(self, system: MembershipSystem, **options: Any) -> None:  # noqa: ANN401  the endpoint's
        self.url = system.url
        self.pauses_s: list[float] = []
        self._options = options
        self._pages_max = options.pop("pages_max", 100)

    def rows(self, url: str | None = None) -> list[object]:
        """Return the contents of every row."""
        with Endpoint(self.url, token=TOKEN, headers={}, sleep=self.pauses_s.append, **self._options) as endpoint:
            pages = json_pages(endpoint, url or self.url, pages_max=self._pages_max)
            return [row.content for page in pages for row in page.rows]


def page(rows: list[Any], **more: object) -> Answer:
    """Return a page as OData has it."""
    return Answer(body=json.dumps({"value": rows, **more}).encode())


# -- pages ------------------------------------------------------------------------------------------------------


def test_every_page_is_read(system: MembershipSystem) -> None:
    """The links are followed to the last page, with the token; a row is named by its page and number."""
    system.token = TOKEN
    assert Asking(system).rows() == system.rows
    with Endpoint(system.url, token=TOKEN, headers={}) as endpoint:
        pages = list(json_pages(endpoint, system.url))
    assert [each.next_url for each in pages] == [f"{system.url}?from=10", f"{system.url}?from=20", None]
    assert [each.is_last for each in pages] == [False, False, True]
    assert pages[1].rows[0].place == "page 2, row 1"


@pytest.mark.parametrize(
    "first",
    [
        Answer(body=b"[1]", headers={"Link": '<?from=20>; rel="next", <?from=0>; rel="first"'}),
        Answer(body=b'{"items": [1], "next": "?from=20"}'),
        Answer(body=b'{"results": [1], "next": {"href": "/members?from=20#fragment"}}'),
        Answer(body=b'\xef\xbb\xbf{"data": [1], "links": {"next": "/members?from=20"}}'),
        Answer(body=b'{"members": [1], "_links": {"next": {"href": "?from=20"}}, "next": null}'),
        Answer(301, headers={"Location": "/members?from=20"}),
    ],
)
def test_where_the_next_page_is(system: MembershipSystem, first: Answer) -> None:
    """Lists, lists in objects, links in bodies, links in headers, and redirects are understood."""
    system.script = [first]
    rows = Asking(system).rows()
    assert rows == [*([1] if first.body else []), *system.rows[20:]]
    assert system.asked == ["/members", "/members?from=20"]


def test_since_is_put_in() -> None:
    """The time stands where the address asks for it; all are asked for by a time before all."""
    assert first_url("https://h/m?$filter=x ge {since}", None) == "https://h/m?$filter=x ge 1970-01-01T00%3A00%3A00Z"
    assert first_url("https://h/m", None) == "https://h/m"


def test_an_address_is_asked_as_it_stands(system: MembershipSystem) -> None:
    """A filter with spaces and quotes, as OData has it, arrives as what it is."""
    Asking(system).rows(first_url(f"{system.url}?$filter=createdon ge {{since}} and type eq 'a'", None))
    (asked, *_) = system.asked
    assert unquote(asked) == "/members?$filter=createdon ge 1970-01-01T00:00:00Z and type eq 'a'"


# -- patience ---------------------------------------------------------------------------------------------------


def test_asked_again_until_it_answers(system: MembershipSystem) -> None:
    """What may pass is asked again, after pauses that double, or as long as Retry-After asks."""
    in_40_s = email.utils.format_datetime(email.utils.localtime())
    system.script = [
        Answer(503),
        Answer(500),
        Answer(429, headers={"Retry-After": "7"}),
        Answer(429, headers={"Retry-After": in_40_s}),
        Answer(502, headers={"Retry-After": "soon"}),
    ]
    asking = Asking(system)
    assert asking.rows() == system.rows
    assert asking.pauses_s[:3] == [0.5, 1.0, 7.0]
    assert asking.pauses_s[3] <= 1.0
    assert asking.pauses_s[4:] == [8.0]


def test_given_up_in_the_end(system: MembershipSystem) -> None:
    """A system that stays down is asked so many times and no more, and the error names the page without its query."""
    system.always = Answer(500)
    asking = Asking(system)
    with pytest.raises(SourceFailed, match=r"/members: answered 500, 8 times$"):
        asking.rows(f"{system.url}?member=secret")
    assert len(system.asked) == ATTEMPTS == len(asking.pauses_s) + 1


@pytest.mark.parametrize("patience", [ASKED_ONCE, LOOKING])
def test_who_looks_on_does_not_wait_for_an_address_that_cannot_be_reached(patience: Patience) -> None:
    """It is named after one attempt, by `reconcile configure` and in a dry run."""
    with running_membership_system() as gone:
        asking = Asking(gone, patience=patience)
    with pytest.raises(SourceFailed, match=r"/members: no connection \(.*\)$"):
        asking.rows()
    assert asking.pauses_s == []


@pytest.mark.parametrize(("patience", "asked"), [(ASKED_ONCE, 1), (LOOKING, ATTEMPTS)])
def test_a_system_that_answers_is_asked_again_in_a_dry_run(
    system: MembershipSystem, patience: Patience, asked: int
) -> None:
    """What is down for a moment is no reason to end a dry run; `configure` wants one page, and asks for it once."""
    system.always = Answer(503)
    asking = Asking(system, patience=patience)
    with pytest.raises(SourceFailed, match=r"answered 503"):
        asking.rows()
    assert len(system.asked) == asked


def test_who_wants_long_peace_gets_it(system: MembershipSystem) -> None:
    """A system that asks for an hour is not waited for here: it is come back to."""
    system.always = Answer(429, headers={"Retry-After": "3600"})
    with pytest.raises(SourceBusy, match="answered 429, and asks for 3600 s") as busy:
        Asking(system).rows()
    assert busy.value.pause_s == 3600
    assert len(system.asked) == 1


@pytest.mark.parametrize("zone", ["+0000", "-0000", "GMT"])
def test_peace_until_a_date(system: MembershipSystem, zone: str) -> None:
    """A date is UTC's whatever this machine's zone is, also where nothing is known of where it is from."""
    until = datetime.now(UTC) + timedelta(seconds=400)
    system.always = Answer(503, headers={"Retry-After": f"{until:%a, %d %b %Y %H:%M:%S} {zone}"})
    with pytest.raises(SourceBusy) as busy:
        Asking(system).rows()
    assert 390 < busy.value.pause_s <= 400


def test_silence_and_lost_connections_are_asked_again(
    system: MembershipSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that says nothing for too long, or stops in the middle, is asked again."""
    monkeypatch.setattr(endpoint_module, "TIMEOUT", httpx.Timeout(0.2))
    asking = Asking(system)
    silent = Answer(body=iter(lambda: time.sleep(1.0) or b"", None))  # type: ignore[func-returns-value]  # None is false
    system.script = [silent, Answer(body=b'{"val', headers={"Content-Length": "100"})]
    assert asking.rows() == system.rows
    assert len(asking.pauses_s) == 2


def test_a_certificate_that_is_not_trusted_is_said(tmp_path: Path) -> None:
    """Https is to somebody: a certificate that nobody trusted has signed ends it, and the token is not sent."""
    with running_membership_system(certificate=self_signed(tmp_path)) as system:
        with pytest.raises(SourceFailed, match="certificate"):
            Asking(system).rows()
        assert system.url.startswith("https://127.0.0.1:")
        assert system.asked == []


def self_signed(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1, and return the file with it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    file = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return file


# -- bounds -----------------------------------------------------------------------------------------------------


def test_an_answer_too_large_ends_it(system: MembershipSystem) -> None:
    """No more is read than is allowed, however much comes."""
    system.always = Answer(body=(b"x" * 1000 for _ in count()))
    with pytest.raises(SourceFailed, match="larger than 5,000 bytes"):
        Asking(system, answer_bytes_max=5_000).rows()


def test_a_trickle_ends_too(system: MembershipSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never stops coming, byte by byte, is given up."""
    monkeypatch.setattr(endpoint_module, "ANSWER_S_MAX", 0.1)
    system.always = Answer(body=iter(lambda: time.sleep(0.02) or b" ", None))  # type: ignore[func-returns-value]  # None is false
    with pytest.raises(SourceFailed, match="took longer than"):
        Asking(system).rows()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"value": [', "page 1 is not JSON"),
        (b'{"value": "\xff"}', "neither a list nor an object"),
        (b"[" * 100_000, "page 1 is not JSON"),
        (b"<html>", "page 1 is not JSON"),
        (b"17", "neither a list nor an object"),
        (b'{"error": []}', "neither a list nor an object"),
    ],
)
def test_what_is_no_page_ends_it(system: MembershipSystem, body: bytes, fault: str) -> None:
    """Broken JSON and other documents are told apart from an empty list."""
    system.always = Answer(body=body)
    with pytest.raises(SourceFailed, match=fault):
        Asking(system).rows()


@pytest.mark.parametrize(
    "script",
    [
        [page([1], next="/members")],
        [page([1], next="/members?b"), page([2], next="/members")],
        [page([], next=f"/members?{number}") for number in range(9)],
    ],
)
def test_a_list_that_never_ends_is_noticed(system: MembershipSystem, script: list[Answer]) -> None:
    """Links in a circle, and links without end."""
    system.script = script
    with pytest.raises(SourceFailed, match="does not end"):
        Asking(system, pages_max=5).rows()


def test_links_that_do_not_lead_on_are_noticed(system: MembershipSystem) -> None:
    """A server that ignores which page is asked for gives the first one without end."""
    system.script = [page([{"member_id": 1}], next=f"/members?page={number}") for number in range(9)]
    with pytest.raises(SourceFailed, match="page 2 says what page 1 said"):
        Asking(system).rows()


# -- where it goes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Answer(302, headers={"Location": "{other}"}),
        Answer(200, b'{"value": [], "next": "{other}"}'),
        Answer(200, b"[]", {"Link": '<{other}>; rel="next"'}),
        Answer(302, headers={"Location": "file:///etc/passwd"}),
        Answer(200, b'{"value": [], "next": "http://[broken"}'),
    ],
)
def test_no_link_leads_away(system: MembershipSystem, answer: Answer) -> None:
    """A redirect or a next page at another origin, another port included, is not asked, and gets no token."""
    with running_membership_system() as other:
        headers = {name: value.replace("{other}", other.url) for name, value in answer.headers.items()}
        assert isinstance(answer.body, bytes)
        system.script = [Answer(answer.status, answer.body.replace(b"{other}", other.url.encode()), headers)]
        with pytest.raises(SourceFailed, match="leads away"):
            Asking(system).rows()
        assert other.asked == []


def test_redirects_end(system: MembershipSystem) -> None:
    """A redirect to itself is followed a few times."""
    system.always = Answer(302, headers={"Location": "/members"})
    with pytest.raises(SourceFailed, match="more than 5 redirects"):
        Asking(system).rows()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://crm.example/members", "give https"),
        ("http://10.0.0.1/members", "give https"),
        ("https://user:hidden@crm.example/members", "leave it out"),
        ("ftp://crm.example/members", "no web address"),
        ("https:///members", "no web address"),
        ("https://crm.example:port/", "cannot be read"),
        ("file:///etc/passwd", "no web address"),
    ],
)
def test_addresses_that_may_not_be_asked(url: str, fault: str) -> None:
    """Https anywhere, http on this machine only, and no password in an address."""
    with pytest.raises(BadSource, match=fault) as error:
        origin_of(url)
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize("url", ["https://crm.example", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost"])
def test_addresses_that_may_be_asked(url: str) -> None:
    """Loopback is this machine under any of its names."""
    assert origin_of(url).host


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_page_that_is_gone_is_told_apart(system: MembershipSystem, status: int) -> None:
    """So that a run can begin again when the page it was at is no longer kept."""
    system.always = Answer(status)
    with pytest.raises(PageGone):
        Asking(system).rows()
    assert len(system.asked) == 1


def test_a_refused_token_is_said(system: MembershipSystem) -> None:
    """What opens the system is the first thing to look at."""
    system.token = "another"  # noqa: S105 - it opens nothing
    with pytest.raises(SourceFailed, match="answered 401; give what opens it"):
        Asking(system).rows()


def test_addresses_are_not_logged(system: MembershipSystem, caplog: pytest.LogCaptureFixture) -> None:
    """What follows the path may name a member; the HTTP library would log it."""
    caplog.set_level(logging.INFO)
    Asking(system).rows(f"{system.url}?member=secret")
    assert "secret" not in caplog.text


# -- CSV --------------------------------------------------------------------------------------------------------


def csv_rows(text: str) -> dict[str, object]:
    """Return the rows of a CSV file by their places."""
    pages = csv_pages(iter(text.splitlines(keepends=True)), "members.csv", MemberReader(Reading()))
    return {row.place: row.content for each in pages for row in each.rows}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(separator: str) -> None:
    """The header says how fields are separated; a row is named by its line."""
    lines = ["Member ID,Referral Code,Confirmed At", '1,"two\nlines",3', "", "4,5"]
    text = "\n".join(lines).replace(",", separator)
    rows = csv_rows(text)
    assert rows["members.csv:3"] == {"Member ID": "1", "Referral Code": "two\nlines", "Confirmed At": "3"}
    assert str(rows["members.csv:5"]) == "ends before Confirmed At"
    assert len(rows) == 2


def test_csv_bad_rows_are_named_and_the_rest_goes_on() -> None:
    """A row with too many fields would be read in the wrong columns; a quote never closed costs its own line."""
    rows = csv_rows("member_id,referral_code,confirmed_at\n1,2,3,4\n5,6,7\n" + '"' + "x\n" * 5_000 + "8,9,10\n")
    assert rows["members.csv:5004"] == {"member_id": "8", "referral_code": "9", "confirmed_at": "10"}
    assert isinstance(rows["members.csv:2"], BadRow)
    assert rows["members.csv:3"] == {"member_id": "5", "referral_code": "6", "confirmed_at": "7"}
    assert any("no row of CSV" in str(row) for row in rows.values())


def test_csv_without_a_column_that_every_member_needs() -> None:
    """The error names the field and how to say what it is called."""
    with pytest.raises(
        SourceFailed, match=r"no column for member_id, referral_code, confirmed_at; .* --field member_id=COLUMN"
    ):
        csv_rows("name;registered_at\n")
    with pytest.raises(SourceFailed, match="no column"):
        csv_rows("")
