"""A recorded session, played to a client: the same messages, at the times of the recording after the client's own."""

import asyncio
import contextlib
import json
import time
from pathlib import Path

import pytest

from tests.conversing import until
from tests.loopback.wire import connected
from tests.recording.bundles import make_bundle
from voicelive_tui.commands.serve import sessions_of
from voicelive_tui.config import Recording
from voicelive_tui.loopback.replay import Recorded
from voicelive_tui.loopback.service import LoopbackService, ServiceRecord
from voicelive_tui.recording.bundle import Bundle, BundleError
from voicelive_tui.recording.records import Entry, RecordMaker
from voicelive_tui.recording.writer import BundleWriter, Manifest
from voicelive_tui.session import inputs


def recorded(at: float, direction: str, event: dict[str, object]) -> Recorded:
    kind = str(event["type"])
    return Recorded(at, direction, lambda: json.dumps(event), kind.endswith(".append"))


async def received(websocket, count: int) -> list[tuple[float, dict[str, object]]]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        return [(await websocket.receive_json(), loop.time())[::-1] for _ in range(count)]


async def test_messages_come_as_long_after_the_client_as_they_did() -> None:
    session = [
        recorded(50.0, "in", {"type": "session.created"}),
        recorded(51.0, "out", {"type": "session.update"}),
        recorded(51.1, "out", {"type": "input_audio_buffer.append"}),
        recorded(51.3, "in", {"type": "session.updated"}),
        recorded(51.5, "in", {"type": "response.created"}),
    ]
    async with LoopbackService(replay=[session]) as service, connected(service) as websocket:
        ((_, first),) = await received(websocket, 1)
        assert first == {"type": "session.created"}
        await websocket.send_str('{"type": "input_audio_buffer.append", "audio": ""}')  # no turn of the client's
        await asyncio.sleep(0.1)
        said_at = asyncio.get_running_loop().time()
        await websocket.send_str('{"type": "session.update", "session": {}}')
        (updated_at, updated), (created_at, created) = await received(websocket, 2)
        assert (updated["type"], created["type"]) == ("session.updated", "response.created")
        assert updated_at - said_at > 0.28
        assert created_at - said_at > 0.48


async def test_a_message_before_its_place_does_not_hurry_the_others() -> None:
    session = [
        recorded(50.0, "in", {"type": "session.created"}),
        recorded(50.01, "out", {"type": "session.update"}),
        recorded(50.3, "in", {"type": "response.created"}),
        recorded(50.6, "out", {"type": "conversation.item.create"}),
        recorded(50.9, "in", {"type": "response.done"}),
    ]
    async with LoopbackService(replay=[session]) as service, connected(service) as websocket:
        await received(websocket, 1)
        begun = asyncio.get_running_loop().time()
        for _ in range(2):
            await websocket.send_str('{"type": "conversation.item.create", "item": {}}')
        (created_at, _), (done_at, _) = await received(websocket, 2)
        assert created_at - begun > 0.28
        assert done_at - begun > 0.86


async def test_a_client_that_says_nothing_is_waited_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicelive_tui.loopback.replay.PATIENCE", 0.1)
    session = [
        recorded(50.0, "in", {"type": "session.created"}),
        recorded(50.1, "out", {"type": "session.update"}),
        recorded(50.2, "in", {"type": "session.updated"}),
    ]
    async with LoopbackService(replay=[session]) as service, connected(service) as websocket:
        assert [event["type"] for _, event in await received(websocket, 2)] == ["session.created", "session.updated"]


async def test_a_recording_is_played_with_its_ids_and_its_sound(tmp_path: Path) -> None:
    path = make_bundle(tmp_path, 1)
    with contextlib.ExitStack() as stack:
        (session,) = sessions_of(path, stack)
        fast = [message._replace(at=message.at / 50) for message in session]
        async with LoopbackService(replay=[fast]) as service, connected(service) as websocket:
            await websocket.send_str('{"type": "session.update", "session": {}}')
            messages = [message for message in session if message.direction == "in"]
            events = [event for _, event in await received(websocket, len(messages))]
            assert events == [json.loads(message.text()) for message in messages]
    with Bundle(path) as bundle:
        sound = bundle.sound(2, 0, 2_400)
    assert any(sound)
    assert len({event.get("response_id") for event in events}) == 2


async def test_the_beginning_and_the_true_end_of_a_played_session_are_reported() -> None:
    records: list[ServiceRecord] = []
    session = [recorded(0.0, "in", {"type": "session.created"})]
    async with LoopbackService(replay=[session], on_record=records.append) as service:
        for leave in ("close", "vanish", "stay"):
            async with connected(service) as websocket:
                await received(websocket, 1)
                if leave == "close":
                    await websocket.close(code=4001)
                elif leave == "vanish":
                    websocket.get_extra_info("socket").shutdown(2)
                else:
                    await service.stop()
                await until(lambda: records[-1].kind == "closed", "the end of the session")
    assert [record.text for record in records] == [
        line
        for code in (4001, 1006, 1001)
        for line in ("a recorded session begins", f"a recorded session ended: close code {code}")
    ]


async def test_clients_get_the_sessions_one_after_another() -> None:
    sessions = [[recorded(1.0, "in", {"type": "session.created", "n": n})] for n in range(2)]
    async with LoopbackService(replay=sessions) as service:
        for n in (0, 1, 0):
            async with connected(service) as websocket:
                assert (await received(websocket, 1))[0][1]["n"] == n


def test_a_rotation_makes_two_sessions_and_the_first_one_goes_on_without_the_history(tmp_path: Path) -> None:
    def received(kind: str, **fields: object) -> inputs.Received:
        return inputs.Received({"type": kind, **fields}, json.dumps({"type": kind, **fields}))

    def created(item_id: str) -> inputs.Received:
        return received("conversation.item.created", item={"id": item_id})

    def told(item_id: str) -> inputs.Sent:
        return inputs.Sent({"type": "conversation.item.create", "item": {"id": item_id}})

    standby = received("session.created", n=2), inputs.Sent({"type": "session.update"})
    events: tuple[inputs.Input, ...] = (
        received("session.created", n=1), told("one"), created("one"), created("two"),
        *map(inputs.OnStandby, standby), inputs.Rotated(),
        told("one"), told("two"), told("three"), created("one"), created("two"), created("three"),
    )  # fmt: skip
    maker, writer = RecordMaker(0, Recording()), BundleWriter(tmp_path / "talk.vlrec", Manifest())
    for n, event in enumerate(events):
        writer.add(maker.of_entry(Entry(n, n, event)))
    writer.close()
    with contextlib.ExitStack() as stack:
        sessions = sessions_of(writer.path, stack)
        first, second = [[json.loads(message.text()) for message in session] for session in sessions]
    assert [event.get("n") or event["item"]["id"] for event in first] == [1, "one", "one", "two", "three", "three"]
    assert [event.get("n") or event.get("item", {}).get("id") for event in second] == [
        2, None, "one", "two", "three", "one", "two", "three",
    ]  # fmt: skip


def test_a_recording_without_a_session_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dump.jsonl").write_text('{"type": "response.created"}\n')
    with contextlib.ExitStack() as stack, pytest.raises(BundleError, match="no session to play"):
        sessions_of(tmp_path / "dump.jsonl", stack)


def test_a_session_expires_as_long_after_its_begin_as_it_did(tmp_path: Path) -> None:
    path = make_bundle(tmp_path, 1, expires_at=1_800_000_900)
    with contextlib.ExitStack() as stack:
        (session,) = sessions_of(path, stack)
        created = json.loads(session[0].text())
    assert created["session"]["expires_at"] == pytest.approx(time.time() + 900, abs=60)
