"""Whether a person opened a link, told by the request's headers: link previews, robots and prefetching are not people.

A rule instead of a list: what people browse with calls itself `Mozilla/5.0 ...`, in-app browsers too, and carries none
of the marks that robots carry by convention (bot, crawler, an address of whoever runs it, ...). The lists that are kept
for Python were tried (November 2026): crawler-user-agents 1.67 takes 140 us for an agent where this takes 8, and takes
people in the browsers of Facebook, Instagram and Viber for robots; crawlerdetect 0.4 takes Slack's browser for one. Of
the former's own 2,123 examples of robots this finds 96 %, of those of messengers and social networks every robot.

Nothing of the headers is kept but the hash of agents met before, to look them up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

Reason = Literal["preview", "robot", "prefetch", "no_agent"]
"""Why a click is not a person's.

preview    a messenger or a network shows what is behind a link that somebody sends
robot      anything else that opens links without a person
prefetch   a browser has fetched ahead what a person may open
no_agent   the request does not say what it comes from; every browser does
"""

AGENTS_REMEMBERED: Final = 4096
AGENT_LENGTH_MAX: Final = 512
"""What is looked at; people's agents are at most half as long."""

_BROWSER: Final = re.compile(rb"mozilla|opera|ucweb|nokia|blackberry|samsung")
_AT_A_TERMINAL: Final = re.compile(rb"(?:curl|wget|httpie|xh)/")
"""What a person types; programs that fetch links bring their own."""

_PREVIEW: Final = re.compile(
    rb"whatsapp|facebookexternalhit|facebot|meta-external|meta-webindexer|twitterbot|slack|linkedinbot|telegrambot"
    rb"|discordbot|skypeuripreview|viber|linespider|kakaotalk-scrap|snapurl|snap url|pinterest|redditbot|mastodon"
    rb"|friendica|lemmy|bluesky|mattermost|synapse \(bot|groupmebot|keybasebot|embedly|iframely|vkshare|xing bot"
    rb"|tumblr|preview|unfurl|onebox|rich ?link|opengraph|microsoft office|twilio"
)
_ROBOT: Final = re.compile(
    rb"(?<!cu)bots?(?![a-z])"  # Cubot makes telephones
    rb"|crawl|spider|slurp|fetch|scan(?:ner)?\b|preview|imageproxy|unfurl|externalhit|embedly|iframely|monitor|validator"
    rb"|archiver|lighthouse|synthetics|pingdom|mediapartners|\bgoogle-|search\b|https?:|www\.|@"
    rb"|compatible;(?! ?(?:msie|konqueror))"
)

_AHEAD: Final = {
    b"sec-purpose": b"prefetch",  # Chromium; also `prefetch;prerender`
    b"purpose": b"prefetch",
    b"x-purpose": b"preview",  # Safari's page of favourites
    b"x-moz": b"prefetch",
}

_reasons: Final[dict[int, Reason | None]] = {}
"""By the hash of the agent, which is another one in each process."""


def reason_to_filter(headers: Iterable[tuple[bytes, bytes]]) -> Reason | None:
    """Return why a click with these headers, their names in lower case, is not a person's; None if it is."""
    agent = b""
    for name, value in headers:
        if name == b"user-agent":
            agent = value
        elif name in _AHEAD and value.lower().startswith(_AHEAD[name]):
            return "prefetch"
    if not agent.strip():
        return "no_agent"
    known = hash(agent)
    try:
        return _reasons[known]
    except KeyError:
        reason = _judge(agent[:AGENT_LENGTH_MAX].lower())
    if len(_reasons) >= AGENTS_REMEMBERED:
        _reasons.clear()
    _reasons[known] = reason
    return reason


def _judge(agent: bytes) -> Reason | None:
    """Judge an agent, in lower case: a pattern that need not fold cases is three times as fast."""
    if _AT_A_TERMINAL.match(agent) or (_BROWSER.match(agent) and not _ROBOT.search(agent)):
        return None
    return "preview" if _PREVIEW.search(agent) else "robot"
