"""What an organisation has said of its list: which column is what, and what the words in them mean.

Nothing else is read. Where a column was not named, one that has our own name for it is taken (`Member ID` is
member_id), never a neighbour that looks like it. A column by which systems mark a record as deleted, merged or
deactivated is no reason to confirm anybody, but one not to: what it means has to be said.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from msgspec import Struct

from edges.reconciliation.errors import BadSource
from edges.reconciliation.times import TimeReader
from models.tolerance import STATUS_WORDS

Field = Literal["member_id", "referral_code", "confirmed_at", "withdrawn_at", "status"]
Word = Literal["confirmed", "withdrawn", "pending"]
Mark = Literal["withdrawn", "left_out", "ignored"]

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

TRUE_IS_GONE: Final = frozenset(
    f"{prefix}{word}"
    for prefix in ("", "is", "was", "has", "hasbeen")
    for word in (
        "merged", "deleted", "softdeleted", "removed", "archived", "inactive", "deactivated", "disabled", "anonymized",
        "anonymised", "erased", "duplicate", "trashed", "blocked", "banned", "suspended", "rejected", "revoked",
        "expired",
        "cancelled", "canceled", "withdrawn", "terminated", "resigned", "deceased", "voided",
    )
)  # fmt: skip
"""Columns that mark a record where they hold something true, or something at all: `merged`, `isDeleted`."""
FALSE_IS_GONE: Final = frozenset(
    {"active", "isactive", "enabled", "isenabled", "isvalid", "iscurrent", "accountenabled"}
)
"""Columns that mark a record where they hold something false."""
FILLED_IS_GONE: Final = frozenset(
    {
        "masterid", "masteridvalue", "masterrecordid", "mergedinto", "mergedintoid", "mergedto", "mergedtoid",
        "duplicateof",
        "supersededby", "replacedby", "deletedby", "statusreasonfordeletion", "cancellationreason", "withdrawalreason",
    }
)  # fmt: skip
"""Columns that mark a record where they are filled: they lead to the record that took its place."""
PAST_IS_GONE: Final = frozenset(
    f"{word}{suffix}"
    for word in (
        "deleted", "removed", "archived", "merged", "deactivated", "disabled", "inactivated", "trashed", "anonymized",
        "anonymised", "erased", "withdrawn", "cancelled", "canceled", "resigned", "terminated", "left", "ended",
        "exited",
        "revoked", "rejected", "banned", "blocked", "suspended", "expired", "deceased", "died", "quit", "cancellation",
        "withdrawal", "resignation", "termination", "exit", "deletion", "end", "leaving", "expiry", "expiration",
    )
    for suffix in ("at", "on", "date", "time", "datetime")
) | {"validuntil", "validto", "memberuntil", "endsat", "expiresat", "expireson"}  # fmt: skip
"""Columns that mark a record where they hold a time that has come."""
CONTAINERS: Final = frozenset(
    {"meta", "metadata", "sys", "system", "flags", "lifecycle", "audit", "attributes", "properties"}
)
"""Objects in a row in which marks stand too, beside those that the mapping reads from."""
STATE_CODE: Final = "statecode"
"""Dataverse's state of a record: 0 is active, anything else is not."""
MARKING: Final = TRUE_IS_GONE | FALSE_IS_GONE | FILLED_IS_GONE | PAST_IS_GONE | {STATE_CODE}
REMOVED: Final = "deleted"
"""How what the source has deleted is named where it says no more than that: OData's `$deletedEntity` and `@removed`."""


class Reading(Struct, frozen=True, kw_only=True):
    """How a source's rows are read."""

    fields: dict[str, str] = {}
    """Our names to theirs; a name of theirs may be a path: `member.id`."""
    statuses: dict[str, str] = {}
    """Their words for a status, in lower case, to ours; beside OWN_WORDS."""
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


def truth(value: object) -> bool | None:
    """Return whether a value means yes or no; None: neither."""
    text = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    if text in {"true", "1", "yes", "y", "t", "on", "ja", "oui", "si", "x", "1.0", "wahr", "vrai", "-1"}:
        return True
    return (
        False if text in {"false", "0", "no", "n", "f", "off", "nein", "non", "0.0", "falsch", "faux", "null"} else None
    )
