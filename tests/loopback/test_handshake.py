"""Who may connect, and what a refused or vanished client leaves behind."""

import asyncio
import contextlib

import aiohttp
import pytest

from tests.loopback.wire import QUERY, connected, events
from voicelive_tui.loopback import connection
from voicelive_tui.loopback import service as services
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.handshake import PATH, Doorkeeper
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.loopback.service import LoopbackService


async def refusal(service, path=PATH, query=QUERY, **options):
    """The status and the body of a handshake; 101 if it succeeds."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            service.endpoint + path,
            params=query,
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                **options.get("headers", {}),
            },
        ) as answer,
    ):
        return answer.status, "" if answer.status == 101 else await answer.text()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:1234"}, 101),
        ({"Host": "[::1]:1234"}, 101),
        ({}, 101),
    ],
)
async def test_web_pages_and_rebound_names_are_refused(headers, status):
    async with LoopbackService(api_key="k3y") as service:
        told, text = await refusal(service, headers={"api-key": "k3y", **headers})
    assert told == status
    assert status == 101 or "--allow-origin" in text or "DNS rebinding" in text


@pytest.mark.parametrize(
    ("allowed", "origin", "status"),
    [
        ("https://mine.example", "https://mine.example", 101),
        ("https://mine.example", "https://mine.example.evil.example", 403),
        ("https://mine.example", "http://mine.example", 403),
        ("*", "https://anything.example", 101),
    ],
)
async def test_an_allowed_origin_may_connect(allowed, origin, status):
    async with LoopbackService(allow_origins=[allowed]) as service:
        assert (await refusal(service, headers={"Origin": origin}))[0] == status


async def test_the_key_is_checked_before_anything_else_is_done():
    records = []
    async with LoopbackService(api_key="k3y", faults=[parse("hang")], on_record=records.append) as service:
        for more in ({"fault": "hang"}, {"fault": "nonsense"}, {"agent-name": "x"}, {"model": ""}):
            async with asyncio.timeout(60):
                assert (await refusal(service, query=QUERY | more))[0] == 401
    assert {record.kind for record in records} == {"refused"}


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/openai/realtime", {"deployment": "gpt-realtime"}, 101),
        ("/openai/realtime", {"deployment": "gpt-realtime", "api-version": "2025-04-01-preview"}, 101),
        ("/openai/v1/realtime", {"model": "gpt-realtime"}, 101),
        ("/openai/v1/realtime", {}, 400),
        ("/openai/v2/realtime", {"model": "gpt-realtime"}, 404),
    ],
)
async def test_the_openai_paths_need_no_api_version(path, query, status):
    async with LoopbackService() as service:
        assert (await refusal(service, path, query))[0] == status


async def test_an_agent_is_accepted_if_the_script_names_it():
    query = {"api-version": "2026-07-15", "agent-name": "clerk", "agent-project-name": "shop"}
    records = []
    async with LoopbackService(on_record=records.append) as service:
        status, text = await refusal(service, query=query)
        assert (status, "'clerk'" in text) == (400, True)
    assert "There is no agent 'clerk'" in records[-1].text
    async with LoopbackService(script=Script(agents=("clerk",))) as service, connected(service, query=query) as socket:
        session = (await events(socket, "session.created"))[0]["session"]
    assert session["agent"].items() >= {"type": "agent", "name": "clerk"}.items()
    assert session["agent"]["thread_id"].startswith("conv_")


async def test_an_agent_goes_on_with_a_conversation_that_the_client_names():
    query = {"api-version": "2026-07-15", "agent-name": "clerk", "agent-project-name": "shop"}
    async with (
        LoopbackService(script=Script(agents=("clerk",))) as service,
        connected(service, query=query | {"conversation-id": "conv_1"}) as socket,
    ):
        created = (await events(socket, "session.created"))[0]["session"]
        await socket.send_json({"type": "response.create"})
        done = (await events(socket))[-1]["response"]
    assert (created["agent"]["thread_id"], done["conversation_id"]) == ("conv_1", "conv_1")


async def test_an_agent_remembers_its_conversation_and_no_other(monkeypatch):
    monkeypatch.setattr(connection, "MAX_CONVERSATIONS", 2)
    query = {"api-version": "2026-07-15", "agent-name": "clerk", "agent-project-name": "shop"}
    script = Script(agents=("clerk",), delay_ms=20, reply=(Reply(say="I know: {history}"),))

    async def answer_to(conversation, words):
        async with connected(service, query=query | {"conversation-id": conversation}) as socket:
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
            await socket.send_json({"type": "conversation.item.create", "item": item})
            await socket.send_json({"type": "response.create", "response": {"modalities": ["text"]}})
            return (await events(socket))[-1]["response"]["output"][0]["content"][0]["text"]

    async with LoopbackService(script=script) as service:
        assert await answer_to("conv_a", "one") == "I know: one"
        assert await answer_to("conv_b", "two") == "I know: two"
        assert await answer_to("conv_a", "three") == "I know: one | I know: one | three"
        await answer_to("conv_c", "four")
        assert await answer_to("conv_a", "five") == "I know: five", "the oldest is forgotten"


async def test_an_agent_takes_no_key():
    query = {"api-version": "2026-07-15", "agent-name": "clerk", "agent-project-name": "shop"}
    async with LoopbackService(script=Script(agents=("clerk",))) as service:
        status, text = await refusal(service, query=query, headers={"api-key": "k"})
    assert (status, "Entra ID" in text) == (401, True)


async def test_more_clients_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(services, "MAX_CLIENTS", 2)
    async with LoopbackService() as service:
        async with connected(service), connected(service):
            assert (await refusal(service))[0] == 503
        async with asyncio.timeout(60):
            while (await refusal(service))[0] != 101:
                await asyncio.sleep(0.02)


async def hanging(service):
    with contextlib.suppress(aiohttp.ClientError, asyncio.CancelledError):
        async with connected(service, query=QUERY | {"fault": "hang"}):
            pass


async def test_handshakes_that_hang_end_with_the_service_and_with_their_clients():
    before = asyncio.all_tasks()
    service = LoopbackService()
    await service.start()
    running = asyncio.all_tasks()
    clients = [asyncio.create_task(hanging(service)) for _ in range(60)]
    async with asyncio.timeout(60):
        while len(asyncio.all_tasks() - running) < 2 * len(clients):
            await asyncio.sleep(0.02)
        for client in clients[:30]:
            client.cancel()  # these vanish; the others stay until the service stops
        await asyncio.gather(*clients[:30], return_exceptions=True)
        while len(asyncio.all_tasks() - running) > 3 * len(clients[30:]):
            await asyncio.sleep(0.02)
        await service.stop()
        await asyncio.gather(*clients)
        while asyncio.all_tasks() != before:
            await asyncio.sleep(0.02)


async def test_garbage_on_the_socket_is_a_record_and_no_traceback(capfd):
    records = []
    async with LoopbackService(on_record=records.append) as service:
        host, _, port = service.endpoint.removeprefix("http://").partition(":")
        for garbage in (b"\x16\x03\x01\x00garbage\r\n\r\n", b"GET / HTTP/9.9\r\nHost\r\n\r\n", b"\x00" * 100):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(garbage)
            writer.write_eof()
            await reader.read()
            writer.close()
            await writer.wait_closed()
    assert capfd.readouterr().err == ""
    assert all("\n" not in record.text for record in records)


async def test_an_error_in_a_handler_is_one_record_and_no_traceback(monkeypatch, capfd):
    def fail(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Doorkeeper, "admit", fail)
    records = []
    async with LoopbackService(on_record=records.append) as service:
        assert (await refusal(service))[0] == 500
    assert capfd.readouterr().err == ""
    (record,) = records
    assert record.kind == "note"
    assert "RuntimeError: a bug" in record.text


def test_the_key_is_in_no_representation():
    assert "k3y" not in repr(Doorkeeper("127.0.0.1", "k3y", Script(), ()))


# ---- TLS


async def test_every_answer_to_a_handshake_has_a_date():
    async with (
        LoopbackService(faults=[parse("throttle=7@connection#2")]) as service,
        aiohttp.ClientSession() as session,
    ):
        async with session.ws_connect(service.endpoint + PATH, params=QUERY) as websocket:
            assert "Date" in websocket._response.headers
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(service.endpoint + PATH, params=QUERY)
        assert "Date" in refused.value.headers
