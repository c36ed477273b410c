"""One line of JSON for a value: what logs write, and what commands print with `--json`."""

from __future__ import annotations

import json
from typing import Any

import orjson

_OPTIONS = orjson.OPT_NON_STR_KEYS


def json_line(value: Any) -> str:  # noqa: ANN401  whatever somebody logs
    """Return the value as JSON in one line; what has no form in JSON appears as its `str`.

    orjson refuses half an emoji and numbers past 64 bits. Both reach logs with strangers' input, and a line about a
    fault must not be lost for them: so json writes those, and takes twenty times as long.
    """
    try:
        return orjson.dumps(value, default=str, option=_OPTIONS).decode()
    except TypeError:
        return json.dumps(value, default=str)
