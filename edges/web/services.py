"""What the routes work with, opened and closed together.

A part that needs something of its own adds a field to `Services` and a line to `open_services`. Nothing here waits for
Kafka or Postgres: a route that needs what is away answers 503, and goes on when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias, cast
from uuid import UUID

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from edges.registry.issuing import CodeRegistry
from edges.registry.outbox import OutboxRelay
from edges.registry.secret_box import Sealed, SecretBox, secret_box
from edges.registry.secrets import SecretStore
from edges.web.access_log import AccessLog
from edges.web.clicks.filtered import FilteredClicks
from edges.web.clicks.landing import LandingPages
from edges.web.clicks.recorder import ClickRecorder
from edges.web.clicks.unsure import UnsureClicks
from edges.web.database import ROLE, Database
from edges.web.erased import ErasedMembers
from edges.web.feed import Feed
from edges.web.first_attempts import FirstAttempts
from edges.web.identity import TokenVerifier
from edges.web.installation_figures import InstallationFigures
from edges.web.metrics import Metrics
from edges.web.organisation import summary
from edges.web.pipeline import Pipeline
from edges.web.producer import AcknowledgedProducer
from edges.web.readiness import WebHealth
from edges.web.replays import Replays
from edges.web.sign_in.provider import OpenIdProvider, open_provider
from edges.web.sign_in.sessions import Sessions
from edges.web.webhooks import WebhookSecrets
from process.settings import Settings
from process.tracing import Tracer, open_tracer


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Services:
    """The HTTP side's parts; one of each for a process."""

    settings: Settings
    tracer: Tracer | None
    """Shows what is posted in its trace; None: nobody does."""
    metrics: Metrics
    access_log: AccessLog
    tokens: TokenVerifier
    sessions: Sessions
    provider: OpenIdProvider | None
    """Whom people sign in with; None: links and tokens alone."""
    database: Database
    producer: AcknowledgedProducer
    secrets: SecretStore
    registry: CodeRegistry
    webhook_secrets: WebhookSecrets
    first_attempts: FirstAttempts
    erased: ErasedMembers
    clicks: ClickRecorder
    unsure_clicks: UnsureClicks
    landings: LandingPages
    filtered: FilteredClicks
    feed: Feed
    pipeline: Pipeline
    figures: InstallationFigures
    health: WebHealth
    replays: Replays
    stopping: asyncio.Event
    """Set when the server is asked to stop: what answers without end (server-sent events) ends then."""


Opened: TypeAlias = NamedDependency[SkipValidation[Services]]
"""How a handler asks for them: `services: Opened`."""


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open every part for the body, and close them after it, the last one first.

    Raises SettingsError where a setting cannot be used.
    """
    async with AsyncExitStack() as opened:
        at_postgres = settings.model_copy(update={"database_url": settings.web_database_url or settings.database_url})
        access_log = await opened.enter_async_context(AccessLog(settings))
        database = await opened.enter_async_context(Database(at_postgres))
        producer = await opened.enter_async_context(AcknowledgedProducer(settings))
        secrets = SecretStore(database, secret_box(settings) if settings.secret_keys else _NoKeys(settings))
        relay = OutboxRelay(at_postgres, role=ROLE)
        relay.start()
        opened.push_async_callback(relay.stop)
        clicks = await opened.enter_async_context(ClickRecorder(settings))
        landings = LandingPages(database)
        unsure_clicks = await opened.enter_async_context(UnsureClicks(landings, clicks))
        filtered = await opened.enter_async_context(FilteredClicks(database))
        metrics = Metrics()
        metrics.registry.register(clicks)
        metrics.registry.register(unsure_clicks)
        metrics.registry.register(filtered)
        figures = InstallationFigures(database, settings.reconcile_at)
        metrics.registry.register(figures)
        health = WebHealth(producer=producer, database=database, relay=relay, clicks=clicks)
        metrics.registry.register(health)
        tracer = open_tracer("web", settings)
        if tracer is not None:
            opened.push_async_callback(asyncio.to_thread, tracer.close)
        stopping = asyncio.Event()
        feed = await opened.enter_async_context(Feed(at_postgres.database_url, partial(summary, database), stopping))
        pipeline = await opened.enter_async_context(Pipeline(settings, metrics.registry))
        provider = open_provider(settings)
        if provider is not None:
            opened.push_async_callback(provider.close)
        yield Services(
            settings=settings,
            tracer=tracer,
            access_log=access_log,
            metrics=metrics,
            clicks=clicks,
            unsure_clicks=unsure_clicks,
            landings=landings,
            filtered=filtered,
            tokens=TokenVerifier(settings),
            sessions=Sessions(database, lasts_s=settings.sign_in_lasts_s),
            provider=provider,
            database=database,
            producer=producer,
            secrets=secrets,
            registry=CodeRegistry(database, secrets),
            webhook_secrets=WebhookSecrets(secrets),
            first_attempts=FirstAttempts(database),
            erased=ErasedMembers(database),
            feed=feed,
            pipeline=pipeline,
            figures=figures,
            health=health,
            replays=Replays(settings),
            stopping=stopping,
        )


class _NoKeys(SecretBox):
    """In the place of the keys where none are configured: whatever needs one raises SettingsError, which names it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def seal(self, secret: bytes, *, org_id: UUID, secret_id: UUID, purpose: str) -> Sealed:
        """Raise SettingsError."""
        return secret_box(self._settings).seal(secret, org_id=org_id, secret_id=secret_id, purpose=purpose)

    def open(self, sealed: Sealed, *, org_id: UUID, secret_id: UUID, purpose: str) -> bytes:
        """Raise SettingsError."""
        return secret_box(self._settings).open(sealed, org_id=org_id, secret_id=secret_id, purpose=purpose)


class Serving(Protocol):
    """An application that has its services at hand."""

    services: Services


def services_of(request: Request[Any, Any, Any]) -> Services:
    """Return them as `Opened` does, for the routes that are asked most: Litestar resolves none then."""
    return cast("Serving", request.app).services
