"""The server: handshakes, concurrent clients, stopping, and records."""

import asyncio
import base64
import contextlib
import gc
import json
import operator
import sys
from pathlib import Path

import aiohttp
import pytest
from multidict import MultiDict

from tests.loopback.wire import FAST, QUERY, TYPED, connected, events, talking
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.handshake import PATH
from voicelive_tui.loopback.script import Reply, Script, ScriptedError
from voicelive_tui.loopback.service import LoopbackService, ServiceError
from voicelive_tui.loopback.session import Session


async def status_of(service, path=PATH, query=QUERY, **options):
    """The HTTP status of a handshake, 101 if it succeeds."""
    try:
        async with connected(service, path, query, **options):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def test_the_key_is_accepted_in_a_header_a_bearer_token_or_the_query():
    async with LoopbackService(api_key="k3y") as service:
        assert await status_of(service) == 401
        assert await status_of(service, headers={"api-key": "wrong"}) == 401
        assert await status_of(service, headers={"api-key": "k3\udcff"}) == 401
        assert await status_of(service, headers={"api-key": "k3y"}) == 101
        assert await status_of(service, headers={"Authorization": "Bearer k3y"}) == 101
        assert await status_of(service, query=QUERY | {"api-key": "k3y"}) == 101


async def test_without_a_key_every_client_is_accepted():
    async with LoopbackService() as service:
        assert await status_of(service, headers={"api-key": "whatever"}) == 101


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/elsewhere", QUERY, 404),
        (PATH + PATH, QUERY, 404),
        (PATH, {"model": "gpt-realtime"}, 400),
        (PATH, {"api-version": "2026-07-15"}, 400),
        (PATH, QUERY | {"agent-name": "a", "agent-project-name": "p"}, 400),
        (PATH, QUERY | {"fault": "nonsense"}, 400),
        (PATH, QUERY | {"x-ms-client-sdk": "azsdk", "foo": "bar"}, 101),
    ],
)
async def test_the_handshake(path, query, status):
    async with LoopbackService() as service:
        assert await status_of(service, path, query) == status


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", PATH + PATH, 404,
         f"There is nothing at '{PATH}{PATH}'; served are {PATH}, /openai/realtime, /openai/v1/realtime."),
        ("GET", "/%1b%5b2J", 404,
         f"There is nothing at '/␛[2J'; served are {PATH}, /openai/realtime, /openai/v1/realtime."),
        ("GET", f"{PATH}?api-version=1&model=gpt-realtime", 400, "Expected a WebSocket handshake, not a plain GET."),
        ("POST", f"{PATH}?api-version=1&model=gpt-realtime", 405, "Expected a WebSocket handshake, not a plain POST."),
    ],
)  # fmt: skip
async def test_a_request_without_a_handshake_is_refused_and_reported_in_one_sentence(method, path, status, sentence):
    records = []
    async with (
        LoopbackService(on_record=records.append) as service,
        aiohttp.ClientSession() as http,
        http.request(method, service.endpoint + path) as answer,
    ):
        assert (answer.status, await answer.text()) == (status, f"{sentence}\n")
    assert [record.text for record in records] == [f"refused a client ({status}): {sentence}"]


async def test_a_port_in_use_is_one_sentence():
    async with LoopbackService() as service:
        port = int(service.endpoint.rpartition(":")[2])
        other = LoopbackService(port=port)
        with pytest.raises(ServiceError, match=f"^port {port} on 127.0.0.1 is in use already; "):
            await other.start()
        await other.stop()


async def test_a_foreign_address_is_one_sentence():
    with pytest.raises(ServiceError, match=r"^cannot listen on 192\.0\.2\.1, port 0: "):
        await LoopbackService(host="192.0.2.1").start()


async def test_clients_get_only_their_own_events():
    async with LoopbackService(script=FAST) as service, connected(service) as one, connected(service) as two:
        first, second = [(await events(socket, "session.created"))[0]["session"]["id"] for socket in (one, two)]
        assert first != second
        await one.send_json({"type": "conversation.item.create", "item": TYPED})
        await one.send_json({"type": "response.create"})
        await two.send_json({"type": "session.update", "session": {}})
        assert [e["type"] for e in await events(two, "session.updated")] == ["session.updated"]
        assert (await events(one))[-1]["response"]["status"] == "completed"


async def test_stop_closes_every_session_with_1001():
    async with LoopbackService() as service, connected(service) as socket:
        await events(socket, "session.created")
        await asyncio.gather(service.stop(), socket.receive())
        assert socket.close_code == 1001


async def test_the_service_can_be_stopped_while_it_speaks_and_twice():
    service = LoopbackService()
    await service.start()
    async with connected(service) as socket:
        await socket.send_json({"type": "response.create"})
        await events(socket, "response.created")
        _, rest = await asyncio.gather(service.stop(), events(socket, "never"))
        assert "response.done" not in {event["type"] for event in rest}
        assert socket.close_code == 1001
    await service.stop()


async def test_the_service_stops_with_a_stalled_session():
    service = LoopbackService(faults=[parse("stall@session.created")])
    await service.start()
    async with connected(service) as socket:
        await events(socket, "session.created")
        async with asyncio.timeout(60):
            await service.stop()
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_an_append_of_15_mib_is_accepted_and_a_larger_one_refused():
    async with LoopbackService() as service, connected(service) as socket:
        await socket.send_json({"type": "session.update", "session": {"turn_detection": None}})
        for size, kind in ((15 * 1024 * 1024, "input_audio_buffer.committed"), (15 * 1024 * 1024 + 2, "error")):
            audio = base64.b64encode(bytes(size)).decode()
            await socket.send_str(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            if kind != "error":
                await socket.send_json({"type": "input_audio_buffer.commit"})
            assert (await events(socket, kind, 30))[-1]["type"] == kind


async def test_sessions_answers_and_faults_are_records():
    records = []
    async with talking(on_record=records.append, faults=[parse("unknown-event")]) as socket:
        await events(socket)
    assert [r.kind for r in records] == ["session", "answer", "fault", "closed"]
    assert len({r.session for r in records}) == 1
    assert records[1].text == "answer: Three short words."
    assert records[2].text == "fault: unknown-event@response.audio.delta"


async def test_errors_are_records():
    records = []
    async with LoopbackService(on_record=records.append) as service, connected(service) as socket:
        await socket.send_json({"type": "session.update", "session": {"tools": [{"type": "web_search"}]}})
        await events(socket, "error")
    (error,) = [r for r in records if r.kind == "error"]
    assert error.text == "error not_supported: The loopback service does not support tools of type 'web_search'."
    assert error.data["param"] == "session.tools[0]"


async def test_errors_and_failures_of_a_script_are_records():
    script = Script(reply=(Reply(say="x", errors=(ScriptedError("Oh.", "oh"),), fail="No more."),))
    records = []
    async with LoopbackService(on_record=records.append, script=script) as service, connected(service) as socket:
        await socket.send_json({"type": "response.create"})
        await events(socket)
    assert [r.text for r in records if r.kind == "error"] == ["error oh: Oh.", "response.done server_error: No more."]


async def test_records_hold_no_escape_sequences():
    records = []
    query = QUERY | {"model": "evil\x1b[31m\nmodel"}
    async with LoopbackService(on_record=records.append) as service, connected(service, query=query) as socket:
        await events(socket, "session.created")
    assert all(record.text.isprintable() for record in records)


async def test_a_client_can_request_faults():
    query = MultiDict([*QUERY.items(), ("fault", "unknown-event@session.created,empty-frame@session.created")])
    async with LoopbackService() as service, connected(service, query=query) as socket:
        got = [await socket.receive() for _ in range(3)]
    assert json.loads(got[0].data)["type"] == "loopback.unknown"
    assert got[1].data == ""
    assert json.loads(got[2].data)["type"] == "session.created"


async def test_the_key_is_in_no_record_and_no_representation():
    records = []
    async with LoopbackService(api_key="s3cret", on_record=records.append) as service:
        await status_of(service, headers={"api-key": "s3cret"})
        await status_of(service, headers={"api-key": "s3cret-but-wrong"})
        assert "s3cret" not in repr(records)
        assert "s3cret" not in repr(service)


# ---- clients that flood or vanish


async def test_a_long_synthesis_does_not_delay_other_sessions():
    """Ten minutes of speech take seconds to synthesize; a sentence of another session does not wait for them."""
    message = {"content": [{"type": "text", "text": "This goes on, and on, and on for ever. " * 250}]}
    async with LoopbackService(script=FAST) as service, connected(service) as long, connected(service) as short:
        await long.send_json({"type": "response.create", "response": {"pre_generated_assistant_message": message}})
        await events(long, "response.content_part.added")
        await short.send_json({"type": "response.create"})
        await events(short, "response.done", 60)
        with pytest.raises(TimeoutError):
            await events(long, "response.audio.delta", 0.01)


async def visit(service, how):
    """A client that hears a whole answer, or vanishes in the middle of it, or in the handshake."""
    query = QUERY | ({"fault": "hang"} if how == "handshake" else {})
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(1 if how == "handshake" else 60), connected(service, query=query) as socket:
            await socket.send_json({"type": "response.create"})
            await events(socket, "response.audio.delta" if how == "answer" else "response.done", 60)
            if how == "answer":
                socket.get_extra_info("socket").shutdown(2)


def held():
    """The tasks, sessions and file descriptors of this process."""
    gc.collect()
    sessions = sum(isinstance(thing, Session) for thing in gc.get_objects())
    return len(asyncio.all_tasks()), sessions, len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(sys.platform != "linux", reason="counts file descriptors in /proc")
async def test_a_crowd_of_sessions_and_vanishing_clients_leaves_nothing_behind():
    async with LoopbackService(script=FAST) as service:
        await visit(service, "whole")  # what is made once
        async with asyncio.timeout(60):
            while (before := held())[1]:
                await asyncio.sleep(0.1)
        for _ in range(2):
            await asyncio.gather(*(visit(service, "whole") for _ in range(20)))
            await asyncio.gather(*(visit(service, how) for how in ["answer", "handshake"] * 15))
        async with asyncio.timeout(60):
            while any(map(operator.gt, held(), before)):
                await asyncio.sleep(0.1)
