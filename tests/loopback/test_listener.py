"""Connections on which no request comes."""

import asyncio
import ssl

import pytest

from tests.loopback.wire import connected, events
from voicelive_tui.loopback import listener, tls
from voicelive_tui.loopback.service import LoopbackService


def address(service: LoopbackService) -> tuple[str, int]:
    host, _, port = service.endpoint.partition("://")[2].partition(":")
    return host, int(port)


async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """What came until the service closed the connection."""
    async with asyncio.timeout(60):
        got = await reader.read()
    writer.close()
    return got


async def test_a_connection_without_a_request_is_closed_and_a_session_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "REQUEST_SECONDS", 0.3)
    records = []
    async with LoopbackService(on_record=records.append) as service, connected(service) as socket:
        idle = await asyncio.open_connection(*address(service))
        begun = await asyncio.open_connection(*address(service))
        begun[1].write(b"GET /voice-live/realtime HTTP/1.1\r\nHost: ")
        assert await closed(*idle) == b""
        await closed(*begun)
        await events(socket, "session.created")
        await socket.send_json({"type": "response.create"})
        await events(socket, "response.created")
    notes = [record.text for record in records if record.kind == "refused"]
    assert notes == ["closed a connection on which no request came within 0.3 s"] * 2


async def test_connections_that_wait_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_WAITING", 3)
    records = []
    async with LoopbackService(on_record=records.append) as service:
        held = [await asyncio.open_connection(*address(service)) for _ in range(3)]
        assert await closed(*await asyncio.open_connection(*address(service))) == b""
        assert records[-1].text == "refused a client: 3 connections wait without a request already"
        for _, writer in held:
            writer.write(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for reader, _ in held:
            assert b"404" in await reader.readline()
        async with connected(service) as socket:  # those that asked do not count
            await events(socket, "session.created")
        for _, writer in held:
            writer.close()


async def test_with_tls_a_client_of_plain_http_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "REQUEST_SECONDS", 2.0)
    records = []
    context, certificate = tls.self_signed("127.0.0.1")
    async with LoopbackService(tls=context, on_record=records.append) as service:
        reader, writer = await asyncio.open_connection(*address(service))
        writer.write(b"GET /voice-live/realtime HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await closed(reader, writer)
        trusting = ssl.create_default_context(cadata=certificate)
        reader, writer = await asyncio.open_connection(*address(service), ssl=trusting)
        writer.write(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"404" in await reader.readline()
        await asyncio.sleep(2.5)
        writer.close()
    assert [record.text for record in records if "/nothing" not in record.text] == [
        "a client left without a request: does it use https or wss, and trust the certificate?"
    ]
