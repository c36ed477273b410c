"""Bad and awkward input, mixed into good: what a public endpoint and a badly set producer really send.

Two kinds. A *spoilt* record is an extra one that must not count: it becomes a dead letter, or waits for a code that is
never issued. An *awkward* record is one of the programme's own, changed in a way that must not keep it from counting:
in the wrong partition, without key, with a code typed by hand, with a clock that is off.

Every fault occurs before any occurs twice, so that a short run has them all. `injected` says how often each did.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import orjson

from local.sample.programme import SampleRecord
from models.events import EVENT_BYTES_MAX
from models.partitioning import partition_of
from models.topics import CODES, REGISTRATIONS

HUGE_VALUE_BYTES: Final = 1_000_000
"""Near the largest that a producer sends by default."""
HUGE_VALUES_MAX: Final = 5
"""A few are enough: the disk is everybody's."""

CODES_SPOILT_TIMES: Final = 10
"""Codes are few among the events; spoilt ones stand beside so many times the share, so that they do occur."""

DAY: Final = timedelta(days=1)
DECADES: Final = timedelta(days=40 * 365)

Value = dict[str, Any]
Maker = Callable[["Faults", SampleRecord], SampleRecord | None]
"""Makes a faulty record of a good one; None where the fault does not fit it."""


class Faults:
    """Mixes faults into a stream of records.

    Args:
        seed: the same seed and the same records give the same result.
        partitions: of the source topics, to know which partition is wrong.
        spoilt: share of extra records that must not count.
        awkward: share of the records that are changed and must count all the same.

    """

    def __init__(self, *, seed: int, partitions: int, spoilt: float = 0.01, awkward: float = 0.05) -> None:
        self.injected: Counter[str] = Counter()
        """How often each fault occurred, by its name in SPOILT or AWKWARD."""
        self.partitions = partitions
        self.random = Random(seed)
        self._spoilt = spoilt
        self._awkward = awkward
        self._decks: dict[int, list[str]] = {}

    def among(self, records: Iterable[SampleRecord]) -> Iterator[SampleRecord]:
        """Yield the records with the faults among them."""
        for record in records:
            is_awkward = self.random.random() < self._awkward
            yield (self._one_of(AWKWARD, record) if is_awkward else None) or record
            share = self._spoilt * (CODES_SPOILT_TIMES if record.topic is CODES else 1)
            if self.random.random() < share:
                extra = self._one_of(SPOILT, self._beside(record))
                if extra is not None:
                    yield extra

    def _beside(self, record: SampleRecord) -> SampleRecord:
        """Return the record as a spoilt one may stand beside it.

        On the compacted topic it needs a key of its own, or compaction would in time keep it and drop the good one.
        """
        if record.topic is not CODES or record.key is None:
            return record
        return record._replace(key=record.key.lower(), partition=partition_of(record.key, self.partitions))

    def _one_of(self, makers: dict[str, Maker], record: SampleRecord) -> SampleRecord | None:
        """Apply the next fault of the shuffled deck that fits the record; one that does not fit keeps its turn."""
        deck = self._decks.setdefault(id(makers), [])
        for _ in range(2):
            for position, name in enumerate(deck):
                faulty = makers[name](self, record)
                if faulty is not None:
                    del deck[position]
                    self.injected[name] += 1
                    return faulty
            rest = [name for name in makers if name not in deck]
            self.random.shuffle(rest)
            deck.extend(rest)
        return None


def _with_value(record: SampleRecord, **changed: object) -> SampleRecord:
    value: Value = {**orjson.loads(record.value or b"{}"), **changed}
    return record._replace(value=orjson.dumps(value))


def _fresh_id(faults: Faults) -> str:
    digits = f"{faults.random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-b{digits[17:20]}-{digits[20:]}"


def _id_field(record: SampleRecord) -> str:
    if record.topic is CODES:
        return "mentor_id"
    return "attribution_id" if record.topic is REGISTRATIONS else "click_id"


def _time_field(record: SampleRecord) -> str:
    return "issued_at" if record.topic is CODES else "occurred_at"


# Spoilt records: they must not count.


def _not_json(faults: Faults, record: SampleRecord) -> SampleRecord:
    return record._replace(value=faults.random.randbytes(40))


def _truncated(faults: Faults, record: SampleRecord) -> SampleRecord:
    value = record.value or b""
    return record._replace(value=value[: faults.random.randrange(1, len(value))])


def _not_an_object(faults: Faults, record: SampleRecord) -> SampleRecord:
    return record._replace(value=faults.random.choice([b"[]", b"null", b"42", b'"confirmed"']))


def _wrong_type(faults: Faults, record: SampleRecord) -> SampleRecord:
    return _with_value(record, **{_time_field(record): faults.random.choice([42, None, ["now"], {}, True])})


def _field_missing(_: Faults, record: SampleRecord) -> SampleRecord:
    value: Value = orjson.loads(record.value or b"{}")
    del value[_id_field(record)]
    return record._replace(value=orjson.dumps(value))


def _not_a_uuid(_: Faults, record: SampleRecord) -> SampleRecord:
    return _with_value(record, **{_id_field(record): "7"})


def _time_without_offset(_: Faults, record: SampleRecord) -> SampleRecord:
    return _with_value(record, **{_time_field(record): "2026-11-20T10:00:00"})


def _status_unknown(_: Faults, record: SampleRecord) -> SampleRecord | None:
    return _with_value(record, status="maybe") if record.topic is REGISTRATIONS else None


def _too_large(_: Faults, record: SampleRecord) -> SampleRecord:
    return _with_value(record, note="x" * EVENT_BYTES_MAX)


def _huge(faults: Faults, record: SampleRecord) -> SampleRecord | None:
    if faults.injected["huge"] >= HUGE_VALUES_MAX:
        return record._replace(value=b"x" * (EVENT_BYTES_MAX + 1))
    return record._replace(value=faults.random.randbytes(HUGE_VALUE_BYTES))


def _empty(_: Faults, record: SampleRecord) -> SampleRecord:
    return record._replace(value=b"")


def _tombstone(_: Faults, record: SampleRecord) -> SampleRecord:
    return record._replace(value=None)


def _bad_code(faults: Faults, record: SampleRecord) -> SampleRecord:
    return _with_value(
        record, referral_code=faults.random.choice(["", "short", "U" * 10, "TOOLONGFORACODE", "ÄÖÜ" * 3])
    )


def _unknown_code(faults: Faults, record: SampleRecord) -> SampleRecord | None:
    if record.topic is CODES:
        return None
    code = f"ZZ{faults.random.randrange(10**8):08}"
    return _with_value(record, referral_code=code)._replace(key=code.encode())


def _other_organisation(faults: Faults, record: SampleRecord) -> SampleRecord | None:
    return None if record.topic is CODES else _with_value(record, org_id=_fresh_id(faults))


def _code_taken(faults: Faults, record: SampleRecord) -> SampleRecord | None:
    """Somebody else claims the code just issued."""
    if record.topic is not CODES:
        return None
    return _with_value(record, org_id=_fresh_id(faults), mentor_id=_fresh_id(faults))


# Awkward records: they must count.


def _wrong_partition(faults: Faults, record: SampleRecord) -> SampleRecord:
    """Partitioned by CRC32, as librdkafka does unless told otherwise."""
    return record._replace(partition=zlib.crc32(record.key or b"") % faults.partitions)


def _no_key(_: Faults, record: SampleRecord) -> SampleRecord | None:
    return None if record.topic is CODES else record._replace(key=None)  # a compacted topic refuses it


def _typed_by_hand(_: Faults, record: SampleRecord) -> SampleRecord:
    typed = _hand_spelling(record)
    return _with_value(record, referral_code=typed)


def _key_typed_by_hand(_: Faults, record: SampleRecord) -> SampleRecord:
    typed = _hand_spelling(record)
    return _with_value(record, referral_code=typed)._replace(key=typed.encode())


def _day_off(faults: Faults, record: SampleRecord) -> SampleRecord:
    return _clock_off(record, DAY * faults.random.choice([-1, 1]))


def _decades_off(faults: Faults, record: SampleRecord) -> SampleRecord:
    return _clock_off(record, DECADES * faults.random.choice([-1, 1]))


def _other_offset(_: Faults, record: SampleRecord) -> SampleRecord:
    """Tell the same instant in the local time of a place far in the east."""
    field = _time_field(record)
    instant = datetime.fromisoformat(orjson.loads(record.value or b"{}")[field])
    local = (instant + timedelta(hours=9)).replace(tzinfo=None)
    return _with_value(record, **{field: f"{local.isoformat()}+09:00"})


def _clock_off(record: SampleRecord, by: timedelta) -> SampleRecord:
    field = _time_field(record)
    instant = datetime.fromisoformat(orjson.loads(record.value or b"{}")[field])
    return _with_value(record, **{field: (instant + by).isoformat()})


def _hand_spelling(record: SampleRecord) -> str:
    code = (record.key or b"").decode()
    spelling = f"{code[:5]}-{code[5:]}".lower()
    return spelling.replace("0", "o").replace("1", "l")


SPOILT: Final[dict[str, Maker]] = {
    "not_json": _not_json,
    "truncated": _truncated,
    "not_an_object": _not_an_object,
    "wrong_type": _wrong_type,
    "field_missing": _field_missing,
    "not_a_uuid": _not_a_uuid,
    "time_without_offset": _time_without_offset,
    "status_unknown": _status_unknown,
    "too_large": _too_large,
    "huge": _huge,
    "empty": _empty,
    "tombstone": _tombstone,
    "bad_code": _bad_code,
    "unknown_code": _unknown_code,
    "other_organisation": _other_organisation,
    "code_taken": _code_taken,
}

AWKWARD: Final[dict[str, Maker]] = {
    "wrong_partition": _wrong_partition,
    "no_key": _no_key,
    "typed_by_hand": _typed_by_hand,
    "key_typed_by_hand": _key_typed_by_hand,
    "day_off": _day_off,
    "decades_off": _decades_off,
    "other_offset": _other_offset,
}
