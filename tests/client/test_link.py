"""One connection: connecting, the order of sends, and its end; two links at once."""

import asyncio
import base64
from typing import Any

import pytest

from tests.conversing import until
from voicelive_tui.client import link as links
from voicelive_tui.client.connection import BadMessage, ConnectError, LinkClosed
from voicelive_tui.client.link import OUTBOX_LIMIT_MS, Link
from voicelive_tui.client.scripted import ScriptedConnection
from voicelive_tui.credentials import CredentialError
from voicelive_tui.session import inputs

CHUNK = bytes(1920)
"""40 ms of silence."""


def started(connection: ScriptedConnection) -> tuple[Link, list[inputs.Input], "asyncio.Task[None]"]:
    seen: list[inputs.Input] = []
    link = Link(connection, seen.append)
    return link, seen, asyncio.create_task(link.run())


async def test_events_and_sound_are_sent_in_the_order_in_which_they_were_given() -> None:
    connection = ScriptedConnection("a", "b")
    link, seen, running = started(connection)
    link.send({"type": "too early"})
    link.send_audio(CHUNK)
    await until(lambda: seen == [inputs.Connected()])
    link.send({"type": "a"})
    link.send_audio(b"\1" * 1920, 12.5)
    link.send({"type": "b"})
    await until(lambda: len(connection.sent) == 3)
    assert [event["type"] for event in connection.sent] == ["a", "input_audio_buffer.append", "b"]
    assert base64.b64decode(connection.sent[1]["audio"]) == b"\1" * 1920
    sent = [event for event in seen if isinstance(event, inputs.Sent)]
    assert [(event.event, event.captured_at) for event in sent] == list(
        zip(connection.sent, (None, 12.5, None), strict=True)
    )
    await link.close()
    await running
    connection.finish()
    assert seen[-1] == inputs.Disconnected(1000, "")


async def test_a_slow_network_drops_the_oldest_sound_and_no_event() -> None:
    connection = ScriptedConnection("first", "last")
    connection.sending.clear()
    link, seen, running = started(connection)
    await until(lambda: seen)
    link.send({"type": "first"})
    for number in range(20):
        link.send_audio(bytes([number]) * 1920)
    link.send({"type": "last"})
    assert (link.outbox_ms, link.dropped_ms) == (480.0, 320.0)
    assert link.outbox_ms <= OUTBOX_LIMIT_MS
    connection.sending.set()
    await until(lambda: len(connection.sent) == 14)
    numbers = [base64.b64decode(event["audio"])[0] for event in connection.sent if "audio" in event]
    assert numbers == list(range(8, 20))
    assert link.outbox_ms == 0.0
    await link.close()
    await running
    connection.finish()


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (ConnectError("refused"), inputs.ConnectFailed("refused")),
        (
            ConnectError("busy", transient=True, retry_after=2.0),
            inputs.ConnectFailed("busy", transient=True, retry_after=2.0),
        ),
        (CredentialError("no token"), inputs.ConnectFailed("no token", transient=True)),
    ],
)
async def test_a_failed_attempt_is_reported(error: Exception, reported: inputs.ConnectFailed) -> None:
    async def connect() -> Any:
        raise error

    seen: list[inputs.Input] = []
    await Link(connect, seen.append).run()
    assert seen == [reported]


async def test_closing_calls_a_hanging_attempt_off_and_reports_nothing() -> None:
    async def hang() -> Any:
        await asyncio.Event().wait()

    seen: list[inputs.Input] = []
    link = Link(hang, seen.append)
    running = asyncio.create_task(link.run())
    await asyncio.sleep(0)
    await link.close()
    await asyncio.wait_for(running, 60)
    assert seen == []


async def test_a_connection_made_just_as_the_link_closes_is_closed() -> None:
    connection = ScriptedConnection()
    seen: list[inputs.Input] = []

    async def connect() -> Any:
        link_closed.set_result(None)
        return connection

    link_closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    link = Link(connect, seen.append)
    running = asyncio.create_task(link.run())
    await link_closed
    await link.close()
    await running
    assert connection.closed
    assert seen == []


async def test_cancelling_the_link_is_not_taken_for_the_end_of_an_attempt() -> None:
    async def hang() -> Any:
        await asyncio.Event().wait()

    running = asyncio.create_task(Link(hang, lambda event: None).run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_two_links_live_at_once_and_end_apart() -> None:
    first, second = ScriptedConnection("one"), ScriptedConnection("two")
    link, seen, running = started(first)
    other, others, also_running = started(second)
    await until(lambda: seen and others)
    link.send({"type": "one"})
    other.send({"type": "two"})
    first.emit({"type": "x"}, BadMessage("odd"), LinkClosed(1001))
    await running
    assert [type(event) for event in seen if not isinstance(event, inputs.Sent)] == [
        inputs.Connected,
        inputs.Received,
        inputs.BadMessage,
        inputs.Disconnected,
    ]
    assert not also_running.done()
    second.emit({"type": "y"})
    await until(lambda: inputs.Received({"type": "y"}) in others)
    await other.close()
    await also_running
    first.finish()
    second.finish()


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "idle"])
async def test_a_link_that_answers_no_ping_is_lost_since_its_last_sign_of_life(
    monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    monkeypatch.setattr(links, "PONG_SECONDS", 0.2)
    monkeypatch.setattr(links, "HEARTBEAT_SECONDS", 20.0 if checked else 0.1)
    connection = ScriptedConnection()
    link, seen, running = started(connection)
    await until(lambda: seen)
    link.check()
    await asyncio.sleep(0.3)
    assert len(seen) == 1  # it answered
    connection.answers_pings = False
    if checked:
        link.check()
    await asyncio.wait_for(running, 60)
    (end,) = seen[1:]
    assert isinstance(end, inputs.Disconnected)
    assert end == inputs.Disconnected(1006, end.problem, connection.alive_at)
    assert "no answer to a ping for 0.2 s" in end.problem
    assert connection.closed
