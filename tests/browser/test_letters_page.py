"""An administrator looks at what could not be used, tries it, and sends it again; a coordinator is told who does."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from playwright.async_api import Page, expect

from edges.languages.catalogue import LANGUAGES, Language, text
from edges.web.offsets import COMPONENTS, group_id
from models.dead_letters import Letter, letter_of
from models.errors import BadEvent, BadInput, WaitedTooLong
from models.outgoing import dead_letter
from models.topics import CLICKS, DEAD_LETTERS, REGISTRATIONS, Topic
from sinks.letters import Sent
from sinks.postgres_letters import PostgresLetters
from sinks.records import Record
from tests.browser.conftest import Visit
from tests.browser.fonts import WIDE, use_font
from tests.browser.test_accessibility import assert_accessible
from tests.browser.test_badges_page import shoot
from tests.browser.test_widths import IN_FONTS, LANGUAGE_OF, LOCALES, assert_fits, screen_of
from tests.milestones import new_id
from tests.organisation_scene import OrganisationScene
from tests.web import Web

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

ADMIN: Final = {"role": "org_admin"}


def set_aside(web: Web, *records: tuple[Topic, dict[str, Any], BadInput]) -> list[Letter]:
    """Make dead letters of records, in the topic and on the list, as the program does; return them."""
    settings = web.services.settings
    producer = Producer({**settings.kafka_client_config(), "linger.ms": 0})
    places: list[tuple[int, int]] = []

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        assert error is None
        places.append((message.partition() or 0, message.offset() or 0))

    written = []
    for number, (topic, value, fault) in enumerate(records):
        name = topic.full_name(settings.topic_prefix)
        source = Record(topic=name, partition=0, offset=number, key=None, value=json.dumps(value).encode())
        sent = dead_letter(DEAD_LETTERS.full_name(settings.topic_prefix), source, fault)
        producer.produce(sent.topic, sent.value, sent.key, 1, headers=list(sent.headers), on_delivery=on_delivery)
        assert producer.flush(30) == 0
        partition, offset = places[-1]
        stands = Record(
            topic=sent.topic,
            partition=partition,
            offset=offset,
            key=sent.key,
            value=sent.value,
            headers=tuple(sent.headers),
        )
        written.append(letter_of(stands, datetime.now(UTC)))
    with closing(PostgresLetters(settings.database_url)) as store:
        store.keep(written, [], {})
    return written


def two_good_and_a_bad_one(web: Web, scene: OrganisationScene) -> list[Letter]:
    """Set aside two registrations that came before their code, and a click that is none."""
    scene.call("Nordlys")
    code = scene.codes[scene.issue()]
    late = WaitedTooLong("the code was not issued within 30 days")
    good = [
        {
            "attribution_id": new_id(),
            "referral_code": code,
            "new_member_id": new_id(),
            "status": "pending_signup",
            "occurred_at": "2026-11-20T10:00:00Z",
        }
        for _ in range(2)
    ]
    bad = {"referral_code": code, "click_id": "m" * 90}
    return set_aside(
        web,
        *((REGISTRATIONS, each, late) for each in good),
        (CLICKS, bad, BadEvent("Click: click_id is no UUID, and its word is without any end: " + "m" * 90)),
    )


def pass_over(web: Web) -> None:
    """Commit what stands in the registrations topic as those who read it would: other tests look at what waits."""
    settings = web.services.settings
    topic = REGISTRATIONS.full_name(settings.topic_prefix)
    for component in (name for name, topics in COMPONENTS.items() if REGISTRATIONS in topics):
        group = {"group.id": group_id(component, settings), "log_level": 2}
        with closing(Consumer({**settings.kafka_client_config(), **group})) as consumer:
            places = [TopicPartition(topic, number) for number in range(settings.partitions)]
            for place in places:
                place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
            consumer.commit(offsets=places, asynchronous=False)


async def test_what_is_mended_is_sent_again(visit: Visit, scene: OrganisationScene, web: Web) -> None:
    """By keyboard: the reasons, one of them, what would become of all, and the sending; the bad one stays."""
    letters = two_good_and_a_bad_one(web, scene)
    async with visit("/dashboard", org_id=scene.org_id, expects=("status of 404",), **ADMIN) as page:
        await page.get_by_role("link", name="Dead letters").click()
        await expect(page.locator(".letters > li")).to_have_count(3)
        await expect(page.locator("#reasons tbody tr")).to_contain_text(["Not an event", "Waited too long"])
        await page.get_by_label("Reason", exact=True).select_option("BadEvent")
        await expect(page.locator(".letters > li")).to_have_count(1)
        await expect(page.locator(".letters > li > p").first).to_have_text(re.compile("^Clicks: click_id is no UUID"))
        await page.get_by_label("Reason", exact=True).select_option("")
        await page.get_by_label("Read from").select_option("registrations")
        await expect(page.locator(".letters > li")).to_have_count(2)
        await page.get_by_label("Read from").select_option("")
        await page.get_by_label("To", exact=True).fill("2020-01-01")
        await expect(page.locator("#letters .nothing")).to_be_visible()
        await page.get_by_label("To", exact=True).fill("")
        await expect(page.locator(".letters > li")).to_have_count(3)
        await page.get_by_label(f"More about {letters[0].name}").focus()
        await page.keyboard.press("Enter")
        first = page.locator(f'[data-letter="{letters[0].name}"]')
        await expect(first.locator("dl")).to_contain_text("registrations.v1/0/0")
        await shoot(page, "letters-list")
        await page.get_by_role("button", name="Try the 3 that are shown").focus()
        await page.keyboard.press("Enter")
        replay = page.locator("#replay")
        await expect(replay).to_contain_text("2 can be sent again.")
        await expect(replay).to_contain_text("One would be a dead letter again:")
        await shoot(page, "letters-tried")
        await expect(page.get_by_role("button", name="Send the 2 again")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(replay.get_by_role("status")).to_contain_text("2 were sent again.")
        with closing(PostgresLetters(web.services.settings.database_url)) as store:  # as the sink reads the notes
            store.keep([], [Sent(each.digest, datetime.now(UTC)) for each in letters[:2]], {})
        pass_over(web)
        await page.get_by_label("Show", exact=True).select_option("all")
        await expect(page.locator(".letters > li", has_text="Sent again")).to_have_count(2)
        await page.get_by_label("Show", exact=True).select_option("open")
        await expect(page.locator(".letters > li")).to_have_count(1)


async def test_others_that_do_not_come_are_not_those_before(visit: Visit, scene: OrganisationScene, web: Web) -> None:
    """Under another reason the letters of the one before would be wrong; a page whose server is away is readable."""
    two_good_and_a_bad_one(web, scene)
    expects = ("ERR_FAILED",)
    async with visit("/dead-letters", org_id=scene.org_id, expects=expects, reduced_motion="reduce", **ADMIN) as page:
        await expect(page.locator(".letters > li")).to_have_count(3)
        await page.route("**/v1/**", lambda route: route.abort())
        await page.get_by_label("Reason", exact=True).select_option("BadEvent")
        await expect(page.locator("#letters .failure")).to_be_visible()
        await expect(page.locator(".letters > li")).to_have_count(0)
        await assert_accessible(page)
        await page.unroute("**/v1/**")
        await page.locator("#letters").get_by_role("button", name="Try again").click()
        await expect(page.locator(".letters > li")).to_have_count(1)


async def test_a_coordinator_is_told_who_sees_them(visit: Visit, scene: OrganisationScene, web: Web) -> None:
    """Nothing is asked for that would be refused, and the dashboard has no link there."""
    two_good_and_a_bad_one(web, scene)
    async with visit("/dead-letters", org_id=scene.org_id) as page:
        await expect(page.locator("#administrators")).to_be_visible()
        await expect(page.locator("#letters")).to_be_hidden()
        await page.goto("/dashboard")
        await expect(page.get_by_role("link", name="Badges")).to_be_visible()
        await expect(page.get_by_role("link", name="Dead letters")).to_be_hidden()


async def open_everything(page: Page, language: Language) -> None:
    """Open a letter, and ask what would become of all."""
    await expect(page.locator(".letters > li")).to_have_count(3)
    await page.locator(".letters summary").first.click()
    await page.get_by_role("button", name=text(language, "letters.try-all", n=3)).click()
    await expect(page.locator("#replay li")).to_have_count(1)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_axe_finds_nothing_there(visit: Visit, scene: OrganisationScene, web: Web, language: Language) -> None:
    """With a letter open and a try made, in both languages and themes."""
    two_good_and_a_bad_one(web, scene)
    setting = {"locale": LOCALES[language], "reduced_motion": "reduce", **ADMIN}
    async with visit("/dead-letters", org_id=scene.org_id, **setting) as page:
        await open_everything(page, language)
        await assert_accessible(page)


@pytest.mark.parametrize(("screen", "advance"), IN_FONTS)
async def test_the_page_fits(visit: Visit, scene: OrganisationScene, web: Web, screen: str, advance: int) -> None:
    """With long words, a letter open and a try made."""
    two_good_and_a_bad_one(web, scene)
    async with visit("/dead-letters", org_id=scene.org_id, **screen_of(screen, advance), **ADMIN) as page:
        await open_everything(page, LANGUAGE_OF[advance])
        if screen in {"a phone", "a desk"}:
            await shoot(page, f"letters-{screen}-{'wide' if advance == WIDE else 'narrow'}")
        await use_font(page, advance)
        await assert_fits(page)
