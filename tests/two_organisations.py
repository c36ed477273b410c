"""Two organisations that have everything: what a test needs to see that neither is shown anything of the other's.

Their ids are the same each time, so that what is found once with them is found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import uuid4, uuid5

import psycopg

from edges.registry.database import owner_database
from edges.registry.issuing import CodeRegistry
from edges.registry.organisations import create_organisation
from edges.registry.secret_box import secret_box
from edges.registry.secrets import SecretStore, webhook_text
from models.badges import FIRST_RECRUIT
from models.identifiers import NAMESPACE
from process.settings import Settings
from tests.webhooks import Sender

MENTORS: Final = 12
LETTER_OF: Final = {"Ours": 11, "Theirs": 12}
"""Where each has a dead letter, in partition 0."""
CHANNEL: Final = "sms"
"""A channel that both have."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """One of the two."""

    org_id: str
    name: str
    landing_url: str
    codes: dict[str, str]
    """Mentor -> code. Each has counts, a milestone and a badge."""
    channel: str
    """A channel that only this organisation has."""
    sender: Sender
    """Its system that posts registrations."""

    @property
    def mentors(self) -> list[str]:
        """The mentors, in the order they were made."""
        return list(self.codes)

    def traces(self) -> set[str]:
        """Return what nobody of the other organisation may ever be shown."""
        names = (self.called(mentor_id) for mentor_id in self.codes)
        return {self.org_id, self.name, self.landing_url, self.channel, *self.codes, *self.codes.values(), *names}

    def called(self, mentor_id: str) -> str:
        """Return what it calls one of its mentors."""
        return f"Olav {self.name} {self.mentors.index(mentor_id)}"


@dataclass(frozen=True, kw_only=True)
class TwoOrganisations:
    """Ours, whose people ask in most tests, and theirs."""

    ours: Party
    theirs: Party


async def plant(settings: Settings) -> TwoOrganisations:
    """Make both; the settings hold the keys that secrets are sealed with."""
    return TwoOrganisations(ours=await _plant(settings, "Ours"), theirs=await _plant(settings, "Theirs"))


async def _plant(settings: Settings, name: str) -> Party:
    landing_url = f"https://{name.lower()}.example/join"
    async with owner_database(settings.database_url) as database:
        secrets = SecretStore(database, secret_box(settings))
        made = await create_organisation(
            database, secrets, name=f"{name} & Co", landing_url=landing_url, org_id=uuid5(NAMESPACE, name)
        )
        registry = CodeRegistry(database, secrets)
        issued = [await registry.issue(made.org_id, uuid5(NAMESPACE, f"{name} {n}")) for n in range(MENTORS)]
    party = Party(
        org_id=str(made.org_id),
        name=f"{name} & Co",
        landing_url=landing_url,
        codes={str(one.mentor_id): one.code for one in issued},
        channel=f"only-{name.lower()}",
        sender=Sender(str(made.org_id), webhook_text(made.webhook.secret)),
    )
    _count(settings, party)
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            "INSERT INTO dead_letters VALUES (%s, 0, %s, now(), 'BadEvent', 'no JSON', 'attribution', "
            "%s || 'clicks.v1', 0, 7, %s, true, 1, 9, false, gen_random_uuid())",
            [party.org_id, LETTER_OF[name], settings.topic_prefix, next(iter(party.codes.values()))],
        )
    return party


def _count(settings: Settings, party: Party) -> None:
    """Give each mentor counts, a milestone, a badge and a decision, as the projection and the badge consumer do."""
    with psycopg.connect(settings.database_url) as connection:
        for confirmed, (mentor_id, code) in enumerate(party.codes.items(), start=1):
            values = {
                "org_id": party.org_id,
                "mentor_id": mentor_id,
                "code": code,
                "confirmed": confirmed,
                "clicks": 10 * confirmed,
                "name": party.called(mentor_id),
                "channel": party.channel,
                "shared": CHANNEL,
                "badge_id": FIRST_RECRUIT,
                "event_id": uuid4(),
            }
            for statement in _COUNTED:
                connection.execute(statement, values)


_COUNTED: Final = (
    b"INSERT INTO mentor_names VALUES (%(org_id)s, %(mentor_id)s, %(name)s, 'North')",
    b"INSERT INTO mentor_name_keys VALUES (%(org_id)s, 'olav', %(mentor_id)s)",
    b"""INSERT INTO mentor_counts (
            org_id, mentor_id, referral_code, total_clicks, pending_attributions, confirmed_attributions,
            conversion_rate, by_channel, milestones, last_event_at, topic_partition, topic_offset
        ) VALUES (
            %(org_id)s, %(mentor_id)s, %(code)s, %(clicks)s, 1, %(confirmed)s, 0.1,
            jsonb_build_object(
                %(channel)s::text, jsonb_build_object('clicks', 1, 'pending', 0, 'confirmed', 0),
                %(shared)s::text,
                jsonb_build_object('clicks', %(clicks)s::int - 1, 'pending', 1, 'confirmed', %(confirmed)s::int)
            ),
            '{1}', now(), 0, %(confirmed)s
        )""",
    b"""INSERT INTO milestones (
            org_id, mentor_id, milestone_threshold, milestone_id, confirmed_count, attribution_id, reached_at, state
        ) VALUES (
            %(org_id)s, %(mentor_id)s, 1, %(event_id)s, 1, gen_random_uuid(), now(), 'decided'
        )""",
    b"""INSERT INTO badge_awards (org_id, mentor_id, badge_id, milestone_id, confirmed_count)
        VALUES (%(org_id)s, %(mentor_id)s, %(badge_id)s, %(event_id)s, 1)""",
    b"""INSERT INTO badge_decisions (
            org_id, mentor_id, milestone_threshold, milestone_id, badge_id, reason, confirmed_count
        ) VALUES (%(org_id)s, %(mentor_id)s, 1, %(event_id)s, %(badge_id)s, 'awarded', 1)""",
)
