"""Which dead letters are sent again, and as what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaError, KafkaException

from edges.publishing.lines import Line
from edges.publishing.replaying import BEFORE, READY, REFUSED, CannotReplay, Judge, Replay
from models.dead_letters import Letter, letter_of
from models.erasures import pseudonym
from models.errors import BadEvent, BadInput, CodeTaken, OtherOrganisation, WaitedTooLong
from models.outgoing import ERASED, TRUNCATED, TRUNCATED_TO, dead_letter
from models.topics import CLICKS, CODES, REGISTRATIONS
from operations.dead_letters import Replayed
from process.settings import load_settings
from streams.engine.batch import SourceRecord
from tests.factories import (
    CLICKS_TOPIC,
    CODE,
    CODES_TOPIC,
    PREFIX,
    REGISTRATIONS_TOPIC,
    Event,
    make_click,
    make_code_issued,
    make_erasure,
    make_registration,
    uuid,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def letter(
    event: Event | bytes,
    fault: BadInput | None = None,
    topic: str = CLICKS_TOPIC,
    headers: Sequence[tuple[str, bytes]] = (),
    offset: int = 0,
) -> Letter:
    """Return a dead letter."""
    value = event if isinstance(event, bytes) else json.dumps(event).encode()
    record = SourceRecord(topic, 0, offset, 0, b"as it came", value, list(headers))
    sent = dead_letter("dead", record, fault or WaitedTooLong("too long"))
    return letter_of(SourceRecord("dead", 0, 0, 0, sent.key, sent.value, sent.headers), NOW)


def test_it_is_sent_to_its_topic_keyed_by_its_code() -> None:
    """As it stands where that is right; once, also where there is another dead letter of the record."""
    judge = Judge(PREFIX, {})
    verdict = judge.judge(letter(make_click("anna-ooooo1")), NOW)
    assert verdict.kind == READY
    assert verdict.line == Line(CLICKS, CODE.encode(), json.dumps(make_click("anna-ooooo1")).encode())
    assert judge.judge(letter(make_click("anna-ooooo1")), NOW).kind == BEFORE
    assert judge.judge(letter(make_click("anna-ooooo1"), offset=1), NOW).kind == READY


def test_what_was_sent_before_is_known_by_the_record() -> None:
    """Whatever made the second dead letter."""
    known = {letter(make_click()).identity: Replayed(letter="dead/0/5", topic=CLICKS_TOPIC, at="then")}
    assert Judge(PREFIX, known).judge(letter(make_click(), BadEvent("again")), NOW).kind == BEFORE


def test_what_is_certain_is_repaired() -> None:
    """The front door's own reading."""
    event = make_click()
    event["referralCode"] = event.pop("referral_code")
    verdict = Judge(PREFIX, {}).judge(letter(event, BadEvent("no code")), NOW)
    assert verdict.line is not None
    assert json.loads(verdict.line.value)["referral_code"] == CODE


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (letter(b"{", BadEvent("x")), "it would be one again: Click: body is not JSON"),
        (letter(make_click(), OtherOrganisation("x")), "the first issue of a code stands"),
        (letter(make_code_issued(), CodeTaken("x"), CODES_TOPIC), "the first issue of a code stands"),
        (letter(make_click(occurred_at="2100-01-01T00:00:00Z")), "more than a day ahead"),
        (letter(b"{}", topic="referrals.milestones.v1"), "only codes, clicks and registrations"),
        (letter(b"x" * TRUNCATED_TO, headers=[(TRUNCATED, b"9999999")]), "too large"),
        (letter(make_registration(), topic=REGISTRATIONS_TOPIC, headers=[(ERASED, b"1")]), "was erased"),
    ],
    ids=["not JSON", "another organisation", "taken", "ahead", "milestone", "cut", "erased"],
)
def test_what_would_be_one_again_is_refused(given: Letter, why: str) -> None:
    """With the reason, and never sent."""
    verdict = Judge(PREFIX, {}).judge(given, NOW)
    assert (verdict.kind, verdict.line) == (REFUSED, None)
    assert why in verdict.why


@pytest.mark.parametrize("unchecked", [False, True])
def test_an_erased_members_registration_is_not_sent_again(*, unchecked: bool) -> None:
    """Whoever asks for it; another member's is, and who was erased is asked for registrations alone."""
    judge = Judge(PREFIX, {}, erased=lambda: {pseudonym(CODE, uuid(1))}, unchecked=unchecked)
    named = make_registration(1, referral_code="anna-ooooo1", new_member_id=uuid(1).upper())
    assert "was erased" in judge.judge(letter(named, topic=REGISTRATIONS_TOPIC), NOW).why
    assert judge.judge(letter(make_registration(2), topic=REGISTRATIONS_TOPIC), NOW).kind == READY
    never = Judge(PREFIX, {}, erased=lambda: 1 / 0)  # type: ignore[arg-type, return-value]  # it is not asked
    assert never.judge(letter(make_click()), NOW).kind == READY


def test_an_erasure_that_an_older_worker_did_not_know_is_sent_again() -> None:
    """Under its code, so that it comes among the events of its pair."""
    erasure = make_erasure(1)
    verdict = Judge(PREFIX, {}).judge(letter(erasure, BadEvent("x"), topic=REGISTRATIONS_TOPIC), NOW)
    assert verdict.line == Line(REGISTRATIONS, CODE.encode(), json.dumps(erasure).encode())


def test_unchecked_sends_it_as_it_stands() -> None:
    """Under its code where it names one, else under the key that it had."""
    judge = Judge(PREFIX, {}, unchecked=True)
    assert judge.judge(letter(b"{", BadEvent("x")), NOW).line == Line(CLICKS, b"as it came", b"{")
    taken = judge.judge(letter(make_code_issued("anna-ooooo1"), CodeTaken("x"), CODES_TOPIC), NOW)
    assert taken.line is not None
    assert taken.line[:2] == (CODES, CODE.encode())


class Fenced:
    """A producer that another one has ended: librdkafka says so at the end of the transaction, and not to `produce`."""

    def begin_transaction(self) -> None:
        """Begin, as it knows nothing yet."""

    def produce(self, *_: object, **__: object) -> None:
        """Refuse."""
        raise KafkaException(KafkaError(KafkaError._FATAL))  # noqa: SLF001  librdkafka's own name

    def abort_transaction(self, _timeout_s: float) -> None:
        """Say why."""
        raise KafkaException(KafkaError(KafkaError._FENCED))  # noqa: SLF001  librdkafka's own name


def test_a_replay_that_another_has_ended_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where `produce` is the first to notice, which knows only that the error is fatal."""
    sender = Replay(load_settings())
    monkeypatch.setattr(sender, "_producer", Fenced())
    with pytest.raises(CannotReplay, match="another replay has begun meanwhile"):
        sender.send([Judge(PREFIX, {}).judge(letter(make_click()), NOW)])
