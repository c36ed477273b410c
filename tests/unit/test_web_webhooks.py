"""Signatures and the secrets they are checked with: what is kept, for how long, and how much of it."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook

from edges.registry.errors import SecretUnreadable
from edges.registry.secrets import Purpose
from edges.web import webhooks
from edges.web.database import DatabaseUnavailable
from edges.web.webhooks import BadSignature, WebhookSecrets, signed_headers, verify

ORG = str(uuid4())


class Store:
    """Secrets as Postgres has them; counts how often it is asked, and by how many at once."""

    def __init__(self) -> None:
        self.secrets = [b"first"]
        self.fault: Exception | None = None
        self.asked = 0
        self.at_once = 0
        self.at_once_most = 0

    async def good(self, org_id: UUID, purpose: Purpose) -> list[bytes]:
        """Return the secrets of the one organisation there is."""
        assert purpose == "webhook"
        self.asked += 1
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.fault is not None:
            raise self.fault
        return self.secrets if str(org_id) == ORG else []


@pytest.fixture
def store() -> Store:
    """Give the store."""
    return Store()


@pytest.fixture
def secrets(store: Store) -> WebhookSecrets:
    """Give what is kept of the store."""
    return WebhookSecrets(store)


async def test_read_once_however_many_ask(store: Store, secrets: WebhookSecrets) -> None:
    """A thousand webhooks at once and a thousand later make one read; also for an organisation that is not there."""
    for org_id, wanted in ((ORG, [b"first"]), (str(uuid4()), [])):
        store.asked = 0
        for _ in range(2):
            found = await asyncio.gather(*(secrets.good(org_id) for _ in range(1_000)))
            assert all(each == wanted for each in found)
        assert store.asked == 1


async def test_what_is_no_organisation_is_not_asked_for(store: Store, secrets: WebhookSecrets) -> None:
    """An id that cannot be one makes no read."""
    assert await secrets.good("us") == []
    assert store.asked == 0


async def test_made_up_organisations_leave_room_for_others(
    store: Store, secrets: WebhookSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few are read at once, and few are kept; who has secrets stays, also unused, and also when Postgres goes away."""
    monkeypatch.setattr(webhooks, "NOBODY_MAX", 10)
    await secrets.good(ORG)
    for _ in range(20):
        await asyncio.gather(*(secrets.good(str(uuid4())) for _ in range(9)))
    assert store.at_once_most <= webhooks.READS_MAX
    assert store.asked == 1 + 20 * 9
    assert (len(secrets._nobody), len(secrets._kept)) == (10, 1)  # noqa: SLF001  the bound of its memory
    store.fault = DatabaseUnavailable("away")
    monkeypatch.setattr(webhooks, "FRESH_S", 0.0)
    assert await secrets.good(ORG) == [b"first"]


async def test_read_again_after_a_while(store: Store, secrets: WebhookSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation is noticed, also one that takes the last secret away."""
    assert await secrets.good(ORG) == [b"first"]
    store.secrets = [b"second", b"first"]
    assert await secrets.good(ORG) == [b"first"]
    monkeypatch.setattr(webhooks, "FRESH_S", 0.0)
    assert await secrets.good(ORG) == [b"second", b"first"]
    store.secrets = []
    assert await secrets.good(ORG) == []


async def test_while_postgres_is_away(store: Store, secrets: WebhookSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known secrets stay good, for a time; unknown ones are unavailable, and are read when it is back."""
    await secrets.good(ORG)
    monkeypatch.setattr(webhooks, "FRESH_S", 0.0)
    store.fault = DatabaseUnavailable("away")
    assert await secrets.good(ORG) == [b"first"]
    with pytest.raises(DatabaseUnavailable):
        await secrets.good(str(uuid4()))
    monkeypatch.setattr(webhooks, "OUTLIVE_S", 0.0)
    with pytest.raises(DatabaseUnavailable):
        await secrets.good(ORG)
    store.fault = None
    assert await secrets.good(ORG) == [b"first"]


async def test_a_secret_that_cannot_be_decrypted_is_ours_to_mend(store: Store, secrets: WebhookSecrets) -> None:
    """It is 503, so that the sender tries again, and not 401."""
    store.fault = SecretUnreadable("another key")
    with pytest.raises(DatabaseUnavailable, match="decrypted"):
        await secrets.good(ORG)


def test_the_example_of_the_standard() -> None:
    """The signature that the specification itself shows is right, now and by this body alone."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  it is published
    headers = signed_headers(
        [
            (b"webhook-id", b"msg_p5jXN8AQM9LWM0D4loKWxJek"),
            (b"webhook-timestamp", b"1614265330"),
            (b"webhook-signature", b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]
    )
    key = Webhook(secret)._whsecret  # noqa: SLF001  decoded as senders decode it
    verify(headers, b'{"test": 2432232314}', [b"another", key], now_s=1614265330)
    for body, keys, now_s in (
        (b'{"test": 2432232315}', [key], 1614265330),
        (b'{"test": 2432232314}', [b"another"], 1614265330),
        (b'{"test": 2432232314}', [], 1614265330),
        (b'{"test": 2432232314}', [key], 1614265330 + 301),
        (b'{"test": 2432232314}', [key], 1614265330 - 301),
    ):
        with pytest.raises(BadSignature):
            verify(headers, body, keys, now_s=now_s)
