"""The week: an organisation's figures beside the week before, who reached a badge, and who needs help.

Its days are the organisation's, Monday to Sunday, and its figures those of the dashboard, by the same statements. They
are read when it is sent: what came late is in it. Everything in it leads to the page, at this week and this list.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from edges.languages.badge_names import badge_name
from edges.languages.catalogue import text
from edges.mail.contents import organisation_called, unsubscribing
from edges.mail.letter import Figure, Figures, Letter, Link, Listing, Paragraph, Part
from edges.web import lists
from edges.web.history import Today, read_history
from models.periods import read_period

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edges.languages.catalogue import Language
    from edges.mail.links import Links
    from edges.mail.outbox import Mail, Recipient
    from edges.web.answers.lists import JustReached, MentorClose, MentorListed, Reached
    from edges.web.answers.organisation import History
    from edges.web.database import Database

NAMED_MAX: Final = 5
"""How many mentors of a list are named; the page has them all."""
REACHED_MAX: Final = 100
QUIET_DAYS: Final = 30
PENDING_DAYS: Final = 30
CLOSE_WITHIN: Final = 2
_WEEK: Final = """
SELECT %(first)s::timestamp AT TIME ZONE %(zone)s, (%(last)s::timestamp + interval '1 day') AT TIME ZONE %(zone)s
"""
_MONTHS: Final = (
    *("month.january", "month.february", "month.march", "month.april", "month.may", "month.june"),
    *("month.july", "month.august", "month.september", "month.october", "month.november", "month.december"),
)


async def write_summary(mail: Mail, recipient: Recipient, links: Links, database: Database) -> Letter:
    """Return the summary of the week before the Monday that a mail is about; raise DatabaseUnavailable."""
    language = recipient.language
    monday = date.fromisoformat(mail.about)
    first, last = monday - timedelta(days=7), monday - timedelta(days=1)
    days = days_called(language, first, last)
    name = organisation_called(language, mail.organisation)
    period = read_period(monday, first=first.isoformat(), last=last.isoformat())
    history = await read_history(database, mail.org_id, Today(mail.time_zone, monday), period)
    parts: list[Part] = [_figures(language, history, Link(text(language, "mail.open-week"), links.period(first, last)))]
    parts.append(await _reached(mail, language, links, database, first, last))
    parts += await _help(mail, language, links, database, first, last)
    return Letter(
        language=language,
        subject=text(language, "mail.summary-subject", days=days, name=name),
        heading=text(language, "mail.summary-heading", days=days),
        parts=[Paragraph(text(language, "mail.summary-text", name=name, zone=mail.time_zone)), *parts],
        why=text(language, "mail.summary-why", name=name),
        unsubscribe=unsubscribing(mail, recipient, links),
    )


def number(language: Language, value: int) -> str:
    """Return a whole number as it is written."""
    return f"{value:,}".replace(",", text(language, "number.group"))


def days_called(language: Language, first: date, last: date) -> str:
    """Return some days of a year or two, as they are written: 23 November to 6 December 2026."""
    from_ = text(language, "mail.day", day=first.day, month=text(language, _MONTHS[first.month - 1]))
    if first.year != last.year:
        from_ = f"{from_} {first.year}"
    to = text(language, "mail.day", day=last.day, month=text(language, _MONTHS[last.month - 1]))
    return text(language, "mail.days", first=from_, last=f"{to} {last.year}")


def mentor_called(language: Language, mentor: Reached | MentorListed | MentorClose) -> str:
    """Return what a mentor is called, as pages do (`shared/mentors.js`): name, else code, else a part of his id."""
    short = f"{mentor.mentor_id[:4]}\N{HORIZONTAL ELLIPSIS}{mentor.mentor_id[-4:]}"
    return mentor.display_name or text(language, "mentors.name", id=mentor.referral_code or short)


def _figures(language: Language, history: History, link: Link) -> Figures:
    def figure(label: str, now: int, before: int) -> Figure:
        change = now - before
        sign = "±" if change == 0 else "+" if change > 0 else "\N{MINUS SIGN}"
        said = text(
            language, "mail.before", before=number(language, before), change=sign + number(language, abs(change))
        )
        return Figure(label, number(language, now), said)

    now, before = history.period, history.before
    return Figures(
        [
            figure(text(language, "counts.clicks"), now.clicks, before.clicks),
            figure(text(language, "counts.registered"), now.registered, before.registered),
            figure(text(language, "counts.confirmed"), now.confirmed, before.confirmed),
            figure(text(language, "counts.withdrawn"), now.withdrawn, before.withdrawn),
        ],
        link,
    )


async def _reached(
    mail: Mail, language: Language, links: Links, database: Database, first: date, last: date
) -> Listing:
    """Return who reached a badge in the week: recorded in it, which is when anybody could know."""
    values = {"first": first, "last": last, "zone": mail.time_zone}
    ((begins, ends),) = await database.rows(mail.org_id, _WEEK, values)
    place = lists.ReachedPlace(ends, 0, "00000000-0000-0000-0000-000000000000")
    page: JustReached = await lists.just_reached(database, mail.org_id, is_open=False, limit=REACHED_MAX, after=place)
    in_week = [each for each in page.reached if each.recorded_at >= begins]
    badges = [each for each in in_week if each.badges]
    count = text(language, "mail.reached", n=len(badges), count=number(language, len(badges)))
    if len(badges) == REACHED_MAX:
        count = text(language, "mail.reached-many", count=number(language, REACHED_MAX))
    return Listing(
        count,
        [_reached_line(language, links, each) for each in badges[:NAMED_MAX]],
        Link(text(language, "mail.open-reached"), links.reached(first, last)),
    )


def _reached_line(language: Language, links: Links, reached: Reached) -> tuple[Link, str]:
    called = mentor_called(language, reached)
    badges = ", ".join(badge_name(language, name) for name in reached.badges)
    return Link(called, links.mentor(reached.mentor_id)), badges


async def _help(
    mail: Mail, language: Language, links: Links, database: Database, first: date, last: date
) -> list[Listing]:
    """Return the lists of who needs help that have anybody, by the bounds that the page begins with."""
    limit = NAMED_MAX
    pending = await lists.listed(
        database, mail.org_id, "pending", bound=PENDING_DAYS, order="most", limit=limit, after=None
    )
    close = await lists.close(database, mail.org_id, within=CLOSE_WITHIN, limit=limit)
    quiet = await lists.listed(database, mail.org_id, "quiet", bound=QUIET_DAYS, order="most", limit=limit, after=None)
    found: list[tuple[str, str, Sequence[MentorListed] | Sequence[MentorClose]]] = [
        (text(language, "mail.pending", n=PENDING_DAYS), "pending", pending.mentors),
        (text(language, "mail.close"), "close-to-badge", close.mentors),
        (text(language, "mail.quiet", n=QUIET_DAYS), "no-activity", quiet.mentors),
    ]
    return [
        Listing(
            heading,
            _lines(language, links, mentors),
            Link(text(language, "mail.open-list"), links.list(name, first, last)),
        )
        for heading, name, mentors in found
        if mentors
    ]


def _lines(
    language: Language, links: Links, mentors: Sequence[MentorListed] | Sequence[MentorClose]
) -> list[tuple[Link, str]]:
    return [
        (
            Link(mentor_called(language, each), links.mentor(each.mentor_id)),
            text(
                language,
                "mail.mentor-counts",
                pending=number(language, each.pending_attributions),
                confirmed=number(language, each.confirmed_attributions),
            ),
        )
        for each in mentors
    ]
