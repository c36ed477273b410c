"""The welcome page: where links lead whose organisation has no page of its own, and those that are nobody's.

It is made here and not by a script, so it names the organisation and keeps the code in every browser, and what it shows
is what a script would. Whose a code is says a stranger's link as well: it tells no more than where it leads.

Failure handling: while Postgres is away the code is shown all the same, without a name.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from edges.languages.catalogue import text
from edges.web.assets import Asset, pack
from edges.web.clicks.landing import WELCOME, LookupFailed
from edges.web.clicks.parameters import CODE, QUERY_BYTES_MAX, read_query
from edges.web.database import DatabaseUnavailable
from models.codes import normalise_code
from models.errors import BadCode

if TYPE_CHECKING:
    from edges.languages.catalogue import Language
    from edges.web.services import Services

_NAME: Final = "SELECT name FROM organisations WHERE org_id = %s"


class Invitation(NamedTuple):
    """What a link brings."""

    code: str
    organisation: str | None = None
    """What it is called; None: nobody has said so, the code is not known, or it cannot be found out now."""
    leads_to: str | None = None
    """The organisation's own page, with code and channel; None: it has none."""


async def find_invitation(services: Services, query: str) -> Invitation | None:
    """Return what the query of the page's address brings; None where there is nothing in it that can be a code."""
    try:
        code = normalise_code(dict(parse_qsl(query[:QUERY_BYTES_MAX])).get(CODE, ""))
    except BadCode:
        return None
    try:
        landing = await services.landings.find(code)
        if landing is None:
            return Invitation(code)
        ((name,),) = await services.database.rows(landing.org_id, _NAME, [landing.org_id])
    except (LookupFailed, DatabaseUnavailable):
        return Invitation(code)
    if landing.before.startswith(f"{WELCOME}?"):
        return Invitation(code, name)
    settings = services.settings
    said = read_query(query, channels=settings.channels, own=landing.own, passed=settings.landing_parameters)
    return Invitation(code, name, landing.address(code, said.passed))


def welcome_page(template: Asset, language: Language, invitation: Invitation | None, query: str) -> Asset:
    """Return the page for what a link brings; the ways to other languages keep the query."""
    name = None if invitation is None else invitation.organisation
    heading = text(language, "welcome.title") if name is None else text(language, "welcome.to", name=name)
    body = _nothing(language) if invitation is None else _invitation(language, invitation)
    kept = urlencode([(key, value) for key, value in parse_qsl(query[:QUERY_BYTES_MAX]) if key != "language"])
    page = template.content.decode().replace("{heading}", escape(heading))
    page = page.replace('href="?language=', f'href="?{escape(kept)}{"&amp;" if kept else ""}language=')
    return pack(page.replace("{invitation}", body).encode(), template.media_type)


def _invitation(language: Language, invitation: Invitation) -> str:
    name = invitation.organisation
    advice = text(language, "welcome.code-text") if name is None else text(language, "welcome.code-text-of", name=name)
    onward = ""
    if invitation.leads_to is not None:
        label = text(language, "welcome.onward") if name is None else text(language, "welcome.onward-to", name=name)
        onward = f'<p><a class="button primary" href="{escape(invitation.leads_to)}">{escape(label)}</a></p>'
    return (
        '<section id="invitation" class="panel" aria-labelledby="invitation-title">'
        f'<h2 id="invitation-title">{escape(text(language, "welcome.code"))}</h2>'
        f'<p class="code" id="code">{escape(invitation.code)}</p>'
        f'<p class="quiet">{escape(advice)}</p>{onward}</section>'
    )


def _nothing(language: Language) -> str:
    return (
        '<section id="no-code" class="panel" aria-labelledby="no-code-title">'
        f'<h2 id="no-code-title">{escape(text(language, "welcome.no-code"))}</h2>'
        f"<p>{escape(text(language, 'welcome.no-code-text'))}</p></section>"
    )
