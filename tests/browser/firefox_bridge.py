"""Firefox for Playwright: starts it, and answers for it the commands of WebDriver BiDi that Debian's does not know yet.

    python firefox_bridge.py /usr/bin/firefox-esr ARGUMENTS

Playwright speaks BiDi with the Firefox that there is, and asks each page for a colour scheme by a command that Firefox
153 (ESR) has not learnt. Here it is answered as done, so pages are light unless somebody chooses. And files that a page
makes have no id there, without which Playwright overlooks them; here they get one. All else goes through as it is.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Final

from aiohttp import ClientSession, ClientWebSocketResponse, WSMessage, WSMsgType, web

LISTENING: Final = re.compile(rb"(WebDriver BiDi listening on )(ws://\S+)")
ANSWERED: Final = {"emulation.setMediaFeaturesOverride"}
UNBOUNDED: Final = 0
"""Pictures are megabytes."""


async def run(command: list[str]) -> int:
    """Run Firefox until it ends, and return its exit code."""
    firefox = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert firefox.stderr is not None
    async with ClientSession() as client:
        async for line in firefox.stderr:
            said = line
            if found := LISTENING.search(line):
                port = await listen(client, found[2].decode())
                said = b"%bws://127.0.0.1:%d\n" % (found[1], port)
            sys.stderr.buffer.write(said)
            sys.stderr.buffer.flush()
        return await firefox.wait()


async def listen(client: ClientSession, firefox_url: str) -> int:
    """Take connections for Firefox on a port of our own, and return it."""

    async def connected(request: web.Request) -> web.WebSocketResponse:
        playwright = web.WebSocketResponse(max_msg_size=UNBOUNDED)
        await playwright.prepare(request)
        async with client.ws_connect(firefox_url + request.path, max_msg_size=UNBOUNDED) as firefox:
            answering = asyncio.create_task(_answer(firefox, playwright))
            async for message in playwright:
                await _ask(message, firefox, playwright)
            await firefox.close()
            await answering
        return playwright

    application = web.Application()
    application.router.add_get("/{path:.*}", connected)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return int(runner.addresses[0][1])


async def _ask(message: WSMessage, firefox: ClientWebSocketResponse, playwright: web.WebSocketResponse) -> None:
    if message.type is not WSMsgType.TEXT:
        return
    command = json.loads(message.data)
    if command["method"] in ANSWERED:
        await playwright.send_json({"type": "success", "id": command["id"], "result": {}})
    else:
        await firefox.send_str(message.data)


async def _answer(firefox: ClientWebSocketResponse, playwright: web.WebSocketResponse) -> None:
    async for message in firefox:
        if message.type is WSMsgType.TEXT:
            await playwright.send_str(named(message.data))
    await playwright.close()


def named(event: str) -> str:
    """Return what Firefox says; the id of a download that no navigation began is its address."""
    if '"browsingContext.download' not in event[:100]:
        return event
    said = json.loads(event)
    if said["params"].get("navigation") is None:
        said["params"].setdefault("download", said["params"]["url"])
    return json.dumps(said)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(run(sys.argv[1:])))
