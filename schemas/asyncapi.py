"""AsyncAPI 3.0: every topic of the contract with key, partitions, clean-up, headers, messages, and who sends and reads.

Topics come from `models.topics`, payloads from the types, header names from records that the app's own functions make.
What is written here is who does what, and what a header means; a header without a meaning here is an error.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from models.events import Click, CodeIssued, Erasure, MentorCounts, MilestoneReached, Registration
from models.issues import STANDS
from models.outgoing import AGAIN, ERASED, MOVED_FROM, RECORDS, STAGE, TRUNCATED
from models.topics import (
    CLICKS,
    CODES,
    DEAD_LETTERS,
    MENTOR_COUNTS,
    MILESTONES,
    REGISTRATIONS,
    SOURCES,
    TOPICS,
    Topic,
)
from models.traces import TRACEPARENT
from process.settings import Settings
from process.version import VERSION
from schemas import specimens
from schemas.events import DIFFERENCES, Schema, event_components

_EVENT_OF: Final[dict[str, type]] = {
    CODES.name: CodeIssued,
    CLICKS.name: Click,
    REGISTRATIONS.name: Registration,
    MENTOR_COUNTS.name: MentorCounts,
    MILESTONES.name: MilestoneReached,
}

_ERASURE: Final = (
    "The member of a pair was erased: what it counts as stands still, and later events of it change nothing. It names "
    "the pair by a digest of code and member. Readers who follow pairs do the same; others pass it over."
)

_MEANING: Final[dict[str, str]] = {
    CODES.name: "Which mentor of which organisation has which code. The first issue of a code stands.",
    CLICKS.name: "Somebody opened a link with a code. Each record counts once.",
    REGISTRATIONS.name: "A member came, was confirmed, withdrew. Of a pair of code and member the latest `confirmed` "
    "or `withdrawn` counts, by `occurred_at`; a record that comes again changes nothing.",
    MENTOR_COUNTS.name: "The counts of each mentor, the latest of a key being what stands. For analysts too.",
    MILESTONES.name: "A mentor's confirmed count reached a threshold: one record for each, for ever.",
    DEAD_LETTERS.name: "Records that could not be used, bytes as received; the headers say why.",
}

_CODE_KEY: Final = {
    "type": "string",
    "description": "The referral code, normalised. What comes under another key is moved to where its code belongs.",
}
_MENTOR_KEY: Final = {"type": "string", "description": "`org_id:mentor_id`, both in lower case."}
_KEY_OF: Final[dict[str, Schema]] = {
    **dict.fromkeys((topic.name for topic in SOURCES), _CODE_KEY),
    MENTOR_COUNTS.name: _MENTOR_KEY,
    MILESTONES.name: _MENTOR_KEY,
    DEAD_LETTERS.name: {"description": "As received: text of any kind, or none."},
}

_HEADER: Final[dict[str, str]] = {
    "ce_specversion": "CloudEvents, binary mode.",
    "ce_id": "The milestone's id: the same for the same organisation, mentor and threshold.",
    "ce_type": "As `event_type`.",
    "ce_source": "What announced it.",
    "ce_time": "As `reached_at`.",
    "content-type": "Of the value.",
    "__connect.errors.topic": "Full name of the topic it was read from.",
    "__connect.errors.partition": "Its partition there.",
    "__connect.errors.offset": "Its offset there.",
    "__connect.errors.exception.class.name": "What kind of fault; see models/errors.py.",
    "__connect.errors.exception.message": "What is wrong, for a person.",
    "__connect.errors.stage": f"Who could not use it: `{STAGE}` is the stream app, else the component's name.",
    RECORDS: "How many records this one stands for, where it is more than one.",
    TRUNCATED: "Where it was too large to be sent whole: its size. Key and headers are left out, the value is cut.",
    ERASED: "There where the record waited for its code when its member was erased: a pseudonym stands in his place.",
    AGAIN: "There where it is sent once more, because the state was rebuilt: it says nothing new.",
    STANDS: "There where the stream app wrote the issue again, because it stands and something came after it.",
    TRACEPARENT: "There where it belongs to a trace, in W3C's form.",
    MOVED_FROM: "Where the stream app moved it to its code's partition: `topic/partition/offset` of where it was read.",
}
_SOMETIMES: Final = {
    MILESTONES.name: (TRACEPARENT,),
    DEAD_LETTERS.name: (RECORDS, TRUNCATED, ERASED, AGAIN, TRACEPARENT),
} | {
    topic.name: (MOVED_FROM, TRUNCATED, AGAIN, TRACEPARENT, *((STANDS,) if topic is CODES else ())) for topic in SOURCES
}

_ACTIVITY: Final[dict[str, tuple[tuple[Topic, ...], tuple[Topic, ...]]]] = {
    # component: what it reads, what it sends
    "stream": (SOURCES, (MENTOR_COUNTS, MILESTONES, DEAD_LETTERS, *SOURCES)),
    "badges": ((MILESTONES,), (DEAD_LETTERS,)),
    "counts": ((*SOURCES, MENTOR_COUNTS), (DEAD_LETTERS,)),
    "web": ((), (CODES, CLICKS, REGISTRATIONS)),
    "reconcile": ((REGISTRATIONS,), (REGISTRATIONS,)),
    "erase-member": ((), (REGISTRATIONS,)),
}
_COMPONENTS: Final = {
    "stream": "The stream app: joins, counts, announces. Of what it reads it sends what it moves to its partition.",
    "badges": "The badge consumer: milestones to awards in Postgres.",
    "counts": "The projection of codes and counts into Postgres, and of what happened on which day.",
    "web": "The HTTP side: the code registry's relay, share links, webhooks.",
    "reconcile": "Reconciliation: confirmations and withdrawals that never came.",
    "erase-member": "Erasures of members, sent by an operator.",
}

_ABOUT: Final = """\
Values are JSON objects; times are RFC 3339 with offset; identifiers are UUIDs.
A topic changes only by a new version of it (`.v2`), never in place.
Read `mentor-counts` and `milestones` with `isolation.level=read_committed`.

Where the schemas and the app's decoder differ:
"""


def asyncapi_yaml() -> str:
    """Return the description as YAML."""
    return yaml.dump(asyncapi_document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


def asyncapi_document() -> dict[str, Any]:
    """Return the description."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Referral Streams",
            "version": VERSION,
            "description": _ABOUT + "\n".join(f"- {difference}" for difference in DIFFERENCES),
            "tags": [{"name": name, "description": text} for name, text in _COMPONENTS.items()],
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap_servers}",
                "protocol": "kafka",
                "description": "Plaintext on loopback; SASL_SSL or SSL elsewhere (REFERRALS_SECURITY_PROTOCOL).",
                "variables": {
                    "bootstrap_servers": {
                        "default": _default("bootstrap_servers"),
                        "description": "REFERRALS_BOOTSTRAP_SERVERS.",
                    }
                },
            }
        },
        "channels": {_short(topic): _channel(topic) for topic in TOPICS},
        "operations": {
            f"{component}.{action}.{_short(topic)}": _operation(component, action, topic)
            for component, (read, sent) in _ACTIVITY.items()
            for action, topics in (("receive", read), ("send", sent))
            for topic in topics
        },
        "components": {
            "messages": {_message_name(topic): _message(topic) for topic in TOPICS} | {Erasure.__name__: _erasure()},
            "schemas": event_components(ref_template="#/components/schemas/{name}"),
        },
    }


def _channel(topic: Topic) -> Schema:
    partitions = (
        "The partition is murmur2 of the key (Kafka's own default, not librdkafka's)."
        if topic is not DEAD_LETTERS
        else "The partition follows from the key as received; a record without one goes anywhere."
    )
    together = " codes, clicks and registrations have the same number of partitions." if topic in SOURCES else ""
    return {
        "address": "{topic_prefix}" + topic.name,
        "title": topic.name,
        "description": f"{_MEANING[topic.name]} {partitions}{together}",
        "parameters": {
            "topic_prefix": {
                "default": specimens.PREFIX,
                "description": "REFERRALS_TOPIC_PREFIX, one for each installation.",
            }
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(topic)},
        "bindings": {
            "kafka": {
                "partitions": _default("partitions"),
                "replicas": _default("replication_factor"),
                "topicConfiguration": {
                    "cleanup.policy": [topic.config()["cleanup.policy"]],
                    "retention.ms": topic.retention_ms,
                    "max.message.bytes": topic.message_bytes_max,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(topic: Topic) -> Schema:
    always: dict[str, str] = {}
    if topic is MILESTONES:
        always = specimens.headers_of(specimens.MILESTONE)
    elif topic is DEAD_LETTERS:
        always = specimens.headers_of(specimens.DEAD_LETTER)
    names = [*always, *_SOMETIMES.get(topic.name, ())]
    event = _EVENT_OF.get(topic.name)
    if event is None:
        payload: Schema = {"description": "As received: any bytes; usually an event of the source topic."}
        example: object = (specimens.DEAD_LETTER.value or b"").decode()
    else:
        payload = {"$ref": f"#/components/schemas/{event.__name__}"}
        example = specimens.as_json(specimens.EVENTS[event])
    message: Schema = {
        "name": _message_name(topic),
        "summary": _MEANING[topic.name],
        "contentType": "application/octet-stream" if event is None else "application/json",
        "payload": payload,
        "bindings": {"kafka": {"key": _KEY_OF[topic.name], "bindingVersion": "0.5.0"}},
        "examples": [{"payload": example, **({"headers": always} if always else {})}],
    }
    if names:
        message["headers"] = {
            "type": "object",
            "properties": {name: {"type": "string", "description": _HEADER[name]} for name in names},
            "required": list(always),
        }
    return message


def _erasure() -> Schema:
    return {
        "name": Erasure.__name__,
        "summary": _ERASURE,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{Erasure.__name__}"},
        "bindings": {"kafka": {"key": _CODE_KEY, "bindingVersion": "0.5.0"}},
        "examples": [{"payload": specimens.as_json(specimens.ERASURE)}],
    }


def _is_sent(message: str, component: str, action: str) -> bool:
    """Tell whether a component takes such messages, or sends them; one that is moved the stream app sends again."""
    if action == "receive" or component == "stream":
        return True
    return (message == Erasure.__name__) == (component == "erase-member")


def _message_names(topic: Topic) -> list[str]:
    return [_message_name(topic), *([Erasure.__name__] if topic is REGISTRATIONS else [])]


def _operation(component: str, action: str, topic: Topic) -> Schema:
    reads_committed = action == "receive" and topic in (MENTOR_COUNTS, MILESTONES)
    channel = f"#/channels/{_short(topic)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [
            {"$ref": f"{channel}/messages/{name}"}
            for name in _message_names(topic)
            if _is_sent(name, component, action)
        ],
        "tags": [{"name": component}],
        **({"description": "With isolation.level=read_committed."} if reads_committed else {}),
    }


def _short(topic: Topic) -> str:
    """Return a topic's name without version: AsyncAPI's keys hold no dots that its tools could stumble over."""
    return topic.name.partition(".")[0]


def _message_name(topic: Topic) -> str:
    event = _EVENT_OF.get(topic.name)
    return "DeadLetter" if event is None else event.__name__


def _default(setting: str) -> Any:  # noqa: ANN401  as the setting's
    return Settings.model_fields[setting].default


class _Plain(yaml.SafeDumper):
    """YAML without anchors, text of several lines as a block, and lists indented below their key."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002  PyYAML's signature
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  PyYAML's signature
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _represent_text)
