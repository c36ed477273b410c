"""The pages and the files they are made of, read once and kept packed.

Files are served under `/static/HASH/...`, where HASH is of all of them together: a file's address changes with its
content, so browsers may keep it for ever, and modules that import each other by relative paths need no build step.
Pages name their files by `{static}`; `{modules X}` is the script X and, so that they are fetched at once and not one
after another, every module that it imports.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

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
        self._files = {name: _asset(content, MEDIA_TYPES[Path(name).suffix]) for name, content in contents.items()}
        self._pages = {
            path.parent.name: _asset(self._render(path).encode(), HTML) for path in sorted(folder.glob("*/page.html"))
        }

    def file(self, name: str) -> Asset | None:
        """Return a file by its path in the folder; None where there is none, or it is not for browsers."""
        return self._files.get(name)

    def page(self, name: str) -> Asset:
        """Return a page by the name of its folder."""
        return self._pages[name]

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

    def _render(self, path: Path) -> str:
        base = f"/static/{self.version}"

        def scripts(match: re.Match[str]) -> str:
            entry, *imported = self.modules(match[1])
            preloads = [f'<link rel="modulepreload" href="{base}/{name}">' for name in imported]
            return "\n  ".join([*preloads, f'<script type="module" src="{base}/{entry}"></script>'])

        text = path.read_text(encoding="utf-8").replace("{static}", base)
        return _MODULES.sub(scripts, text)


@cache
def load_assets() -> Assets:
    """Return the assets of this installation; read with the first call."""
    return Assets()


def _asset(content: bytes, media_type: str) -> Asset:
    return Asset(
        content=content,
        packed=gzip.compress(content, 9, mtime=0),
        media_type=media_type,
        etag=f'W/"{hashlib.sha256(content).hexdigest()[:32]}"',  # weak: packed or not, it is the same
    )
