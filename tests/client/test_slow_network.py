"""A link over a network that is slow, or stands still for a while: sound is dropped and counted, never sent late."""

import asyncio
import base64
import contextlib
import functools
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import aiohttp.connector
from aiohttp import web
from azure.core.credentials import AzureKeyCredential

from voicelive_tui.client import link as links
from voicelive_tui.client.connection import ServiceConnection
from voicelive_tui.client.link import Link
from voicelive_tui.config import Service
from voicelive_tui.loopback import tls
from voicelive_tui.session import inputs

CHUNK_SECONDS = 0.04
CHUNK = bytes(1912)
"""What follows the time of capture in a chunk of sound."""
SMALL = 8 * 1024
"""Bytes that the network holds: 0.13 s of sound."""


class Ears:
    """Notes the age of each chunk of sound that arrives.

    Attributes:
        is_answering: It answers each chunk with an event, and no ping.
    """

    def __init__(self, *, is_answering: bool) -> None:
        self.ages: list[float] = []
        self.is_answering = is_answering

    async def accept(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(autoping=not self.is_answering)
        await ws.prepare(request)
        async for message in ws:
            if self.is_answering:
                await ws.send_str('{"type": "response.audio.delta"}')
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            captured_at = int.from_bytes(base64.b64decode(json.loads(message.data)["audio"])[:8], "little") / 1e6
            self.ages.append(time.monotonic() - captured_at)
        return ws


@functools.cache
def trusted_certificate() -> ssl.SSLContext:
    """The server's side of TLS; its certificate is trusted in this process from now on."""
    context, certificate = tls.self_signed("127.0.0.1")
    aiohttp.connector._SSL_CONTEXT_VERIFIED.load_verify_locations(cadata=certificate)
    return context


@contextlib.asynccontextmanager
async def network(port: int, may_pass: Callable[[], int], held: int) -> AsyncIterator[int]:
    """A way to a port that lets `may_pass()` bytes through each 50 ms, and holds others; its own port."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", port)

        async def back() -> None:
            while data := await there_reader.read(65536):
                writer.write(data)

        returning = asyncio.create_task(back())
        # Without the suppression asyncio of Python 3.11 logs the cancellation at the end.
        try:
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                while True:
                    await asyncio.sleep(0.05)
                    if allowed := may_pass():
                        data = await reader.read(allowed)
                        if not data:
                            return
                        there.write(data)
        finally:
            returning.cancel()
            there.close()
            writer.close()

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, held)
    listening.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(carry, sock=listening, limit=held // 2)
    async with server:
        yield listening.getsockname()[1]


@contextlib.asynccontextmanager
async def talking(
    may_pass: Callable[[], int], *, encrypted: bool, held: int = SMALL, is_answering: bool = False
) -> AsyncIterator[tuple[Ears, Link, list[inputs.Input]]]:
    """A link to a service over such a network."""
    service = Ears(is_answering=is_answering)
    app = web.Application()
    app.router.add_get("/voice-live/realtime", service.accept)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context: ssl.SSLContext | None = None
    if encrypted:
        context = trusted_certificate()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    async with network(runner.addresses[0][1], may_pass, held) as port:
        where = Service(endpoint=f"{'https' if encrypted else 'http'}://127.0.0.1:{port}", api_key="k")
        seen: list[inputs.Input] = []

        async def connect() -> ServiceConnection:
            return await ServiceConnection.open(where, "gpt-realtime", AzureKeyCredential("k"))

        link = Link(connect, seen.append)
        running = asyncio.create_task(link.run())
        async with asyncio.timeout(60):
            while not any(isinstance(event, inputs.Connected) for event in seen):
                assert not running.done(), seen
                await asyncio.sleep(0.01)
        yield service, link, seen
        await link.close()
        await running
    await runner.cleanup()


async def talk(link: Link, seconds: float) -> int:
    """Send sound at its own pace; the number of chunks."""
    count, due = round(seconds / CHUNK_SECONDS), time.monotonic()
    for _ in range(count):
        link.send_audio(int(time.monotonic() * 1e6).to_bytes(8, "little") + CHUNK)
        due = max(due + CHUNK_SECONDS, time.monotonic())  # no burst after this process had to wait
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return count


async def settled(service: Ears, link: Link) -> None:
    """Wait until nothing more arrives."""
    before = -1
    async with asyncio.timeout(60):
        while link.outbox_ms or len(service.ages) > before:
            before = len(service.ages)
            await asyncio.sleep(0.5)


async def plain_and_encrypted(attempt: Callable[[bool], Coroutine[Any, Any, None]]) -> None:
    """Side by side, since each mostly waits."""
    async with asyncio.TaskGroup() as side_by_side:
        for encrypted in (False, True):
            side_by_side.create_task(attempt(encrypted))


async def test_a_network_that_stands_still_gets_no_old_sound_afterwards():
    await plain_and_encrypted(stand_still)


async def stand_still(encrypted: bool) -> None:
    still = False
    async with talking(lambda: 0 if still else 10**6, encrypted=encrypted) as (service, link, _):
        sent = await talk(link, 0.5)
        still = True
        sent += await talk(link, 4.0)
        still = False
        sent += await talk(link, 0.5)
        await settled(service, link)
        late = sum(age > links.OUTBOX_LIMIT_MS / 1000 + 0.5 for age in service.ages) * CHUNK_SECONDS
        assert late < 3.0  # what the network itself held; without limits to the transport all of it
        assert len(service.ages) + round(link.dropped_ms / 1000 / CHUNK_SECONDS) == sent
        assert link.dropped_ms > 1000


async def test_a_slow_network_drops_sound_in_place_of_delaying_it_more_and_more():
    await plain_and_encrypted(be_slow)


async def be_slow(encrypted: bool) -> None:
    async with talking(lambda: 1500, encrypted=encrypted) as (service, link, seen):  # 30 kB/s; sound takes 64 kB/s
        sent = await talk(link, 6.0)
        await settled(service, link)
        assert max(service.ages) < 4.5  # without limits to the transport it grows on and on
        assert len(service.ages) + round(link.dropped_ms / 1000 / CHUNK_SECONDS) == sent
        assert link.dropped_ms > 1000
        assert [type(event).__name__ for event in seen if not isinstance(event, inputs.Sent)] == [
            "Connected",
            "LocalProblem",
        ]


async def test_sound_does_not_get_old_in_a_proxy_that_takes_everything_and_is_slow():
    async with talking(lambda: 1500, encrypted=False, held=4_000_000) as (service, link, _):
        sent = await talk(link, 8.0)
        await settled(service, link)
        assert max(service.ages) < 6.0  # without pings in between twice as much
        assert len(service.ages) + round(link.dropped_ms / 1000 / CHUNK_SECONDS) == sent
        assert link.dropped_ms > 1000


async def test_a_pong_that_may_wait_behind_an_answer_drops_no_sound():
    async with talking(lambda: 10**6, encrypted=False, is_answering=True) as (service, link, _):
        sent = await talk(link, 4.0)
        await settled(service, link)
        assert (len(service.ages), link.dropped_ms) == (sent, 0.0)


async def test_a_slow_link_is_not_taken_for_dead_until_it_stands_still(monkeypatch):
    """A pong waits behind all the sound on the way, which takes several seconds."""
    monkeypatch.setattr(links, "PONG_SECONDS", 2.0)
    rate = 600
    async with talking(lambda: rate, encrypted=False) as (_, link, seen):  # 12 kB/s
        talking_on = asyncio.create_task(talk(link, 12.0))
        for _ in range(5):
            link.check()
            await asyncio.sleep(1.0)
        assert not any(isinstance(event, inputs.Disconnected) for event in seen)
        rate = 0
        async with asyncio.timeout(60):
            while not any(isinstance(event, inputs.Disconnected) for event in seen):
                link.check()
                await asyncio.sleep(0.05)
        talking_on.cancel()


async def test_a_network_that_is_fast_enough_drops_nothing():
    async with talking(lambda: 10**6, encrypted=True) as (service, link, _):
        sent = await talk(link, 2.0)
        await settled(service, link)
        assert (len(service.ages), link.dropped_ms) == (sent, 0.0)
