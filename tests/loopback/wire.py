"""A bare WebSocket client."""

import asyncio
import contextlib
import json

import aiohttp

from voicelive_tui.loopback.handshake import PATH
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.loopback.service import LoopbackService

QUERY = {"api-version": "2026-07-15", "model": "gpt-realtime"}
FAST = Script(delay_ms=20, speed=50.0, reply=(Reply(say="Three short words."),))
TYPED = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}


@contextlib.asynccontextmanager
async def connected(service, path=PATH, query=QUERY, **options):
    options.setdefault("max_msg_size", 0)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(service.endpoint + path, params=query, **options) as socket,
    ):
        yield socket


@contextlib.asynccontextmanager
async def talking(heartbeat=None, **options):
    """A client that has asked for an answer of the service made with these options."""
    options.setdefault("script", FAST)
    async with LoopbackService(**options) as service, connected(service, heartbeat=heartbeat) as socket:
        await socket.send_json({"type": "conversation.item.create", "item": TYPED})
        await socket.send_json({"type": "response.create"})
        yield socket


async def frames(socket, until="response.done", limit=60.0):
    """The raw messages up to and with that event, or to the end of the link."""
    got = []
    async with asyncio.timeout(limit):
        async for message in socket:
            got.append(message)
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                if json.loads(message.data).get("type") == until:
                    break
    return got


async def events(socket, until="response.done", limit=60.0):
    """The server events up to and with that one."""
    return [json.loads(frame.data) for frame in await frames(socket, until, limit)]
