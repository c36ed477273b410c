"""Finds what pages and scripts say of their own, which should stand in the catalogues (`edges/languages`).

Scripts are read as far as it takes: comments, strings, templates and regular expressions, and of each string where it
stands: as which argument of which call, as the value of which property. What people see is either in such a place, or
looks like words: begins with a capital, or has two words beside each other. Names that programs read are listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

SHOWN_ARGUMENTS: Final = {"element": 2, "fill": 1, "announce": 0, "append": 0, "retryButton": 0, "failure": 0}
"""From which argument of these calls on a string is shown."""
SHOWN_PROPERTIES: Final = {
    "alt",
    "aria-description",
    "aria-label",
    "aria-roledescription",
    "aria-valuetext",
    "ariaLabel",
    "head",
    "innerText",
    "label",
    "placeholder",
    "textContent",
    "title",
}
CODE_TAGS: Final = {"code"}
"""What is in these elements is typed as it stands, in any language."""
NOT_SHOWN: Final = {
    "class",
    "className",
    "find",
    "querySelector",
    "querySelectorAll",
    "closest",
    "matches",
    "rel",
    "Error",
    "text",
    "parts",
}
"""Strings of these properties and calls are nothing that is shown, or a key."""
NAMES: Final = {
    "ArrowLeft",
    "ArrowRight",
    "Bearer ",
    "DOMContentLoaded",
    "End",
    "Escape",
    "Home",
    "TimeoutError",
    "eyJhbGciOi…",
    "share",
}
"""Of keys, headers and events."""

COMMANDS: Final = ("referrals ", " --")
"""How what is typed at a terminal begins."""
NEVER: Final = 1_000

_LETTER: Final = re.compile(r"[^\W\d_]")
_WORDS: Final = re.compile(r"^[A-ZÆØÅ][a-zæøå]|[^\W\d_]{2,}[,.]? [^\W\d_]")
_CALLEE: Final = re.compile(r"(\w+)\s*$")
_PROPERTY: Final = re.compile(r"^\s*(\w+)\s*:|\.(\w+)\s*=(?![=>])")
_KEY_ENDS: Final = re.compile(r"[\"']\s*:")
_IMPORT: Final = re.compile(r"\b(?:from|import)\s*$")
_BEFORE_VALUE: Final = re.compile(r"(?:^|[(,=:\[!&|?{};]|=>|return)\s*$")
_REGEX: Final = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/[a-z]*")
_TOKEN: Final = re.compile(r"//[^\n]*|/\*.*?\*/|[\"'`()\[\]{},;/]", re.DOTALL)
_STRINGS: Final = {
    '"': re.compile(r'(?:\\.|[^\\"])*'),
    "'": re.compile(r"(?:\\.|[^\\'])*"),
    "`": re.compile(r"(?:\\.|\$(?!\{)|[^\\`$])*"),
}
"""What stands between the quotation marks; of a template up to the next expression."""


@dataclass(slots=True)
class _Open:
    """A bracket that is open, and what is being written in it."""

    bracket: str
    callee: str = ""
    argument: int = 0
    tag: str = ""
    """The first argument, if it is a string: of `element` the tag."""
    prop: str = ""
    """The property whose value is being written."""


class Script:
    """A script; `said` are the strings in it that say something of their own."""

    def __init__(self, source: str) -> None:
        self.said: list[str] = []
        self._source = source
        self._open = [_Open("{")]
        self._past = 0
        """Where the code begins that stands before what is read."""
        self._read(0)

    def _read(self, at: int) -> int:
        """Read code until a bracket closes that was opened before it; return the place behind."""
        depth = len(self._open)
        self._past = at
        while found := _TOKEN.search(self._source, at):
            mark, at = found[0], found.end()
            before = self._source[self._past : found.start()]
            inner = self._open[-1]
            if mark in {'"', "'"}:
                at = self._read_string(at, _STRINGS[mark], before)
            elif mark == "`":
                at = self._read_template(at, before)
            elif mark == "/":
                regex = _REGEX.match(self._source, found.start()) if _BEFORE_VALUE.search(before) else None
                at = regex.end() if regex else at
            elif mark in {"(", "[", "{"}:
                self._note_property(before)
                callee = _CALLEE.search(before) if mark == "(" else None
                self._open.append(_Open(mark, callee[1] if callee else "", prop="" if mark == "{" else inner.prop))
            elif mark in {")", "]", "}"}:
                if len(self._open) == depth:
                    return at
                self._open.pop()
            elif mark in {",", ";"}:
                inner.argument += 1
                inner.prop = ""
            if mark != "/" and not mark.startswith(("//", "/*")):
                self._past = at
        return at

    def _note_property(self, before: str) -> None:
        inner = self._open[-1]
        if not inner.prop and (named := _PROPERTY.search(before)):
            inner.prop = next(filter(None, named.groups()))

    def _read_string(self, at: int, rest: re.Pattern[str], before: str) -> int:
        end = _end(rest, self._source, at)
        inner = self._open[-1]
        if inner.bracket == "{" and not before.strip() and not inner.prop and _KEY_ENDS.match(self._source, end):
            inner.prop = self._source[at:end]
        else:
            self._judge(self._source[at:end], before)
        return end + 1

    def _read_template(self, at: int, before: str) -> int:
        while True:
            end = _end(_STRINGS["`"], self._source, at)
            self._judge(self._source[at:end], before)
            if self._source[end] == "`":
                return end + 1
            self._open.append(_Open("$", prop=self._open[-1].prop))
            at = self._read(end + len("${"))
            self._open.pop()

    def _judge(self, string: str, before: str) -> None:
        self._note_property(before)
        # Of a conditional, an array or a template it is the call around that counts; of an object it is the property.
        around = next(each for each in reversed(self._open) if each.bracket == "{" or each.callee)
        if around.argument == 0:
            around.tag = around.tag or string
        prop = self._open[-1].prop
        if string in NAMES or string.startswith(COMMANDS) or not _LETTER.search(string) or _IMPORT.search(before):
            return
        if {prop, around.callee} & NOT_SHOWN or (around.callee == "element" and around.tag in CODE_TAGS):
            return
        is_child = around.argument >= SHOWN_ARGUMENTS.get(around.callee, NEVER)
        if is_child or prop in SHOWN_PROPERTIES or _WORDS.search(string):
            self.said.append(string)


def _end(rest: re.Pattern[str], source: str, at: int) -> int:
    found = rest.match(source, at)
    return at if found is None else found.end()


class Page(HTMLParser):
    """What a page's template says of its own."""

    SHOWN: Final = {"alt", "aria-description", "aria-label", "label", "placeholder", "title", "value"}

    def __init__(self, source: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.feed(re.sub(r"\{[\w./ =-]+\}", "", source))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes that are shown or read aloud."""
        for name, value in attrs:
            is_button = name != "value" or (tag in {"button", "input"} and ("type", "radio") not in attrs)
            if name in self.SHOWN and is_button and value and _LETTER.search(value):
                self.said.append(value)

    def handle_data(self, data: str) -> None:
        """Look at what stands between the elements."""
        if _LETTER.search(data):
            self.said.append(data.strip())


def style_says(source: str) -> Iterator[str]:
    """Yield what a style sheet writes, or has read aloud."""
    for declaration in re.findall(r"content:([^;]*);", source):
        yield from (text for text in re.findall(r'"([^"]*)"', declaration) if _LETTER.search(text))
