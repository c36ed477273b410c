"""The pages and the files they are made of, read once and kept packed.

Files are served under `/static/HASH/...`, where HASH is of all of them together: a file's address changes with its
content, so browsers may keep it for ever, and modules that import each other by relative paths need no build step.
Pages name their files by `{static}`; `{modules X}` is the script X and, so that they are fetched at once and not one
after another, every module that it imports.

A page is made in every language: `{language}` is its name, `{text X}` what stands in the catalogue under X
(`{text X n=7}` with a number in it), `{languages}` the way to the page in each other language, and `{texts}` what the
page's scripts say, for `shared/text.js`. So a page comes in its language, with or without JavaScript, and nothing of it
comes late.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from edges.languages.catalogue import LANGUAGES, Language, catalogue, text

FOLDER: Final = Path(__file__).resolve().parent / "static"
MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""What is served; anything else in the folder (pages, locks, licences) is not."""
HTML: Final = "text/html"

_IMPORT: Final = re.compile(r"""^(?:import|export)\b[^"']*from ["'](\.[^"']+)["'];$""", re.MULTILINE)
_MODULES: Final = re.compile(r"\{modules ([\w./-]+)\}")
_SCRIPT: Final = re.compile(r'<script src="\{static\}/([\w./-]+)">')
_TEXT: Final = re.compile(r"\{text ([\w.-]+)(?: n=(\d+))?\}")
SAID: Final = re.compile(r'\b(?:text|parts)\(\s*"([\w.-]+)"')
"""How a script says a text: by its key, written out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """One file or page, as it is sent."""

    content: bytes
    packed: bytes
    """The same by gzip."""
    media_type: str
    etag: str


class Assets:
    """Everything in `edges/web/static`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        contents = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.suffix in MEDIA_TYPES and path.is_file()
        }
        whole = hashlib.sha256()
        for name, content in contents.items():
            whole.update(f"{name} {len(content)}\n".encode() + content)
        self.version = whole.hexdigest()[:16]
        """Changes with any file."""
        self._files = {name: pack(content, MEDIA_TYPES[Path(name).suffix]) for name, content in contents.items()}
        self._pages = {
            (path.parent.name, language): pack(self._render(path, language).encode(), HTML)
            for path in sorted(folder.glob("*/page.html"))
            for language in LANGUAGES
        }

    def file(self, name: str) -> Asset | None:
        """Return a file by its path in the folder; None where there is none, or it is not for browsers."""
        return self._files.get(name)

    def page(self, name: str, language: Language) -> Asset:
        """Return a page by the name of its folder, in a language."""
        return self._pages[name, language]

    def modules(self, name: str) -> list[str]:
        """Return a module and all that it imports, itself first, each once."""
        found = [name]
        for module in found:  # grows while it is gone through
            source = (self._folder / module).read_text(encoding="utf-8")
            for path in _IMPORT.findall(source):
                imported = (self._folder / module).parent.joinpath(path).resolve().relative_to(self._folder).as_posix()
                if imported not in found:
                    found.append(imported)
        return found

    def _render(self, path: Path, language: Language) -> str:
        base = f"/static/{self.version}"
        template = path.read_text(encoding="utf-8")

        def scripts(match: re.Match[str]) -> str:
            entry, *imported = self.modules(match[1])
            preloads = [f'<link rel="modulepreload" href="{base}/{name}">' for name in imported]
            return "\n  ".join([*preloads, f'<script type="module" src="{base}/{entry}"></script>'])

        def written(match: re.Match[str]) -> str:
            key, number = match.groups()
            return html.escape(text(language, key) if number is None else text(language, key, n=int(number)))

        page = _TEXT.sub(written, template).replace("{language}", language).replace("{static}", base)
        page = page.replace("{languages}", "\n    ".join(_way_to(other) for other in LANGUAGES if other != language))
        return _MODULES.sub(scripts, page).replace("{texts}", self._texts(template, language))

    def _texts(self, template: str, language: Language) -> str:
        """Return the texts that a page's scripts say, as an element that holds them and does nothing."""
        entries = _MODULES.findall(template)
        scripts = [*_SCRIPT.findall(template), *(module for entry in entries for module in self.modules(entry))]
        keys = {key for name in scripts for key in SAID.findall((self._folder / name).read_text(encoding="utf-8"))}
        texts = json.dumps({key: catalogue(language)[key] for key in sorted(keys)}, ensure_ascii=False)
        harmless = texts.replace("<", "\\u003c")  # in JSON the same, and no end of the element
        return f'<script type="application/json" id="texts">{harmless}</script>'


@cache
def load_assets() -> Assets:
    """Return the assets of this installation; read with the first call."""
    return Assets()


def _way_to(language: Language) -> str:
    """Return the link to the same page in another language, in that language."""
    return (
        f'<a class="button bare language" href="?language={language}" hreflang="{language}" lang="{language}">'
        f"{html.escape(text(language, 'language.name'))}</a>"
    )


def pack(content: bytes, media_type: str) -> Asset:
    """Return a file or page made ready to be sent."""
    return Asset(
        content=content,
        packed=gzip.compress(content, 9, mtime=0),
        media_type=media_type,
        etag=f'W/"{hashlib.sha256(content).hexdigest()[:32]}"',  # weak: packed or not, it is the same
    )
