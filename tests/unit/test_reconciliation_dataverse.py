"""A Dataverse environment asked as it is: tokens that end, pages, limits, and contacts in all their states."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from edges.reconciliation.endpoint import Endpoint
from edges.reconciliation.errors import SourceBusy, SourceFailed
from edges.reconciliation.mapping import Reading
from edges.reconciliation.members import Member, MemberReader
from edges.reconciliation.oauth import Client, ClientCredentials
from edges.reconciliation.pages import ACCEPTED, json_pages
from tests.dataverse import CLIENT_ID, SECRET, Dataverse, Refusal, running_dataverse

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ID = "0C000000-0000-4000-8000-000000000001"


@pytest.fixture
def dataverse() -> Iterator[Dataverse]:
    """Give an environment with 25 contacts in pages of ten."""
    with running_dataverse() as running:
        running.rows = [{"contactid": f"0c000000-0000-4000-8000-{number:012}"} for number in range(1, 26)]
        running.page_rows_max = 10
        yield running


class Asking:
    """Asks an environment for all its pages, and notes the pauses instead of making them."""

    def __init__(self, dataverse: Dataverse, secret: str = SECRET) -> None:
        self.dataverse = dataverse
        self.secret = secret
        self.pauses_s: list[float] = []
        self.now_s = 1_000.0
        self.page_s = 0.0
        """How long a page takes."""

    def rows(self) -> list[object]:
        """Return the contents of every row."""
        client = Client(
            token_url=self.dataverse.token_url, client_id=CLIENT_ID, scope=f"{self.dataverse.origin}/.default"
        )
        found: list[object] = []
        with (
            ClientCredentials(client, self.secret, sleep=self.pauses_s.append, clock=lambda: self.now_s) as tokens,
            Endpoint(
                self.dataverse.url, token=tokens, headers=ACCEPTED["odata"], sleep=self.pauses_s.append
            ) as endpoint,
        ):
            for page in json_pages(endpoint, self.dataverse.url):
                found += [row.content for row in page.rows]
                self.now_s += self.page_s
        return found


def test_every_page_with_one_token(dataverse: Dataverse) -> None:
    """The token is asked for once, and the cookie of the next page arrives as it was given."""
    asking = Asking(dataverse)
    assert asking.rows() == dataverse.rows
    assert dataverse.granted == 1
    assert len(dataverse.asked) == 3
    assert dataverse.preferred == ["odata.maxpagesize=5000"] * 3


def test_a_token_that_ends_in_the_middle_is_renewed(dataverse: Dataverse) -> None:
    """One that is refused on the second page is asked for again, and the page too; nothing is lost or read twice."""
    dataverse.token_uses = 1
    asking = Asking(dataverse)
    assert asking.rows() == dataverse.rows
    assert dataverse.granted == 3
    assert asking.pauses_s == [0.0, 0.0]


def test_a_token_is_renewed_before_it_ends(dataverse: Dataverse) -> None:
    """Five minutes before an hour is over, also where the hour is a text; nothing is refused on the way."""
    dataverse.expires_in = "3599"
    asking = Asking(dataverse)
    asking.page_s = 3_300.0
    assert asking.rows() == dataverse.rows
    assert dataverse.granted == 3
    assert asking.pauses_s == []


def test_a_token_that_is_always_refused_ends_it(dataverse: Dataverse) -> None:
    """A client without a right in the environment is not asked for tokens without end."""
    dataverse.token_uses = 0
    with pytest.raises(SourceFailed, match="answered 401"):
        Asking(dataverse).rows()
    assert dataverse.granted == 2


def test_a_wrong_secret_is_named_by_its_code_alone(dataverse: Dataverse) -> None:
    """The description may name anything; the code is what one looks up."""
    with pytest.raises(
        SourceFailed, match=r"answered 401 \(invalid_client, AADSTS7000215\); check --client-id"
    ) as error:
        Asking(dataverse, secret="wrong").rows()  # noqa: S106  it opens nothing
    assert "nobody" not in str(error.value)
    assert "wrong" not in str(error.value)


def test_the_tenant_may_be_busy_too(dataverse: Dataverse) -> None:
    """Who grants tokens is asked again as the environment is, and given the peace that it asks for."""
    dataverse.token_refusals = [Refusal(503), Refusal(429, {"Retry-After": "17"})]
    asking = Asking(dataverse)
    assert asking.rows() == dataverse.rows
    assert asking.pauses_s == [0.5, 17.0]
    dataverse.token_refusals = [Refusal(429, {"Retry-After": "600"})]
    with pytest.raises(SourceBusy, match="600 s"):
        Asking(dataverse).rows()


def test_limits_are_kept(dataverse: Dataverse) -> None:
    """A short wish is waited for, and a long one is told apart."""
    dataverse.refusals = {2: Refusal(429, {"Retry-After": "30"})}
    asking = Asking(dataverse)
    assert asking.rows() == dataverse.rows
    assert asking.pauses_s == [30.0]
    dataverse.asked.clear()
    dataverse.refusals = {2: Refusal(429, {"Retry-After": "300"})}
    with pytest.raises(SourceBusy) as busy:
        Asking(dataverse).rows()
    assert busy.value.pause_s == 300


def test_contacts_in_all_their_states() -> None:
    """As docs/dynamics.md configures them: active is confirmed, deactivated withdrawn, merged and deleted nobody."""
    reader = MemberReader(
        Reading(
            fields={
                "member_id": "contactid",
                "referral_code": "cr4f1_referralcode",
                "status": "statecode",
                "confirmed_at": "cr4f1_memberon",
            },
            statuses={"0": "confirmed", "1": "withdrawn"},
            marks={"merged": "left_out", "_masterid_value": "left_out", "deleted": "withdrawn"},
            zone="Europe/Berlin",
        )
    )
    contact = {
        "@odata.etag": 'W/"915244"', "contactid": "{" + ID + "}", "cr4f1_referralcode": "ANNA000001", "statecode": 0,
        "cr4f1_memberon": "2026-11-20T10:00:00Z", "merged": False, "_masterid_value": None,
    }  # fmt: skip

    def read(**changed: object) -> object:
        row = contact | changed
        reader.look([row])
        return reader.read(row, NOW)

    at = datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert read() == Member("ANNA000001", ID.lower(), "confirmed", at)
    assert read(cr4f1_memberon="2026-11-20") == Member(
        "ANNA000001", ID.lower(), "confirmed", datetime(2026, 11, 19, 23, tzinfo=UTC)
    )
    assert read(statecode=1) == Member("ANNA000001", ID.lower(), "withdrawn", NOW, is_dated=False)
    assert read(merged=True) == read(merged=True, statecode=1) == "not_confirmed"
    assert read(_masterid_value=ID) == "not_confirmed"
    deleted = {"@odata.context": "https://h/$metadata#contacts/$deletedEntity", "id": ID, "reason": "deleted"}
    assert reader.read(deleted, NOW) == Member(None, ID.lower(), "withdrawn", NOW, is_dated=False)
