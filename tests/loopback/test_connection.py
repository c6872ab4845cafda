"""One connection of the service: its reader and its pump, and clients that vanish or do not read."""

import asyncio
import contextlib
import gc
import socket as sockets
import weakref

import pytest

from tests.loopback.wire import FAST, connected, events, talking
from voicelive_tui.loopback import connection as connections
from voicelive_tui.loopback.faults import parse
from voicelive_tui.loopback.response import Response
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.loopback.session import Session


async def test_pings_are_answered_while_the_service_speaks():
    async with LoopbackService() as service, connected(service, heartbeat=1.0) as socket:
        await socket.send_json({"type": "response.create"})
        got = await events(socket, "response.done", 20)
    assert got[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize(
    ("spec", "code", "how"),
    [
        ("close=1011@response.created", 1011, "by the service: a fault was asked for"),
        ("reset@response.created", 1006, "reset by a fault"),
        ("expire=0.2", 1001, "by the service: the session has expired"),
    ],
)
async def test_the_records_tell_the_fault_and_the_true_close_code(spec, code, how):
    records = []
    async with talking(on_record=records.append, faults=[parse(spec)], script=Script(delay_ms=1000)) as socket:
        await events(socket, "never")
    assert [r.text for r in records if r.kind == "fault"] == [f"fault: {spec}"]
    (closed,) = [r for r in records if r.kind == "closed"]
    assert (closed.data, how in closed.text) == ({"code": code}, True)


async def test_the_records_tell_the_clients_close_code_and_reason():
    records = []
    async with LoopbackService(on_record=records.append) as service:
        async with connected(service) as socket:
            await events(socket, "session.created")
            await socket.close(code=4001, message=b"enough")
        async with connected(service) as socket:
            await events(socket, "session.created")
            socket.get_extra_info("socket").shutdown(sockets.SHUT_RDWR)
        async with asyncio.timeout(60):
            while [r.kind for r in records].count("closed") < 2:
                await asyncio.sleep(0.02)
    closed = [r for r in records if r.kind == "closed"]
    assert [r.data["code"] for r in closed] == [4001, 1006]
    assert "(by the client: enough)" in closed[0].text
    assert "(the connection was lost)" in closed[1].text


async def test_a_response_fails_when_its_speech_cannot_be_synthesized(monkeypatch):
    def fail(*_):
        raise RuntimeError("no voice")

    monkeypatch.setattr("voicelive_tui.loopback.service.pieces", fail)
    records = []
    async with talking(on_record=records.append) as socket:
        response = (await events(socket))[-1]["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["message"] == "Speech synthesis failed."
    assert "speech synthesis failed: RuntimeError: no voice" in [record.text for record in records]


async def test_a_sound_file_that_has_gone_is_spoken(tmp_path):
    script = Script(delay_ms=0, speed=50.0, reply=(Reply(say="Two words.", play="gone.wav"),), folder=str(tmp_path))
    records = []
    async with talking(on_record=records.append, script=script) as socket:
        assert (await events(socket))[-1]["response"]["status"] == "completed"
    assert any(record.text.startswith("spoken instead of played: cannot read") for record in records)


def living(kind):
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, kind)]


async def flood(socket):
    """Send events and read nothing until the service stops reading."""
    await socket.send_json({"type": "session.update", "session": {"echoed": "x" * 100_000}})
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(3):
                await socket.send_json({"type": "session.update", "session": {}, "ignored": "x" * 10_000})


async def test_a_client_that_vanishes_in_the_middle_of_an_answer_leaves_nothing_behind():
    async with LoopbackService(script=Script(speed=1.0)) as service:
        before = asyncio.all_tasks()
        for _ in range(5):
            async with connected(service) as socket:
                await socket.send_json({"type": "response.create"})
                await events(socket, "response.audio.delta")
                assert living(Response)
                socket.get_extra_info("socket").shutdown(sockets.SHUT_RDWR)
        async with asyncio.timeout(60):
            while asyncio.all_tasks() != before or living((Session, Response)):
                await asyncio.sleep(0.02)


async def test_a_session_of_a_frozen_heap_lets_go_of_its_conversation():
    async with LoopbackService(script=FAST) as service:
        async with connected(service) as socket:
            await socket.send_json({"type": "response.create"})
            await events(socket, "response.done")
            (session,) = living(Session)
            conversation = weakref.ref(session.conversation)
            gc.freeze()
            del session
        try:
            async with asyncio.timeout(60):
                while conversation():
                    await asyncio.sleep(0.02)
        finally:
            gc.unfreeze()


async def test_a_client_that_does_not_read_is_not_read_from():
    async with LoopbackService(script=FAST) as service, connected(service) as silent, connected(service) as other:
        await flood(silent)
        assert 0 < max(session.waiting for session in living(Session)) <= connections.MAX_UNSENT + 1
        await other.send_json({"type": "response.create"})
        assert (await events(other))[-1]["type"] == "response.done"
        silent.get_extra_info("socket").shutdown(sockets.SHUT_RDWR)


async def test_a_session_expires_even_if_its_client_does_not_read(monkeypatch):
    monkeypatch.setattr(connections, "CLOSE_GRACE", 0.1)
    ends = asyncio.Queue()

    def on_record(record):
        if record.kind == "closed":
            ends.put_nowait(record)

    async with (
        LoopbackService(faults=[parse("expire=3")], on_record=on_record) as service,
        connected(service) as silent,
    ):
        flooding = asyncio.create_task(flood(silent))
        async with asyncio.timeout(60):
            assert (await ends.get()).data["code"] == 1006  # no close frame gets through
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
