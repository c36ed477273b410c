"""CONTRACT.md says what is: its tables against the code, examples against the decoders, commands against --help."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any, Final

import jsonschema
import msgspec
import pytest
import rich_click as click

import sinks.errors
from commands.main import COMMANDS
from models import errors, topics
from models.errors import BadInput
from models.events import EVENT_BYTES_MAX, decode_event
from models.outgoing import AGAIN, ERASED, RECORDS, TRUNCATED
from models.topics import DAY_MS, TOPICS, UNLIMITED_MS, Topic
from process.settings import ENVIRONMENT_PREFIX, Settings
from schemas import specimens
from schemas.events import EVENTS, event_schema
from tests.contract import NOT_BUILT, ROOT, blocks, quoted, section, tables

CONTRACT: Final = "CONTRACT.md"
RULES: Final = 11


def kept(topic: Topic) -> str:
    """Return how the contract says for how long a topic's records are kept."""
    if topic.compacted:
        return "compacted"
    return "for ever" if topic.retention_ms == UNLIMITED_MS else f"{topic.retention_ms // DAY_MS:,} days"


def test_topics_are_those_of_the_code() -> None:
    """Name, key, value, retention, size and writer: of each topic, in the code's order."""
    (table,) = tables(CONTRACT, "Topics")
    in_code = {
        cells[0]: cells
        for line in (inspect.getdoc(topics) or "").splitlines()
        if ".v1" in line and (cells := [cell.strip() for cell in line.strip("|").split("|")])
    }
    assert [row["name"].strip("`") for row in table] == [topic.name for topic in TOPICS]
    for row, topic in zip(table, TOPICS, strict=True):
        _, key, value, _, written_by = in_code[topic.name]
        assert (row["key"], row["value"], row["written by"]) == (key, value, written_by)
        assert row["kept"] == kept(topic)
        assert row["record at most, bytes"] == f"{topic.message_bytes_max:,}"


def test_defaults_are_those_of_the_settings() -> None:
    """Prefix, partitions, thresholds; and each variable that is named exists."""
    fields = Settings.model_fields
    text = (ROOT / CONTRACT).read_text(encoding="utf-8")
    assert f"the prefix, `{fields['topic_prefix'].default}` unless set otherwise" in text
    assert f"({fields['partitions'].default} unless set otherwise)" in text
    assert f"Thresholds are {', '.join(map(str, fields['thresholds'].default))} unless set otherwise" in text
    named = set(re.findall(rf"{ENVIRONMENT_PREFIX}([A-Z_]+)\b", text))
    assert {name.lower() for name in named} <= set(fields)
    assert f"more than {EVENT_BYTES_MAX:,} bytes is too large" in text


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_each_event_has_an_example_that_is_good(kind: Any) -> None:  # noqa: ANN401  a Struct's class
    """The decoder and the schema take it, it is the one of the machine-readable contract, and no field is left out."""
    (example,) = blocks(CONTRACT, kind.__name__, "json")
    event = decode_event(kind, example.encode())
    assert event == specimens.EVENTS[kind]
    document = msgspec.json.decode(example)
    jsonschema.validate(document, event_schema(kind), format_checker=jsonschema.FormatChecker())
    named = set(document) | set(quoted(section(CONTRACT, kind.__name__)))
    assert {field.name for field in msgspec.structs.fields(kind)} <= named


def test_dead_letters_headers_and_faults_are_all_there() -> None:
    """Headers as a dead letter has them; each kind of fault that makes one, for which the page has words."""
    headers, faults = tables(CONTRACT, "Dead letters")
    made = {name for name, _ in specimens.DEAD_LETTER.headers} | {AGAIN, ERASED, RECORDS, TRUNCATED}
    assert {row["header"].strip("`") for row in headers} == made
    kinds = {
        name
        for module in (errors, sinks.errors)
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, BadInput) and kind is not BadInput
    }
    listed = [row["kind of fault"].strip("`") for row in faults]
    assert set(listed) == kinds
    words = (ROOT / "edges/web/static/dead-letters/reasons.js").read_text(encoding="utf-8")
    assert re.findall(r"^  ([A-Z]\w+): text", words, re.MULTILINE) == listed


def test_rules_keep_their_numbers_and_whoever_cites_one_finds_it() -> None:
    """Rules 1 to 11 stand there in order; no line of the source cites another."""
    numbers = re.findall(r"^(\d+)\. \*\*", section(CONTRACT, "Rules"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, RULES + 1)]
    cited: set[int] = set()
    for folder in ("commands", "edges", "local", "models", "operations", "proof", "schemas", "sinks", "streams"):
        for file in (ROOT / folder).rglob("*.py"):
            for found in re.findall(r"\brules? (\d+)(?: to (\d+))?", file.read_text(encoding="utf-8")):
                cited |= {int(number) for number in found if number}
    assert cited
    assert cited <= set(range(1, RULES + 1))


def commands() -> set[str]:
    """Return every command that `--help` shows; of a group that does nothing by itself its commands alone."""
    found = set()
    for name in COMMANDS:
        command = importlib.import_module(f"commands.{name.replace('-', '_')}").command
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}" for inner in command.commands}
            if command.invoke_without_command:
                found.add(name)
        else:
            found.add(name)
    return found


def test_commands_are_those_of_help() -> None:
    """Each that is built is listed, none is listed that is not, and "not built yet" is said of no other."""
    built: set[str] = set()
    promised: set[str] = set()
    (table,) = tables(CONTRACT, "Commands")
    for row in table:
        (promised if NOT_BUILT in row["does"] else built).update(quoted(row["command"]))
    assert built == commands()
    assert not promised & commands()


def test_readme_and_design_lead_to_it() -> None:
    """Somebody who begins with either finds the contract."""
    for file in ("README.md", "DESIGN.md"):
        assert f"]({CONTRACT})" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("file", ["CONTRACT.md", "DESIGN.md", "README.md", "proof/bench/README.md"])
def test_what_a_text_points_at_exists(file: str) -> None:
    """Links and paths of files; a path is what has a folder of ours in front, or a known ending."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / file).parent.joinpath(target).exists(), target
    for path in quoted(text):
        if re.fullmatch(r"[\w./-]+\.(py|md|sql|toml|yml|txt|in)|[a-z_]+(/[a-z_]+)*/", path) and "/" in path:
            assert (ROOT / path).exists(), path


def headings(text: str) -> set[str]:
    """Return the anchors of a text's headings, as renderers make them."""
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in found}


def test_links_inside_the_contract_lead_somewhere() -> None:
    """Each `#anchor` is a heading."""
    text = Path(ROOT / CONTRACT).read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings(text)
