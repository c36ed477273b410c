"""What the HTTP side is compared with: bare Litestar routes that do the one thing that cannot be left out, and no more.

    python -m proof.bench.web_bare        serves at REFERRALS_WEB_PORT, as `referrals web` does

Webhook: awaits the same produce of the body. Share link: Litestar's redirect. Counts: the same statement over the same
pool. The same uvicorn settings and event loop, one process; without checks, tokens, metrics, headers and log.
"""

from __future__ import annotations

import asyncio
import signal
from itertools import cycle
from typing import Any, Final

import uvicorn
import uvloop
from litestar import Litestar, Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from edges.web.answers.answer import Accepted
from edges.web.answers.mentors import AttributionCounts
from edges.web.database import Database
from edges.web.listening import listen
from edges.web.producer import AcknowledgedProducer
from edges.web.queries import statement
from edges.web.server import server_config
from models.topics import REGISTRATIONS
from process.settings import Settings, load_settings
from proof.bench.web_scene import CODES, LANDING

ACCEPTED: Final = Accepted(attribution_id="00000000-0000-0000-0000-000000000000")


def create_bare(settings: Settings, database: Database, producer: AcknowledgedProducer) -> Litestar:
    """Return the application, with the addresses of ours."""
    topic = REGISTRATIONS.full_name(settings.topic_prefix)
    query = statement("attribution_counts")
    keys = cycle([code.encode() for code in CODES])

    @post("/v1/orgs/{org_id:str}/registrations", status_code=202)
    async def take(request: Request[Any, Any, Any]) -> Accepted:
        await producer.produce(topic, next(keys), await request.body())
        return ACCEPTED

    @get("/r/{code:str}")
    async def follow() -> Redirect:
        return Redirect(LANDING)

    @get("/v1/orgs/{org_id:str}/mentors/{mentor_id:str}/attribution-counts")
    async def counts(org_id: FromPath[str], mentor_id: FromPath[str]) -> AttributionCounts:
        values = {"org_id": org_id, "mentor_id": mentor_id}
        ((_, clicks, pending, confirmed, counted_at),) = await database.rows(org_id, query, values)
        return AttributionCounts(
            org_id=org_id,
            mentor_id=mentor_id,
            channel=None,
            total_clicks=clicks,
            pending_attributions=pending,
            confirmed_attributions=confirmed,
            conversion_rate=confirmed / clicks,
            updated_at=counted_at,
        )

    @get("/one")
    async def one() -> dict[str, int]:
        ((number,),) = await database.rows(None, "SELECT 1")
        return {"one": number}

    @get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    return Litestar([take, follow, counts, one, live], openapi_config=None, logging_config=None)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM."""
    async with Database(settings) as database, AcknowledgedProducer(settings) as producer:
        server = uvicorn.Server(server_config(create_bare(settings, database, producer)))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, setattr, server, "should_exit", True)  # noqa: FBT003  setattr's
        await server._serve([listen(settings)])  # noqa: SLF001  what `referrals web` calls


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(load_settings()))
