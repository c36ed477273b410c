"""The first issue of a code stands, also when compaction has removed it.

The codes topic is compacted by key: of a code's records the last one is left. What stands is the first. So whatever
comes later under the code's key and does not say the same (another mentor's issue, a tombstone, junk) would outlive
the issue that stands, and a state that begins anew would give the code to somebody else, or to nobody.

Therefore the fold writes the issue that stands once more, behind such a record and in the same transaction as its dead
letter, with the header `referrals.stands`. The last record of a code is then always the issue that stands, and of a
code's records the one with this header says whose it is; where none has it, the first. An issue under another key than
its code's, which any record of that key could displace, is written again under its code at once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from models.events import CodeIssued, encode_event
from models.outgoing import Outgoing

if TYPE_CHECKING:
    from models.events import MentorCounts

STANDS: Final = "referrals.stands"


def standing_issue(topic: str, mentor: MentorCounts, *, now_ms: int) -> Outgoing:
    """Return the issue of a mentor's code to be written again; when it was first issued is not kept, so it is now."""
    issue = CodeIssued(
        referral_code=mentor.referral_code,
        org_id=mentor.org_id,
        mentor_id=mentor.mentor_id,
        issued_at=datetime.fromtimestamp(now_ms / 1000, UTC),
    )
    return Outgoing(topic, mentor.referral_code.encode(), encode_event(issue), [(STANDS, b"1")])
