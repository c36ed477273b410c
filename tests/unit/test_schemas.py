"""The machine-readable contract: as committed, as valid as its standards want, and in agreement with the decoder."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.topics import SOURCES, TOPICS
from process.settings import Settings
from process.version import VERSION
from schemas.asyncapi import asyncapi_document, asyncapi_yaml
from schemas.files import FOLDER, contents, differences, write
from schemas.openapi import openapi_document

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `referrals schemas`."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "commands", "schemas", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_committed_files_are_up_to_date() -> None:
    """What is committed is what the types say; if not: `referrals schemas`."""
    assert differences(FOLDER) == []


def test_check_names_what_differs_and_writing_mends_it(tmp_path: Path) -> None:
    """`--check` names files that are missing, different or no longer known; without it they are put right."""
    write(tmp_path)
    (tmp_path / "openapi.json").write_text("{}")
    (tmp_path / "asyncapi.yaml").unlink()
    (tmp_path / "events/Gone.json").write_text("{}")
    checked = run("--check", "--folder", str(tmp_path))
    assert checked.returncode == 1
    for path in ("openapi.json", "asyncapi.yaml", "events/Gone.json"):
        assert f"{tmp_path / path}: is not" in checked.stdout
    assert "Click.json" not in checked.stdout
    assert run("--folder", str(tmp_path)).returncode == 0
    assert differences(tmp_path) == []
    assert not (tmp_path / "events/Gone.json").exists()


def test_files_hold_the_version_and_no_date() -> None:
    """The version stands in each; nothing but examples names a time, so that nothing changes by itself."""
    for path, text in contents().items():
        assert VERSION in text, path
    assert contents() == contents()


# -- AsyncAPI ---------------------------------------------------------------------------------------------------


def references(part: object) -> Iterator[str]:
    """Yield every `$ref` of a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolve(document: dict[str, Any], reference: str) -> Any:  # noqa: ANN401  any part of a JSON document
    """Return what a `$ref` of this document points at; KeyError where it points at nothing."""
    assert reference.startswith("#/")
    found: Any = document
    for name in reference[2:].split("/"):
        found = found[name]
    return found


@pytest.mark.parametrize("describe", [asyncapi_document, openapi_document])
def test_every_reference_points_at_something(describe: Callable[[], dict[str, Any]]) -> None:
    """No `$ref` leads nowhere."""
    document = describe()
    assert {resolve(document, reference) is not None for reference in references(document)} == {True}


def test_yaml_is_the_document() -> None:
    """Reading the YAML gives the document back."""
    assert yaml.safe_load(asyncapi_yaml()) == asyncapi_document()


def test_asyncapi_has_what_the_standard_wants() -> None:
    """The parts that AsyncAPI 3.0 asks for are there, and no others: the names are the standard's."""
    document = asyncapi_document()
    assert set(document) <= {
        *("asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"),
    }
    assert {"title", "version"} <= set(document["info"])
    assert all({"host", "protocol"} <= set(server) for server in document["servers"].values())
    for name, channel in document["channels"].items():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"]), name
    for name, operation in document["operations"].items():
        assert operation["action"] in {"send", "receive"}, name
        channel = resolve(document, operation["channel"]["$ref"])
        for message in operation["messages"]:  # of the operation's own channel
            assert resolve(document, message["$ref"]) in channel["messages"].values(), name
        assert {tag["name"] for tag in operation["tags"]} <= {tag["name"] for tag in document["info"]["tags"]}, name


def test_every_topic_is_a_channel_as_it_is_created() -> None:
    """Names, partitions and clean-up are those that `topics create` gives."""
    document = asyncapi_document()
    channels = {channel["title"]: channel for channel in document["channels"].values()}
    assert set(channels) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        channel = channels[topic.name]
        kafka = channel["bindings"]["kafka"]
        prefix = Settings.model_fields["topic_prefix"].default
        assert channel["address"].format(topic_prefix=prefix) == topic.full_name(prefix)
        assert kafka["partitions"] == Settings.model_fields["partitions"].default
        assert {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in kafka["topicConfiguration"].items()
        } == topic.config()


def test_every_topic_is_sent_and_its_messages_are_described() -> None:
    """Each topic has a sender of ours, a key, and an example with headers as they are described."""
    document = asyncapi_document()
    topics: dict[str, set[str]] = {"send": set(), "receive": set()}
    for operation in document["operations"].values():
        topics[operation["action"]].add(resolve(document, operation["channel"]["$ref"])["title"])
    assert topics["send"] == {topic.name for topic in TOPICS}
    assert topics["receive"] >= {topic.name for topic in SOURCES}
    for name, message in document["components"]["messages"].items():
        assert message["bindings"]["kafka"]["key"], name
        headers = message.get("headers", {"properties": {}, "required": []})
        for example in message["examples"]:
            assert set(headers["required"]) <= set(example.get("headers", {})) <= set(headers["properties"]), name
    milestone = document["components"]["messages"]["MilestoneReached"]["headers"]["required"]
    assert {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"} == set(milestone)
    letter = document["components"]["messages"]["DeadLetter"]["headers"]["required"]
    assert {
        f"__connect.errors.{name}"
        for name in ("topic", "partition", "offset", "exception.class.name", "exception.message", "stage")
    } == set(letter)


# -- OpenAPI ----------------------------------------------------------------------------------------------------


def test_every_operation_says_what_it_answers() -> None:
    """Operations have names of their own, bodies have types, and errors are problem details."""
    document = openapi_document()
    names = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            names.append(operation["operationId"])
            assert operation["summary"], (method, path)
            assert operation["responses"], (method, path)
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path != "/health/ready":
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)
            if operation.get("security") == [{"bearer": []}]:
                refusals = {"401", "404"} if "{org_id}" in path else {"401"}
                assert refusals <= set(operation["responses"]), (method, path)
    assert len(names) == len(set(names))


def test_description_is_made_twice_without_a_trace() -> None:
    """Making it changes nothing that is used again."""
    assert openapi_document() == openapi_document()
