"""What stands on the site's pages to be pasted is pasted: each block that does not say why not, in the page's order.

README.md is followed by a test of its own. The others find a small installation, in real Kafka and real Postgres, and a
terminal as somebody has it who has followed the README: the addresses set, an organisation, a mentor and his code.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, LiteralString

import psycopg
import pytest

from local.parts.postgres import binaries
from models.partitioning import partition_of
from process.settings import Settings
from tests.programme_scene import ANNA, ANNAS_CODE, BERTS_CODE, ORG, OTHER_ORG, PARTITIONS, Written, in_both, scene
from tests.snippets import Snippet, pages, snippets
from tests.terminal import Terminal
from tests.web import JWT_SECRET, SECRET_KEYS, as_web_login

pytestmark = pytest.mark.integration

TO_RUN: Final = {
    page: found
    for page in pages()
    if page != "README.md"
    and (
        found := [
            each
            for each in snippets(page)
            if each.language in {"sh", "python"} and each.not_run is None and each.run_by is None
        ]
    )
}
PREPARED: Final[dict[str, LiteralString]] = {
    "docs/sign-in.md": """INSERT INTO sessions
        (org_id, session_id, secret_digest, subject, role, signed_in_by, expires_at)
        VALUES (%s, gen_random_uuid(), sha256('a'), 'kari', 'coordinator', 'link', now() + interval '1 day')""",
    "docs/mail.md": """INSERT INTO mail_subscriptions
        (org_id, subscription_id, subject, role, topic, address, language, secret)
        VALUES (%s, gen_random_uuid(), 'kari', 'coordinator', 'summary', 'kari@example.org', 'nb', sha256('a'))""",
}
"""Who is signed in, and who has given an address, when a page is followed."""
TOOLS: Final = ("kcat", "psql")
"""What a package registry of Python's does not have, or not on the path."""


@pytest.fixture
def terminal(settings: Settings, tmp_path: Path) -> Iterator[Terminal]:
    """Give a terminal beside an installation of which nothing is wrong."""
    the = scene()
    the.dead_letters, the.copies = [], []
    the.sources = [each for each in the.sources if is_right(each)]
    in_both(
        the,
        ANNA,
        total_clicks=1,
        conversion_rate=1.0,
        by_channel={"sms": {"clicks": 1, "pending": 0, "confirmed": 2}},
        last_event_at="2026-11-20T10:07:00Z",
    )
    the.history[ORG, "sms"] = (1, 2, 2, 0)
    the.history[ORG, "email"] = (0, 0, 0, 0)
    written = the.write(settings)
    in_path = [str(tmp_path), str(Path(sys.executable).parent), str(binaries())]
    yield Terminal(
        tmp_path,
        PATH=os.pathsep.join([*in_path, os.environ["PATH"]]),
        REFERRALS_BOOTSTRAP_SERVERS=written.bootstrap_servers,
        REFERRALS_DATABASE_URL=written.database_url,
        REFERRALS_WEB_DATABASE_URL=as_web_login(written.database_url),
        REFERRALS_TOPIC_PREFIX=written.topic_prefix,
        REFERRALS_APP_ID=written.app_id,
        REFERRALS_PARTITIONS=str(written.partitions),
        REFERRALS_THRESHOLDS=",".join(map(str, written.thresholds)),
        REFERRALS_DATA_DIR=str(tmp_path / "data"),
        REFERRALS_PUBLIC_URL="https://example.org",
        REFERRALS_SECRET_KEYS=SECRET_KEYS,
        REFERRALS_JWT_SECRET=JWT_SECRET,
        ORG=ORG,
        MENTOR=ANNA,
        CODE=ANNAS_CODE,
    )
    with psycopg.connect(written.database_url) as owner:
        if owner.execute("SELECT FROM pg_roles WHERE rolname = 'kari'").fetchone():
            owner.execute("DROP OWNED BY kari; DROP ROLE kari")


def is_right(record: Written) -> bool:
    """Tell whether nothing is wrong with a record of the scene."""
    value = record.value or b""
    named = {code for code in (ANNAS_CODE, BERTS_CODE) if f'"{code}"'.encode() in value}
    of_another = OTHER_ORG.encode() in value and record.key == ANNAS_CODE
    in_place = record.partition == partition_of((record.key or "").encode(), PARTITIONS)
    return named == {record.key} and in_place and not of_another


def missing(snippet: Snippet) -> str | None:
    """Return what of a block's tools is not here."""
    if snippet.language == "sh":
        named = [tool for tool in TOOLS if re.search(rf"^(.*\| )?{tool} ", snippet.text, re.MULTILINE)]
        return next((tool for tool in named if shutil.which(tool) is None), None)
    if snippet.language == "python":
        imported = {
            name.partition(".")[0]
            for node in ast.walk(ast.parse(snippet.text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        }
        return next((name for name in sorted(imported) if importlib.util.find_spec(name) is None), None)
    return None


def paste(terminal: Terminal, snippet: Snippet) -> str:
    """Run a block as its language is run."""
    if snippet.language == "sh":
        kept = terminal.directory / "variables"
        said = terminal.paste("set -a", snippet.text, f"env -0 > {kept}")
        terminal.env |= dict(each.split("=", 1) for each in kept.read_text().split("\0") if "=" in each)
        return said
    script = terminal.directory / "snippet.py"
    script.write_text(snippet.text, encoding="utf-8")
    return terminal.paste(f"{sys.executable} -P {script}")


@pytest.mark.parametrize("page", TO_RUN)
def test_what_is_pasted_works(page: str, terminal: Terminal, subtests: pytest.Subtests) -> None:
    """Exit code 0 of every command, and something said where somebody looks for it."""
    if page in PREPARED:
        with psycopg.connect(terminal.env["REFERRALS_DATABASE_URL"]) as owner:
            owner.execute(PREPARED[page], [ORG])
    for snippet in TO_RUN[page]:
        with subtests.test(str(snippet)):
            if tool := missing(snippet):
                pytest.skip(f"{snippet}: {tool} is not here")
            paste(terminal, snippet)
