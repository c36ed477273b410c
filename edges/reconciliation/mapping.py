"""What an organisation has said of its list: which column is what, and what the words in them mean.

Nothing else is read. Where a column was not named, one that has our own name for it is taken (`Member ID` is
member_id), never a neighbour that looks like it. A column by which systems mark a record as deleted, merged or
deactivated is no reason to confirm anybody, but one not to: what it means has to be said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal, get_args
from unicodedata import normalize

from msgspec import Struct

from edges.reconciliation.errors import BadSource
from edges.reconciliation.times import TimeReader
from models.tolerance import STATUS_WORDS, trimmed

Field = Literal["member_id", "referral_code", "confirmed_at", "withdrawn_at", "status"]
Word = Literal["confirmed", "withdrawn", "pending"]
Mark = Literal["withdrawn", "left_out", "ignored"]
Marking = Literal["gone", "active", "master", "state", "statecode"]

FIELDS: Final[tuple[Field, ...]] = get_args(Field)
WORDS: Final[tuple[Word, ...]] = get_args(Word)
MARKS: Final[tuple[Mark, ...]] = get_args(Mark)

OWN_NAMES: Final[dict[Field, tuple[str, ...]]] = {
    "member_id": ("memberid", "newmemberid", "contactid"),
    "referral_code": ("referralcode", "refcode"),
    "confirmed_at": ("confirmedat", "confirmedon"),
    "withdrawn_at": ("withdrawnat", "withdrawnon", "cancelledat", "canceledat", "cancelledon", "canceledon"),
    "status": ("status", "membershipstatus"),
}
"""Names that can mean nothing else, for each field, the first that is there; in lower case, letters and digits only."""

OWN_WORDS: Final[dict[str, Word]] = {
    word: "pending" if meaning == "pending_signup" else meaning for word, meaning in STATUS_WORDS.items()
}
"""Words that can mean nothing else. What `active` or `registered` means, an organisation says."""

NAME_MAX: Final = 64
"""Characters of a column that may mark a record; no system has longer names, and none makes us look at one for long."""
_GONE: Final = (
    "deleted", "softdeleted", "removed", "archived", "merged", "inactive", "deactivated", "inactivated", "disabled",
    "anonymized", "anonymised", "erased", "forgotten", "purged", "trashed", "tombstoned", "tombstone", "duplicate",
    "obsolete", "invalid", "invalidated", "void", "voided", "blocked", "banned", "suspended", "rejected", "declined",
    "denied", "refused", "revoked", "expelled", "excluded", "expired", "lapsed", "ceased", "closed", "dissolved",
    "cancelled", "canceled", "cancel", "cancellation", "withdrawn", "withdrew", "withdrawal", "terminated",
    "termination", "resigned", "resignation", "deregistered", "unregistered", "deceased", "died", "death", "left",
    "leaving", "leave", "quit", "exit", "exited", "ended", "end", "ends", "deletion", "removal", "expiry", "expires",
    "expiration", "deactivation", "validuntil", "validto", "memberuntil",
    # what German, French, Spanish and Dutch systems call the same
    "gelöscht", "geloescht", "inaktiv", "gesperrt", "gekündigt", "gekuendigt", "kündigung", "kuendigung", "austritt",
    "ausgetreten", "austritts", "verstorben", "supprimé", "supprime", "inactif", "sortie", "radié", "radie", "inactivo",
    "eliminado", "baja", "verwijderd", "inactief", "uitgeschreven", "opgezegd", "opzeg",
)  # fmt: skip
"""Words by which systems mark a record that is no member's any more: `merged`, `isDeleted`, `membership_end`."""
_ACTIVE: Final = ("active", "enabled", "aktiv", "actif", "activo", "actief", "isvalid", "iscurrent")
_STATES: Final = ("state", "status", "lifecycle", "lifecyclestage", "lifecyclestate")
_MASTERS: Final = (
    "masterid", "masteridvalue", "masterrecordid", "masterrecord", "mergetarget", "mergeid", "mergedinto", "mergedto",
    "mergedwith", "duplicateof", "supersededby", "replacedby", "redirectto",
)  # fmt: skip
_BEFORE: Final = (
    "is", "was", "has", "been", "member", "membership", "account", "user", "contact", "person", "customer", "profile",
    "record", "row", "entry", "registration", "date", "of", "gdpr", "system", "sys", "meta", "soft",
)  # fmt: skip
_BEHIND: Final = (
    "at", "on", "date", "time", "timestamp", "since", "by", "reason", "flag", "yn", "indicator", "member",
    "membership", "account", "user", "contact", "person", "record", "utc", "am", "datum", "id", "c",
)  # fmt: skip
"""What may stand around such a word and changes nothing: `user_deleted_at`, `IsDeleted__c`."""
_OWN_PREFIX: Final = re.compile(r"(?:(?=[a-z]*[0-9])[a-z0-9]{2,8}|new|x|cf|custom|udf)_(?=.)", re.IGNORECASE)
"""Of a publisher or a customer: `cr4f1_deleted`, `x_deleted`."""


def _among(words: Iterable[str], *, behind: Iterable[str] = ()) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(_BEFORE)})*(?:{'|'.join(words)})(?:{'|'.join(behind) or '(?!)'})*")


_MARKING: Final[dict[Marking, re.Pattern[str]]] = {
    "statecode": re.compile("statecode"),  # Dataverse's: 0 is active, anything else is not
    "state": _among(_STATES),
    "master": _among(_MASTERS, behind=("id", "c")),
    "gone": _among(_GONE, behind=_BEHIND),
    "active": _among(_ACTIVE, behind=("flag", "yn", "indicator", "member", "membership", "account", "user", "c")),
}
_GONE_WORD: Final = re.compile(f"(?:{'|'.join(_GONE)})(?:{'|'.join(_BEHIND)})*")
CONTAINERS: Final = frozenset(
    {
        "meta", "metadata", "sys", "system", "flags", "lifecycle", "audit", "attributes", "properties", "fields",
        "custom", "customfields", "profile", "member", "membership", "account", "user", "contact", "person", "record",
    }
)  # fmt: skip
"""Objects in a row in which marks stand too, beside those that the mapping reads from."""
REMOVED: Final = "deleted"
"""How what the source has deleted is named where it says no more than that: OData's `$deletedEntity` and `@removed`."""


class Reading(Struct, frozen=True, kw_only=True):
    """How a source's rows are read."""

    fields: dict[str, str] = {}
    """Our names to theirs; a name of theirs may be a path: `member.id`."""
    statuses: dict[str, str] = {}
    """Their words for a status to ours; beside OWN_WORDS."""
    marks: dict[str, str] = {}
    """Their columns that mark a record as deleted, merged or deactivated, to what it means."""
    times: str = ""
    zone: str = ""

    def check(self) -> None:
        """Raise BadSource for what cannot be used."""
        for name in self.fields:
            if name not in FIELDS:
                raise BadSource(f"--field {name}: there is no such field; give one of {', '.join(FIELDS)}")
        for theirs, ours in self.statuses.items():
            if ours not in WORDS:
                raise BadSource(f"--status {theirs}={ours}: a status means one of {', '.join(WORDS)}")
        for theirs, ours in self.marks.items():
            if ours not in MARKS:
                raise BadSource(f"--mark {theirs}={ours}: a mark means one of {', '.join(MARKS)}")
        TimeReader(self.times, self.zone)


def folded(name: object) -> str:
    """Return a column's name in lower case, letters and digits only."""
    return "".join(filter(str.isalnum, str(name))).lower()


@lru_cache(4096)
def marking(name: str) -> Marking | None:
    """Return how a column marks a record, by its name; None: it does not.

    `gone`: where it holds something true, a time that has come, or something at all; `active`: where it holds something
    false; `master`: where it is filled, it leads to the record that took its place; `state`: where it holds a word that
    says so; `statecode`: Dataverse's. A name is looked at as a whole: `cancelled_orders` is none of them.
    """
    if len(name) > NAME_MAX:
        return None
    for each in dict.fromkeys((folded(name), folded(_OWN_PREFIX.sub("", name, count=1)))):
        for kind, pattern in _MARKING.items():
            if pattern.fullmatch(each):
                return kind
    return None


def is_gone(state: str) -> bool:
    """Tell whether a word for a state says that a record is no member's any more."""
    return _GONE_WORD.fullmatch(folded(state)) is not None


def spoken(word: str) -> str:
    """Return a word as it is compared: without case, and an accent that stands apart from its letter with it."""
    return normalize("NFC", trimmed(word)).casefold()


def truth(value: object) -> bool | None:
    """Return whether a value means yes or no; None: neither."""
    text = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    if text in {"true", "1", "yes", "y", "t", "on", "ja", "oui", "si", "x", "1.0", "wahr", "vrai", "-1"}:
        return True
    return (
        False if text in {"false", "0", "no", "n", "f", "off", "nein", "non", "0.0", "falsch", "faux", "null"} else None
    )
