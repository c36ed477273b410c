"""What may be said of a membership system, and how a mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from edges.reconciliation.configuring import check_fields, check_statuses, check_url, read_pairs, token_from
from edges.reconciliation.errors import BadSource
from edges.reconciliation.runs import Kind, Source


def test_pairs() -> None:
    """The first equals sign separates; a name of theirs may hold another."""
    assert read_pairs(["member_id = id", "status=a=b"], option="--field") == {"member_id": "id", "status": "a=b"}
    assert check_statuses({"Aktiv": "confirmed"}) == {"aktiv": "confirmed"}
    assert check_fields({"withdrawn_at": "endedon"}) == {"withdrawn_at": "endedon"}


@pytest.mark.parametrize("pair", ["member_id", "member_id=", "=id", ""])
def test_what_is_no_pair(pair: str) -> None:
    """Name and value are both needed."""
    with pytest.raises(BadSource, match="give NAME=VALUE"):
        read_pairs([pair], option="--field")


def test_names_that_there_are_not() -> None:
    """A misspelt name of ours would silently be ignored."""
    with pytest.raises(BadSource, match="no such field; give one of member_id"):
        check_fields({"memberid": "id"})
    with pytest.raises(BadSource, match="one of confirmed, withdrawn, pending"):
        check_statuses({"1": "active"})


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
