"""What may be said of a membership system, and how a mistake is named."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from edges.reconciliation.configuring import check_url, read_interval, read_pairs, token_from
from edges.reconciliation.errors import BadSource
from edges.reconciliation.mapping import Reading
from edges.reconciliation.oauth import Client, of_tenant
from edges.reconciliation.runs import Kind, Source


def test_pairs() -> None:
    """The first equals sign separates; a name of theirs may hold another."""
    assert read_pairs(["member_id = id", "status=a=b"], option="--field") == {"member_id": "id", "status": "a=b"}
    Reading(fields={"withdrawn_at": "endedon"}, statuses={"aktiv": "confirmed"}, marks={"merged": "left_out"}).check()


def test_intervals() -> None:
    """Minutes, hours, days."""
    assert [read_interval(each) for each in ("1m", "90m", " 6H", "2d", "365d")] == [
        timedelta(minutes=1), timedelta(minutes=90), timedelta(hours=6), timedelta(days=2), timedelta(days=365),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["0m", "15", "m", "-5m", "1.5h", "15 m", "366d", "999999d", "15min", "*/10"])
def test_what_is_no_interval(text: str) -> None:
    """Said with an example; less than a minute is none."""
    with pytest.raises(BadSource, match="give minutes, hours or days, 15m, 6h or 2d; at least 1m"):
        read_interval(text)


@pytest.mark.parametrize("pair", ["member_id", "member_id=", "=id", ""])
def test_what_is_no_pair(pair: str) -> None:
    """Name and value are both needed."""
    with pytest.raises(BadSource, match="give NAME=VALUE"):
        read_pairs([pair], option="--field")


def test_names_that_there_are_not() -> None:
    """A misspelt name of ours would silently be ignored."""
    with pytest.raises(BadSource, match="no such field; give one of member_id"):
        Reading(fields={"memberid": "id"}).check()
    with pytest.raises(BadSource, match="one of confirmed, withdrawn, pending"):
        Reading(statuses={"1": "active"}).check()
    with pytest.raises(BadSource, match="one of withdrawn, left_out, ignored"):
        Reading(marks={"merged": "yes"}).check()


@pytest.mark.parametrize(
    ("times", "zone", "fault"),
    [
        ("%d.%m.%Y", "Europe/Nowhere", "no such time zone"),
        ("", "../etc/passwd", "no such time zone"),
        ("", "+99:99", "no such time zone"),
        ("epoch", "", "--times epoch: give seconds"),
        ("%c", "", "give seconds"),
        ("%H:%M", "", "give seconds"),
    ],
)
def test_times_that_cannot_be_read(times: str, zone: str, fault: str) -> None:
    """A pattern needs day and month, and nothing that a language decides."""
    with pytest.raises(BadSource, match=fault):
        Reading(times=times, zone=zone).check()


def test_whom_a_tenant_asks_for_tokens() -> None:
    """Microsoft Entra's address, and the environment that the list is in as the scope."""
    client = of_tenant("alder.onmicrosoft.com", "abc", "https://alder.crm4.dynamics.com/api/data/v9.2/contacts?x=1")
    assert client == Client(
        token_url="https://login.microsoftonline.com/alder.onmicrosoft.com/oauth2/v2.0/token",  # noqa: S106  an address
        client_id="abc",
        scope="https://alder.crm4.dynamics.com/.default",
    )
    with pytest.raises(BadSource, match="--tenant"):
        of_tenant("../evil", "abc", "https://h/")


@pytest.mark.parametrize(
    ("kind", "url", "fault"),
    [
        ("json", "/members.json", "no web address"),
        ("csv", "members.csv", "not an absolute path"),
        ("csv", "http://crm.example/members.csv", "give https"),
        ("odata", "http://crm.example/contacts", "give https"),
    ],
)
def test_addresses_that_cannot_be_asked(kind: Kind, url: str, fault: str) -> None:
    """The kind says what an address may be."""
    with pytest.raises(BadSource, match=fault):
        check_url(Source(kind=kind, url=url))


def test_addresses_that_can_be_asked(tmp_path: Path) -> None:
    """A file need not be there yet."""
    for kind, url in (("csv", str(tmp_path / "members.csv")), ("csv", "https://h/m.csv"), ("json", "https://h/m")):
        check_url(Source(kind=kind, url=url))  # type: ignore[arg-type]  # both are kinds


@pytest.mark.parametrize("held", ["", "  ", "two words", "zwölf", "a\nb"])
def test_tokens_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, held: str) -> None:
    """A header takes one word; the message does not hold it."""
    monkeypatch.setenv("CRM_TOKEN", held)
    with pytest.raises(BadSource, match="CRM_TOKEN") as error:
        token_from("CRM_TOKEN")
    assert not held.strip() or held not in str(error.value)


def test_tokens_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line end of a file is none of the token's."""
    monkeypatch.setenv("CRM_TOKEN", "eyJ.a-b_c=\n")
    assert token_from("CRM_TOKEN") == "eyJ.a-b_c="
