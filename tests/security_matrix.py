"""Who is answered what: role x route x whose it is, a status for each.

Rows are who asks. `mentor`, `coordinator` and `org_admin` are ours, `their ...` belong to the other organisation,
`nobody` has no token, `forged` one that is not good (expired, signed by another, for another audience, ...).

Columns are what is asked for. Of a mentor's own:
    own        the mentor who asks himself, in the row of our mentor; for the others just one of our mentors
    colleague  another mentor of ours
    unknown    under our organisation, a mentor nobody knows
    borrowed   under our organisation, a mentor of theirs
    theirs     a mentor of theirs, under their organisation; in the row of their mentor himself
    nowhere    under an organisation that does not exist
Of an organisation: ours, theirs, nowhere. Of what is for everybody: any.
"""

from __future__ import annotations

from typing import Final

Table = dict[tuple[str, str], int]
"""Who asks, and what for: the status."""


def table(text: str) -> Table:
    """Read a table: the first line names the columns, each other one who asks and then a status for each column."""
    head, *lines = [line.split() for line in text.strip().splitlines()]
    columns = head[1:]
    found: Table = {}
    for line in lines:
        who, statuses = " ".join(line[: -len(columns)]), line[-len(columns) :]
        found |= {(who, column): int(status) for column, status in zip(columns, statuses, strict=True)}
    return found


OF_A_MENTOR: Final = table("""
    who                own  colleague  unknown  borrowed  theirs  nowhere
    nobody             401  401        401      401       401     401
    forged             401  401        401      401       401     401
    mentor             200  403        403      403       404     404
    coordinator        200  200        404      404       404     404
    org_admin          200  200        404      404       404     404
    onboarding         403  403        403      403       404     404
    their mentor       404  404        404      404       200     404
    their coordinator  404  404        404      404       200     404
    their org_admin    404  404        404      404       200     404
    their onboarding   404  404        404      404       403     404
""")

ISSUING: Final = table("""
    who                own  colleague  unknown  borrowed  theirs  nowhere
    nobody             401  401        401      401       401     401
    forged             401  401        401      401       401     401
    mentor             200  403        403      403       404     404
    coordinator        200  200        201      201       404     404
    org_admin          200  200        201      201       404     404
    onboarding         403  403        403      403       404     404
    their mentor       404  404        404      404       200     404
    their coordinator  404  404        404      404       200     404
    their org_admin    404  404        404      404       200     404
    their onboarding   404  404        404      404       403     404
""")
"""A coordinator makes codes for mentors who have none; a mentor's id means another mentor in another organisation."""

BY_A_COORDINATOR: Final = table("""
    who                own  colleague  unknown  borrowed  theirs  nowhere
    nobody             401  401        401      401       401     401
    forged             401  401        401      401       401     401
    mentor             403  403        403      403       404     404
    coordinator        200  200        404      404       404     404
    org_admin          200  200        404      404       404     404
    onboarding         403  403        403      403       404     404
    their mentor       404  404        404      404       403     404
    their coordinator  404  404        404      404       200     404
    their org_admin    404  404        404      404       200     404
    their onboarding   404  404        404      404       403     404
""")
"""Of one mentor, and not his own to see or to do."""

BY_AN_ADMINISTRATOR: Final = table("""
    who                ours  theirs  nowhere
    nobody             401   401     401
    forged             401   401     401
    mentor             403   404     404
    coordinator        403   404     404
    org_admin          200   404     404
    onboarding         403   404     404
    their mentor       404   403     404
    their coordinator  404   403     404
    their org_admin    404   200     404
    their onboarding   404   403     404
""")
"""Changes what everybody in the organisation is promised."""

OWN_MAIL: Final = table("""
    who                ours  theirs  nowhere
    nobody             401   401     401
    forged             401   401     401
    mentor             200   404     404
    coordinator        200   404     404
    org_admin          200   404     404
    onboarding         403   404     404
    their mentor       404   200     404
    their coordinator  404   200     404
    their org_admin    404   200     404
    their onboarding   404   403     404
""")
"""Each is told what is his own: there is no way to name another."""
WISHING_MAIL: Final = {cell: 409 if status == 200 else status for cell, status in OWN_MAIL.items()}
"""An installation without a mail server says so."""

OF_AN_ORGANISATION: Final = table("""
    who                ours  theirs  nowhere
    nobody             401   401     401
    forged             401   401     401
    mentor             403   404     404
    coordinator        200   404     404
    org_admin          200   404     404
    onboarding         403   404     404
    their mentor       404   403     404
    their coordinator  404   200     404
    their org_admin    404   200     404
    their onboarding   404   403     404
""")

WEBHOOK: Final = table("""
    who                ours  theirs  nowhere
    nobody             401   401     401
    forged             401   401     401
    mentor             401   401     401
    coordinator        401   401     401
    org_admin          401   401     401
    onboarding         401   401     401
    their mentor       401   401     401
    their coordinator  401   401     401
    their org_admin    401   401     401
    their onboarding   401   401     401
    sender             202   401     401
    their sender       401   202     401
    forging sender     401   401     401
""")
"""Tokens open nothing here, and an organisation's secret its own door. `forging sender` signs with another secret."""

SIGNUPS: Final = table("""
    who                ours  theirs  nowhere
    nobody             401   401     401
    forged             401   401     401
    mentor             403   404     404
    coordinator        403   404     404
    org_admin          403   404     404
    onboarding         202   404     404
    their mentor       404   403     404
    their coordinator  404   403     404
    their org_admin    404   403     404
    their onboarding   404   202     404
    sender             401   401     401
    their sender       401   401     401
""")
"""A right of its own: who has it can do nothing else, and who has others has not this one."""

FOR_EVERYBODY: Final = table("""
    who                any
    nobody             200
    forged             200
    mentor             200
    coordinator        200
    org_admin          200
    onboarding         200
    their mentor       200
    their coordinator  200
    their org_admin    200
    their onboarding   200
""")
"""What holds nothing about anybody."""

WHO_IS_SIGNED_IN: Final = FOR_EVERYBODY | {("nobody", "any"): 204, ("forged", "any"): 401}
SIGN_IN: Final = dict.fromkeys(FOR_EVERYBODY, 403)
"""Of our own pages alone: no request of a program says that it comes from one."""
SIGN_OUT: Final = dict.fromkeys(FOR_EVERYBODY, 204)
"""Who has no session is signed out already."""
SIGN_OUT_EVERYWHERE: Final = SIGN_OUT | {("nobody", "any"): 401, ("forged", "any"): 401}

SHARE_LINK: Final = {(who, what): 302 for who, _ in FOR_EVERYBODY for what in ("ours", "theirs", "nowhere")}
"""Whoever follows a link is led on; `nowhere` is a code that nobody has."""
ISSUER_KEYS: Final = {(who, what): 200 for who, _ in FOR_EVERYBODY for what in ("ours", "theirs")} | {
    (who, "nowhere"): 404 for who, _ in FOR_EVERYBODY
}
"""What a credential is verified with: public keys, and nothing of anybody."""
EMPTY_LINK: Final = dict.fromkeys(FOR_EVERYBODY, 302)

_ORG: Final = "/v1/orgs/{org_id}"
_MENTOR: Final = f"{_ORG}/mentors/{{mentor_id}}"

MATRIX: Final[dict[tuple[str, str], Table]] = {
    ("GET", f"{_ORG}/activity"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/badge-previews/{{threshold}}"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/badges"): OF_AN_ORGANISATION,
    ("PUT", f"{_ORG}/badges/{{badge_id}}"): BY_AN_ADMINISTRATOR,
    ("POST", f"{_ORG}/badges/{{badge_id}}/back-fill"): BY_AN_ADMINISTRATOR,
    ("GET", f"{_ORG}/channels"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/daily"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/dead-letters"): BY_AN_ADMINISTRATOR,
    ("GET", f"{_ORG}/dead-letters/{{partition}}/{{offset}}"): BY_AN_ADMINISTRATOR,
    ("POST", f"{_ORG}/dead-letters/replays"): BY_AN_ADMINISTRATOR,
    ("GET", f"{_ORG}/events"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/export.csv"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/groups"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/history"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/history.csv"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/leaderboard"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/lists/clicks-only"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/lists/close-to-badge"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/lists/just-reached"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/lists/no-activity"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/lists/pending"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/mail"): OWN_MAIL,
    ("PUT", f"{_ORG}/mail"): WISHING_MAIL,
    ("DELETE", f"{_ORG}/mail"): OWN_MAIL,
    ("GET", f"{_ORG}/mentors"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/pipeline"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/reconciliation"): OF_AN_ORGANISATION,
    ("GET", f"{_ORG}/summary"): OF_AN_ORGANISATION,
    ("GET", _MENTOR): OF_A_MENTOR,
    ("GET", f"{_MENTOR}/attribution-counts"): OF_A_MENTOR,
    ("GET", f"{_MENTOR}/awards"): OF_A_MENTOR,
    ("GET", f"{_MENTOR}/milestones"): OF_A_MENTOR,
    ("GET", f"{_MENTOR}/qr.svg"): OF_A_MENTOR,
    ("GET", f"{_MENTOR}/awards/{{badge_id}}/credential"): OF_A_MENTOR,
    ("GET", "/orgs/{org_id}/did.json"): ISSUER_KEYS,
    ("GET", f"{_MENTOR}/standing"): BY_A_COORDINATOR,
    ("GET", f"{_MENTOR}/awards/{{badge_id}}/evidence"): BY_A_COORDINATOR,
    ("POST", f"{_MENTOR}/milestones/{{threshold}}/thanks"): BY_A_COORDINATOR,
    ("DELETE", f"{_MENTOR}/milestones/{{threshold}}/thanks"): BY_A_COORDINATOR,
    ("POST", f"{_MENTOR}/referral-code"): ISSUING,
    ("POST", f"{_ORG}/registrations"): WEBHOOK,
    ("POST", f"{_ORG}/signups"): SIGNUPS,
    ("GET", "/v1/session"): WHO_IS_SIGNED_IN,
    ("POST", "/v1/session"): SIGN_IN,
    ("DELETE", "/v1/session"): SIGN_OUT,
    ("DELETE", "/v1/sessions"): SIGN_OUT_EVERYWHERE,
    ("GET", "/v1/sign-in"): FOR_EVERYBODY,
    ("POST", "/v1/sign-in/mail"): SIGN_IN,
    ("GET", "/r/{code}"): SHARE_LINK,
    ("HEAD", "/r/{code}"): SHARE_LINK,
    ("GET", "/r"): EMPTY_LINK,
    ("HEAD", "/r"): EMPTY_LINK,
    ("GET", "/health/live"): FOR_EVERYBODY,
    ("GET", "/health/ready"): FOR_EVERYBODY,
    ("GET", "/metrics"): FOR_EVERYBODY,
}
"""Every operation of the OpenAPI description."""

UNDESCRIBED: Final = {
    "/": "leads to the dashboard",
    "/dashboard": "a page without figures: it asks for them with the token of whoever looks",
    "/badges": "the same",
    "/dead-letters": "the same",
    "/mail/confirm/{link}": "a page that confirms a mail address, for who has the link",
    "/mail/unsubscribe/{link}": "a page that ends a subscription, the same",
    "/me": "the same",
    "/docs": "the description for people",
    "/openapi.json": "the description itself",
    "/openapi.json/openapi.json": "the same, Litestar's other address for it",
    "/openapi.json/{path}": "404, Litestar's",
    "/R": "a share link that was damaged on its way",
    "/R/{rest}": "the same",
    "/r/{code}/{rest}": "the same",
    "/sign-in": "a page on which people sign in; opening it does nothing",
    "/sign-in/callback": "back from the provider: signs in whom it vouches for, in the browser that was sent there",
    "/sign-in/provider": "leads to the provider, if there is one",
    "/static/{version}/{name}": "what the pages are made of",
    "/welcome": "the page for links that lead nowhere else",
}
"""Addresses that are not in the description, each with what it gives to everybody."""
