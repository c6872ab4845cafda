"""The sound of a session: its devices chosen, suspended and opened again while the session lasts."""

import asyncio
import base64
import time
from pathlib import Path

import pytest

from tests.client.test_live import CREATED, UPDATED, answer, ready, scripted
from tests.conversing import Mouth, until
from voicelive_tui.audio.devices import Device
from voicelive_tui.audio.format import silence
from voicelive_tui.audio.wav import WavWriter, load_wav
from voicelive_tui.client.scripted import ScriptedConnection
from voicelive_tui.client.sound import Sound
from voicelive_tui.session.keeping import MomentFound
from voicelive_tui.session.state import Activity, Stage


async def test_while_the_program_is_suspended_the_microphone_is_closed() -> None:
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection, Mouth())
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)
    await until(lambda: ready(live))
    await live.suspend()
    assert not live.sound.input_open
    assert not live.state.microphone.capturing
    blocks = live.sound.engine.blocks_in
    await asyncio.sleep(0.1)
    assert live.sound.engine.blocks_in == blocks
    await live.resume()
    assert live.sound.input_open
    assert live.state.microphone.capturing
    await until(lambda: live.sound.engine.blocks_in > blocks, "it is heard again")
    await live.close()
    await running
    connection.finish()


async def test_a_recording_is_sent_from_its_beginning_although_the_session_is_late_to_learn_of_the_microphone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(self: Sound) -> None:
        await start(self)
        await until(lambda: self.engine.blocks_in >= 10, "sound was captured")

    start = Sound.start_capture
    monkeypatch.setattr(Sound, "start_capture", late)
    words = bytes(range(1, 251)) * 96
    writer = WavWriter(tmp_path / "said.wav")
    writer.write(words)
    writer.close()
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection, microphone=f"file:{tmp_path}/said.wav")
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)

    def sent() -> bytes:
        return b"".join(base64.b64decode(event["audio"]) for event in connection.sent if "audio" in event)

    await until(lambda: len(sent()) >= len(words), "the words")
    assert sent().startswith(words)
    await live.close()
    await running
    connection.finish()


async def test_a_recording_that_ended_is_reported_and_does_not_start_over(tmp_path: Path) -> None:
    writer = WavWriter(str(tmp_path / "said.wav"))
    writer.write(bytes(4800))
    writer.close()
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection, microphone=f"file:{tmp_path}/said.wav")
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)
    await until(lambda: live.state.microphone.ended, "all of it was captured")
    for _ in range(2):
        await live.suspend()
        await live.resume()
        assert not live.sound.input_open
    await live.close()
    await running
    connection.finish()


async def test_nothing_and_the_file_in_use_can_be_chosen_as_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicelive_tui.client.sound_path.list_devices", list)
    live, _ = scripted(ScriptedConnection(), microphone="file:said.wav")
    assert await live.devices() == []  # before the session runs
    running = asyncio.create_task(live.run())
    await until(lambda: live.state.output.description == "none", "the sound path is loaded")
    offered = [(choice.spec, choice.current) for choice in await live.devices() if choice.direction == "input"]
    assert offered == [("", False), ("file:said.wav", True), ("none", False)]
    await live.choose_device("input", "none")
    assert [choice.spec for choice in await live.devices() if choice.current] == ["none", "none"]
    assert live.state.input.description == "none"
    await live.close()
    await running


async def test_the_synthetic_caller_is_a_choice_and_can_be_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(3, "USB microphone", "ALSA", 1, 0, 48_000, 0.01, 0.01, default_input=True, default_output=False)
    monkeypatch.setattr("voicelive_tui.client.sound_path.list_devices", lambda: [device])
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection, Mouth())
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)
    await until(lambda: live.state.microphone.capturing)

    async def offered() -> list[tuple[str, bool]]:
        return [(choice.spec, choice.current) for choice in await live.devices() if choice.direction == "input"]

    assert await offered() == [("", False), ("synthetic", True), ("3", False), ("none", False)]
    connection.emit({"type": "input_audio_buffer.speech_started", "item_id": "item_u", "audio_start_ms": 0})
    await until(lambda: live.state.activity is Activity.LISTENING)
    await live.choose_device("input", "none")
    assert (live.state.input.description, live.state.microphone.capturing) == ("none", False)
    assert live.state.activity is Activity.READY  # the caller is not heard any more
    await live.choose_device("input", "synthetic")
    assert (live.state.input.description, live.state.microphone.capturing) == ("synthetic microphone", True)
    assert await offered() == [("", False), ("synthetic", True), ("3", False), ("none", False)]
    await live.close()
    await running


async def test_what_one_device_left_is_not_sent_when_another_is_opened() -> None:
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection, Mouth())
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)
    await until(lambda: live.state.microphone.capturing)
    await live.choose_device("input", "none")
    left = bytes(range(1, 241)) * 4
    live.sound.engine.captured(left, time.monotonic(), time.monotonic())
    await live.choose_device("input", "synthetic")
    before = len(connection.sent)
    await until(lambda: len(connection.sent) > before + 5, "it is sent")
    sound = b"".join(base64.b64decode(event["audio"]) for event in connection.sent if "audio" in event)
    assert left[:240] not in sound
    await live.close()
    await running
    connection.finish()


async def test_a_device_chosen_by_its_name_is_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(3, "USB microphone", "ALSA", 1, 0, 48_000, 0.01, 0.01, default_input=True, default_output=False)
    monkeypatch.setattr("voicelive_tui.client.sound_path.list_devices", lambda: [device])
    live, _ = scripted(ScriptedConnection(), microphone="usb")
    running = asyncio.create_task(live.run())
    await until(lambda: live.state.output.description != "", "the sound is loaded")
    assert [choice.spec for choice in await live.devices() if choice.current] == ["3", "none"]
    await live.close()
    await running


async def test_a_file_that_is_chosen_once_more_keeps_what_was_heard(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    live, _ = scripted(ScriptedConnection())
    running = asyncio.create_task(live.run())
    await until(lambda: live.state.output.description != "", "the speaker was opened")
    await live.choose_device("output", f"file:{path}")
    await until(lambda: live.sound.engine.blocks_out > 3, "it is written")
    await live.choose_device("output", f"file:{path}")
    await live.close()
    await running
    assert len(load_wav(str(path))[0]) >= 3 * 960


async def test_an_answer_does_not_wait_for_the_end_of_a_moment_that_is_played() -> None:
    connection = ScriptedConnection("session.update")
    live, _ = scripted(connection)
    running = asyncio.create_task(live.run())
    connection.emit(CREATED, UPDATED)
    await until(lambda: live.state.connection.stage is Stage.READY and live.engine is not None, "it is ready")
    live.apply(MomentFound(silence(60 * 24_000)))
    await until(lambda: live.reading().buffered_ms > 50_000, "the moment is played")
    connection.emit(*answer())
    await until(lambda: live.state.playing == "item_a", "the answer is heard")
    await live.close()
    await running
    connection.finish()
