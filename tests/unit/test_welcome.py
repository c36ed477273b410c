"""The welcome page as it is sent: made by the server, so that it needs no script."""

from __future__ import annotations

import pytest

from edges.languages.catalogue import Language
from edges.web.assets import load_assets
from edges.web.welcome import Invitation, welcome_page

CODE = "7KQ2M9XW4T"


def page_of(invitation: Invitation | None, query: str = "", language: Language = "en") -> str:
    """Return the page."""
    return welcome_page(load_assets().page("welcome", language), language, invitation, query).content.decode()


@pytest.mark.parametrize("language", ["en", "nb"])
def test_it_names_the_organisation_and_leads_on(language: Language) -> None:
    """With the code in the text, and in the address that it leads on to."""
    onward = f"https://alder.example/join?a=1&ref={CODE}&c=sms"
    page = page_of(Invitation(CODE, "Alder & Co", onward), language=language)
    assert page.count("Alder &amp; Co") == 4, "title, heading, advice and the way on"
    assert f'id="code">{CODE}</p>' in page
    assert 'href="https://alder.example/join?a=1&amp;ref=7KQ2M9XW4T&amp;c=sms"' in page
    assert 'id="no-code"' not in page


def test_without_a_name_or_a_page_of_its_own() -> None:
    """The code is shown all the same, and nothing leads nowhere."""
    page = page_of(Invitation(CODE))
    assert f'id="code">{CODE}</p>' in page
    assert "<h1>Welcome</h1>" in page
    assert 'class="button primary"' not in page


def test_without_a_code() -> None:
    """It says what to do."""
    page = page_of(None)
    assert 'id="no-code"' in page
    assert 'id="code"' not in page
    assert "{" not in page.partition("<body>")[2]


def test_another_language_keeps_the_code() -> None:
    """Without a script too; and what a stranger puts into the address is text."""
    page = page_of(Invitation(CODE), f'ref={CODE}&c=sms&language=xx&"><script>=1')
    assert f'href="?ref={CODE}&amp;c=sms&amp;%22%3E%3Cscript%3E=1&amp;language=nb"' in page
    assert "<script>=" not in page
    name = "<img src=x onerror=alert(1)>"
    assert name not in page_of(Invitation(CODE, name, f"https://a.example/?ref={CODE}"))
