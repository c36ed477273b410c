"""Where a list goes on: what a page says of the next one, in any of the ways in which systems say it.

Three answers: an address, the end, or "more, and where is not said". Where a page gives a number or a word instead of
an address, it goes into the query's parameter: the one configured, one that the address has, or one of the same name.
That is a guess, and said to be one: a server that does not know the parameter gives a page that was read before, or an
empty one, and neither is taken for the end. Names are compared without case and signs: `has_more` is `hasMore`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from edges.reconciliation.address import followed
from edges.reconciliation.endpoint import Answer
from edges.reconciliation.mapping import folded, truth
from edges.reconciliation.paging_names import (
    COUNTED_FROM_ONE,
    CURSORS,
    DELTA_LINKS,
    HEADER_PREFIX,
    HOLDERS,
    IN_HEADERS,
    INTO,
    LAST,
    LEADS_ON,
    LEFT,
    LINKS,
    MORE,
    NO_FLAGS,
    NOTHING,
    NUMBERS,
    NUMBERS_TOO,
    OFFSETS,
    PAGES,
    PLACES,
    SAID_AGAIN,
    SIZES,
    TOTALS,
)
from edges.reconciliation.reasons import Fault

_ADDRESS_NAME: Final = re.compile(r"link|url|uri|href", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"/|\.|\?|https?:|[A-Za-z][\w.-]*(?:/[\w.-]+)*\?|[a-z][\w-]*(?:/[a-z0-9_-]+)+$")
_QUERY: Final = re.compile(r"[$A-Za-z][\w$\[\]]*=[^=]")
_RANGE: Final = re.compile(r"(?:\w+[ =])?([0-9]+)-([0-9]+)/([0-9]+|\*)")
_WORD_MAX: Final = 4_000


class Continuation(NamedTuple):
    """What a page says of the rest of the list."""

    url: str | None = None
    """Where the next page is."""
    more: Fault | None = None
    """Why this cannot be the end, though where it goes on is not said."""
    total: int | None = None
    """How many rows the whole list has, as the page says."""
    delta_url: str | None = None
    """Where what changes from now on can be asked for."""
    is_end_said: bool = False
    """The page itself says that nothing follows."""
    is_guess: bool = False
    """The parameter of `url` is neither configured nor in the address that was asked."""
    is_step: bool = False
    """`url` is the address that was asked with a larger number: the page did not say it."""


def continuation(
    answer: Answer,
    rows: int,
    around: tuple[Mapping[str, Any], ...],
    *,
    number: int = 1,
    parameter: str = "",
    seen: int = 0,
) -> Continuation:
    """Return how the list goes on after a page with so many rows.

    Args:
        answer: the page.
        rows: how many it has.
        around: the objects around the list.
        number: of the page, counted from 1.
        parameter: what a number or a word goes into; empty: found out.
        seen: how many rows the pages before it had.

    Raises SourceFailed where the next page is at another origin.

    """
    said = _Said(answer, around, number, parameter)
    total = said.total()
    target = said.link() or said.word()
    if target is not None and target.url:
        is_end_said = said.says(MORE) is False
        return Continuation(followed(target.url, page=answer.url), None, total, None, is_end_said, target.is_guess)
    more = target.why if target is not None else said.more()
    delta = next((value for name in DELTA_LINKS if isinstance(value := said.first(name), str) and value), None)
    is_end_said = delta is not None or said.end()
    if not more and rows and not is_end_said and rows == said.rows_asked():
        more = Fault("page-full", {"rows": f"{rows:,}"})
    if more or said.is_short(total, rows, seen):
        step = said.step(rows)
        if step is not None:
            url = followed(step.url, page=answer.url)
            return Continuation(url, total=total, is_guess=step.is_guess, is_step=True)
    if more:
        return Continuation(None, more, total)
    delta_url = None if delta is None else followed(delta, page=answer.url)
    return Continuation(None, None, total, delta_url, is_end_said)


class _Target(NamedTuple):
    """Where the list goes on, or why that is not known."""

    url: str = ""
    why: Fault | None = None
    is_guess: bool = False


class _Said:
    """All that a page says beside its rows."""

    def __init__(self, answer: Answer, around: tuple[Mapping[str, Any], ...], number: int, parameter: str) -> None:
        self._answer = answer
        self._number = number
        self._parameter = parameter
        self._query = parse_qsl(urlsplit(answer.url).query, keep_blank_values=True)
        places = [name for name, _ in self._query if folded(name) in PLACES]
        self._place = places[0] if len(places) == 1 else ""
        """The parameter by which the address says where its page begins; empty: none, or it is not clear which."""
        self._values: dict[str, list[tuple[str, Any]]] = {}
        for name, value in (*_beside(around), *_of_headers(answer.headers)):
            self._values.setdefault(folded(name), []).append((name, value))

    def first(self, *names: str) -> Any:  # noqa: ANN401  anything that JSON can be
        """Return what stands under the first of the names that has anything."""
        return next((value for _, value in self._all(*names) if value is not None), None)

    def says(self, names: re.Pattern[str]) -> bool | None:
        """Return whether a flag of one of the names is set; None: there is none."""
        for folded_name, found in self._values.items():
            if folded_name in NO_FLAGS or not names.fullmatch(folded_name):
                continue
            for _, value in found:
                if isinstance(value, int) and not isinstance(value, bool) and folded_name in NUMBERS_TOO:
                    continue
                says = value > 0 if isinstance(value, int) else truth(value)
                if says is not None:
                    return says
        return None

    def link(self) -> _Target | None:
        """Return where a link leads; None: there is none."""
        for name, value in self._all(*LINKS):
            if (target := self._target(name, value)) is not None:
                return target
        for _, value in self._all("links", "link"):  # [{"rel": "next", "href": "..."}]
            for each in value if isinstance(value, list) else ():
                if isinstance(each, Mapping) and each.get("rel", each.get("relation")) in ("next", ["next"]):
                    return self._target("next", each)
        return _Target(self._answer.next_link) if self._answer.next_link else None

    def word(self) -> _Target | None:
        """Return where a cursor leads that is not under the name of a link; None: there is none."""
        if self.says(MORE) is False or self.says(LAST) is True:
            return None
        for name, value in self._all(*CURSORS):
            if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
                continue
            if str(value).strip().lower() in NOTHING:
                continue
            if folded(name) == "offset" and _whole(value) is not None:
                continue  # where this page begins, as a rule
            into = _parameter_of(name)
            if folded(name) in SAID_AGAIN and (into, str(value)) in self._query:
                continue
            return self._into(self._parameter or into, str(value))
        return None

    def more(self) -> Fault | None:
        """Return why there must be more; None: nothing says so."""
        if self.says(MORE) is True:
            return Fault("more-somewhere")
        if self.says(LAST) is False:
            return Fault("not-last")
        number, pages = self._numbers()
        if pages is not None and number is not None and number < pages:
            return Fault("more-pages", {"pages": f"{pages:,}"})
        if pages is not None and number is None and pages > self._number:
            return Fault("more-pages", {"pages": f"{pages:,}"})
        part = self._part()
        if part is not None and part[0] + 1 < part[1]:
            return Fault("part", {"rows": f"{part[1]:,}"})
        return None if self.says(MORE) is False or self.says(LAST) is True else self._hint()

    def _hint(self) -> Fault | None:
        """Return what says that there is more, in a way that nobody follows; None: nothing."""
        for folded_name, found in self._values.items():
            for name, value in found:
                if LEFT.fullmatch(folded_name) and (left := _whole(value)):
                    return Fault("rows-left", {"name": name, "rows": f"{left:,}"})
                is_known = folded_name in NO_FLAGS or not LEADS_ON.fullmatch(folded_name)
                if not is_known and value not in (None, False, 0, "", [], {}) and str(value).lower() not in NOTHING:
                    return Fault("unknown-way", {"name": name})
        return None

    def end(self) -> bool:
        """Tell whether the page says that it is the last: by a flag, a place for a link that is empty, or a total."""
        if self.says(MORE) is False or self.says(LAST) is True:
            return True
        if any(_whole(value) is not None for _, value in self._all(*TOTALS[:-1])):
            return True  # what is missing to it is seen in the end
        places = (*LINKS, "nextcursor", "nextpagetoken", "links", "link", "odatacontext")
        if any(name in self._values for name in places):
            return True
        number, pages = self._numbers()
        return (pages is not None and number is not None) or "rel=" in self._answer.headers.get("link", "")

    def total(self) -> int | None:
        """Return how many rows the whole list has, as far as it is said."""
        totals = (_whole(value) for _, value in self._all(*TOTALS))
        found = next((total for total in totals if total is not None and total >= 0), None)
        part = self._part()
        return part[1] if found is None and part is not None else found

    def is_short(self, total: int | None, rows: int, seen: int) -> bool:
        """Tell whether rows are missing to the total behind this page's, by the place where it begins."""
        if total is None or not rows or self.says(MORE) is False or self.says(LAST) is True:
            return False
        place, asked, _ = self._position()
        if not place:
            return False
        if folded(place) in OFFSETS:
            return asked + rows - (folded(place) in COUNTED_FROM_ONE and asked > 0) < total
        size = self.rows_asked()
        return seen + rows < total and (size is None or asked * size < total)

    def step(self, rows: int) -> _Target | None:
        """Return the next page's address where that is this one's with a larger number; None: it is not known."""
        place, asked, is_guess = self._position()
        if not place or (not rows and folded(place) in OFFSETS):
            return None
        following = asked + (rows if folded(place) in OFFSETS else 1)
        return _Target(_with(self._answer.url, place, str(following)), is_guess=is_guess)

    def _position(self) -> tuple[str, int, bool]:
        """Return the parameter by which a page is found, its number on this page, and whether that is a guess."""
        place = self._parameter or self._place
        asked = _whole(dict(self._query).get(place))
        if place and asked is not None:
            return place, asked, False
        for name, value in self._all(*NUMBERS, *sorted(OFFSETS - {"from"})):
            if folded(name) in {folded(each) for each, _ in self._query}:
                continue
            if (number := _whole(value)) is not None:
                into = "page" if folded(name) in {"number", "currentpage"} else name
                return place or into, number, not self._parameter
        return "", 0, False

    def rows_asked(self) -> int | None:
        """Return how many rows the address asks for; None: it does not say."""
        return next((_whole(value) for name, value in self._query if folded(name) in SIZES), None)

    def _all(self, *names: str) -> Iterator[tuple[str, Any]]:
        for name in names:
            yield from self._values.get(name, ())

    def _numbers(self) -> tuple[int | None, int | None]:
        """Return the page's number, counted from 1, and how many there are."""
        number, pages = _whole(self.first(*NUMBERS)), _whole(self.first(*PAGES))
        if number is None and not self._parameter and folded(self._place) in NUMBERS:
            number = _whole(dict(self._query).get(self._place))
        is_from_zero = number is not None and "number" in self._values and "totalpages" in self._values  # Spring's
        return (number or 0) + 1 if is_from_zero else number, pages

    def _part(self) -> tuple[int, int] | None:
        """Return which row is the last, counted from 0, and how many there are, as Content-Range says."""
        found = _RANGE.fullmatch(self._answer.headers.get("content-range", "").strip())
        return (int(found[2]), int(found[3])) if found and found[3] != "*" else None

    def _target(self, name: str, value: object) -> _Target | None:  # noqa: PLR0911  one for each form
        """Return where a value under the name of a link leads; None: nowhere."""
        if isinstance(value, Mapping):
            return self._target_inside(name, value)
        if value is True or (isinstance(value, str) and value.strip().lower() == "true"):
            return _Target(why=Fault("true-link", {"name": name}))
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        text = str(value).strip()
        if text.lower() in {"", "null", "none", "false", "0"} or text.startswith("-"):
            return None
        if _whole(text) is not None:
            return self._by_number(name, text)
        if _ADDRESS_NAME.search(name) or _ADDRESS.match(text):
            return _Target(text)
        if _QUERY.match(text):
            return _Target(f"?{text}")
        is_word = folded(self._place) in PLACES - OFFSETS and not folded(self._place).startswith("p")
        return self._into(self._parameter or (self._place if is_word else "cursor"), text[:_WORD_MAX])

    def _target_inside(self, name: str, value: Mapping[str, Any]) -> _Target | None:
        for inner in ("href", "link", "url", "uri", "@id"):
            if isinstance(value.get(inner), str) and value[inner].strip():
                return _Target(value[inner].strip())
        for inner, found in sorted(value.items(), key=lambda each: folded(each[0]) not in CURSORS):
            is_word = isinstance(found, str | int) and not isinstance(found, bool) and str(found)
            if is_word and folded(inner) in {*CURSORS, "page", "number", "token", "pagetoken"}:
                return self._into(self._parameter or _parameter_of(inner), str(found))
        return _Target(why=Fault("unknown-way", {"name": name})) if value else None

    def _by_number(self, name: str, text: str) -> _Target:
        if not self._parameter and not self._place and int(text) != self._number + 1:
            return _Target(why=Fault("number-link", {"name": name}))
        return self._into(self._parameter or self._place or "page", text)

    def _into(self, name: str, value: str) -> _Target:
        is_known = bool(self._parameter) or name in dict(self._query)
        return _Target(_with(self._answer.url, name, value), is_guess=not is_known)


def _beside(around: tuple[Mapping[str, Any], ...]) -> Iterator[tuple[str, Any]]:
    """Yield names and values of all that stands beside the list, those in objects that say how it goes on too."""
    for each in around:
        for name, value in each.items():
            yield name, value
            if isinstance(value, Mapping) and folded(name) in HOLDERS - {"next"}:
                for inner_name, inner in value.items():
                    yield inner_name, inner
                    if isinstance(inner, Mapping) and folded(inner_name) in HOLDERS - {"next"}:
                        yield from inner.items()


def _of_headers(headers: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield names and values of the headers that say how a list goes on, without their prefixes."""
    for name, text in headers.items():
        bare = HEADER_PREFIX.sub("", name.lower())
        value: Any = int(text) if text.strip().isascii() and text.strip().isdecimal() else text.strip()
        if "pagination" in name.lower() and text.lstrip().startswith("{"):
            try:
                inside = json.loads(text)
            except ValueError:
                continue
            yield from inside.items() if isinstance(inside, dict) else ()
        elif folded(bare) in IN_HEADERS or any(each.fullmatch(folded(bare)) for each in (MORE, LEADS_ON)):
            yield bare, value


def _parameter_of(name: str) -> str:
    """Return the parameter that a word goes into: `next_page_token` into `page_token`."""
    known = INTO.get(folded(name))
    if known is not None:
        return known or name
    rest = re.sub(r"^next[_-]?", "", name, flags=re.IGNORECASE)
    return rest[:1].lower() + rest[1:] if rest else name


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        return int(value) if len(value) <= _WORD_MAX else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _with(url: str, name: str, value: str) -> str:
    """Return an address with one parameter of its query set; the others stay as they stand."""
    parts = urlsplit(url)
    same = {name, quote(name, safe=""), quote(name, safe="$[]")}
    kept = [each for each in parts.query.split("&") if each and each.partition("=")[0] not in same]
    return urlunsplit(parts._replace(query="&".join([*kept, f"{quote(name, safe='$[]')}={quote(value, safe='')}"])))
