"""What is missing in the topic, by the contract's rule; and that no order, number or repetition of rows changes it."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edges.reconciliation.deciding import decide, latest_words, registration, under_two_codes
from edges.reconciliation.members import Member
from models.events import Registration, decode_event
from models.members import PENDING, Pair, pair_after, pair_key

ORG = "0a000000-0000-4000-8000-000000000001"
CODES = ("ANNA000001", "BERT000002")
START = datetime(2026, 11, 20, 10, tzinfo=UTC)
PENDING_PAIR = Pair(PENDING, 0, "")


def member_id(number: int) -> str:
    """Return a member's id."""
    return f"0c000000-0000-4000-8000-{number:012}"


def word(status: str, minute: int = 0, *, number: int = 1, code: str = CODES[0]) -> Member:
    """Return what a membership system says of a member."""
    assert status in {"confirmed", "withdrawn"}
    return Member(code, member_id(number), status, START + timedelta(minutes=minute))  # type: ignore[arg-type]  # just checked


def key_of(member: Member) -> bytes:
    """Return the pair's key."""
    return pair_key(member.code or "", member.member_id)


def follow(found: dict[bytes, Pair], events: list[Member]) -> dict[bytes, Pair]:
    """Return the topic's states after more events."""
    states = dict(found)
    for event in events:
        states[key_of(event)] = pair_after(states.get(key_of(event), PENDING_PAIR), event.status, event.at)
    return states


WORD = word("confirmed", 5)


@pytest.mark.parametrize(
    ("said", "there", "outcome"),
    [
        (WORD, None, "missing"),
        (WORD, "pending", "missing"),
        (WORD, word("confirmed", 5), "matched"),
        (WORD, word("confirmed", 1), "matched"),
        (WORD, word("confirmed", 9), "matched"),
        (WORD, word("withdrawn", 9), "superseded"),
        (WORD, word("withdrawn", 5), "superseded"),
        (WORD, word("withdrawn", 1), "missing"),  # who came back
        (word("withdrawn", 5), None, "missing"),
        (word("withdrawn", 5), "pending", "missing"),
        (word("withdrawn", 5), word("withdrawn", 1), "matched"),
        (word("withdrawn", 5), word("confirmed", 5), "missing"),
        (word("withdrawn", 5), word("confirmed", 1), "missing"),
        (word("withdrawn", 5), word("confirmed", 9), "superseded"),
    ],
)
def test_missing_is_what_would_change_the_state(said: Member, there: Member | str | None, outcome: str) -> None:
    """A word is published if the pair would be in another state with it than without."""
    found = follow({}, [there]) if isinstance(there, Member) else {key_of(said): PENDING_PAIR} if there else {}
    decision = decide({key_of(said): said}, found)
    counts = {"missing": len(decision.missing), "matched": decision.matched, "superseded": decision.superseded}
    assert counts == {"missing": 0, "matched": 0, "superseded": 0} | {outcome: 1}


def test_the_latest_word_counts() -> None:
    """Of several rows of a pair the latest is taken; at the same instant that of the withdrawal."""
    words = [word("confirmed", 1), word("withdrawn", 3), word("confirmed", 3), word("confirmed", 9, number=2)]
    assert list(latest_words(words).values()) == [words[1], words[3]]


def test_a_member_who_is_confirmed_under_two_codes_is_nobodys() -> None:
    """Each would count for another mentor; who has left one and is confirmed under the other is clear."""
    two = [word("confirmed", 1), word("confirmed", 2, code=CODES[1])]
    left = [word("withdrawn", 1, number=2), word("confirmed", 2, number=2, code=CODES[1])]
    words = latest_words([*two, *left, word("confirmed", 1, number=3), word("confirmed", 2, number=3)])
    assert set(under_two_codes(words)) == {key_of(member) for member in two}


def test_two_rows_that_contradict_each_other_are_unclear() -> None:
    """One says confirmed, the other withdrawn and not when: nobody knows which is the later."""
    undated = word("withdrawn", 9)._replace(is_dated=False)
    for rows in ([word("confirmed", 3), undated], [undated, word("confirmed", 3)]):
        (said,) = latest_words([*rows, word("confirmed", 20)]).values()
        assert said.unclear is not None
    (said,) = latest_words([undated, word("withdrawn", 3)]).values()
    assert said.unclear is None


def test_what_is_published() -> None:
    """A Registration of the contract with the organisation's id, in the order of time."""
    words = latest_words([word("withdrawn", 7, number=2), word("confirmed", 3)])
    first, second = (decode_event(Registration, registration(each, ORG)) for each in decide(words, {}).missing)
    assert (first.status, first.new_member_id, first.occurred_at) == (
        "confirmed",
        member_id(1),
        START + timedelta(minutes=3),
    )
    assert (second.status, second.referral_code, second.org_id) == ("withdrawn", CODES[0], ORG)
    assert "device_metadata" not in json.loads(registration(words[key_of(word("confirmed"))], ORG))


def test_the_id_says_what_is_said() -> None:
    """The same word has the same id; another organisation, code, member, status or time has another."""
    words = [
        word("confirmed"), word("withdrawn"), word("confirmed", 1), word("confirmed", number=2),
        word("confirmed", code=CODES[1]),
    ]  # fmt: skip
    ids = [json.loads(registration(each, ORG))["attribution_id"] for each in words]
    other = json.loads(registration(words[0], ORG.replace("a", "b")))["attribution_id"]
    assert len({*ids, other}) == len(words) + 1
    assert json.loads(registration(words[0], ORG))["attribution_id"] == ids[0]


WORDS = st.builds(
    word,
    st.sampled_from(["confirmed", "withdrawn"]),
    st.integers(0, 4),
    number=st.integers(1, 3),
    code=st.sampled_from(CODES),
)


@given(rows=st.lists(WORDS, max_size=12), there=st.lists(WORDS, max_size=12), seed=st.randoms(use_true_random=False))
def test_order_and_number_of_rows_change_nothing(rows: list[Member], there: list[Member], seed: random.Random) -> None:
    """However the rows are shuffled and repeated, the same is published; and then nothing is missing."""
    found = follow({}, there)
    published = decide(latest_words(rows), found).missing

    shuffled = rows + seed.choices(rows, k=len(rows)) if rows else []
    seed.shuffle(shuffled)
    again = decide(latest_words(shuffled), found).missing
    assert [registration(each, ORG) for each in again] == [registration(each, ORG) for each in published]

    after = follow(found, published)
    assert decide(latest_words(shuffled), after).missing == []


@given(rows=st.lists(WORDS, max_size=12), there=st.lists(WORDS, max_size=12))
def test_the_later_of_both_stands(rows: list[Member], there: list[Member]) -> None:
    """Afterwards a pair is in the state of the system's word, unless the topic's other one is from later."""
    found = follow({}, there)
    words = latest_words(rows)
    after = follow(found, decide(words, found).missing)
    for key, said in words.items():
        alone = follow({}, [said])[key]
        before = found.get(key, PENDING_PAIR)
        later = max(alone, before, key=lambda pair: (pair.state != PENDING, pair.decided_us, pair.state))
        assert after[key].state == later.state
