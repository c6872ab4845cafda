"""The streams seen from the event loop, with backends of the test's own in the registry."""

import asyncio
import threading
import time
from typing import Any

import pytest

from tests.conversing import until
from voicelive_tui.audio import devices as backends
from voicelive_tui.audio.devices import THREAD_PREFIX, AudioError, hanging
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.client.sound import EASED_LATENCY, UNDERFLOWS, WATCH_SECONDS, Sound, off_loop
from voicelive_tui.config import Audio


class Reports(list[tuple[str, str, str]]):
    def __call__(self, direction: str, description: str, problem: str) -> None:
        self.append((direction, description, problem))


class Quiet:
    """A microphone in which nothing is heard."""

    def read(self, frames: int, heard: bytes) -> bytes:
        return bytes(frames * 2)


class Switchboard:
    """A backend whose devices come and go as the test says; its streams are paced by the clock (`PacedBackend`)."""

    present: set[str]
    freeze: threading.Event | None = None
    latencies: list[Any]

    def open_input(self, engine: AudioEngine, device: str, source: Any) -> Any:
        return self._named(device, backends.input_for("none", Quiet()), engine)

    def open_output(self, engine: AudioEngine, device: str, latency: Any) -> Any:
        self.latencies.append(latency)
        return self._named(device, backends.output_for("none"), engine)

    def rescan(self) -> None:
        pass

    def _named(self, device: str, choice: Any, engine: AudioEngine) -> Any:
        if self.freeze is not None:
            self.freeze.wait()
        if device not in self.present:
            raise AudioError(f"there is no device {device}", "not_found")
        stream = choice.open(engine)
        stream.description = device
        return stream


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> type[Switchboard]:
    """The switchboard, as the backend of all names that begin with "test:"."""

    board = type("Board", (Switchboard,), {"present": {"test:mic", "test:speaker", "test:headset"}, "latencies": []})
    registry = {"test:": "tests.client.test_sound:BOARD", **backends.BACKENDS, "": "tests.client.test_sound:BOARD"}
    monkeypatch.setattr(backends, "BACKENDS", registry)
    monkeypatch.setattr("tests.client.test_sound.BOARD", board, raising=False)
    return board


def sound(reports: Reports, input_device: str = "test:mic", output_device: str = "test:speaker") -> Sound:
    return Sound(Audio(input_device=input_device, output_device=output_device), reports)


async def test_the_check_reports_both_directions_and_leaves_the_microphone_closed(board: type[Switchboard]) -> None:
    reports = Reports()
    streams = sound(reports)
    await streams.check()
    assert reports == [("output", "test:speaker", ""), ("input", "test:mic", "")]
    assert not streams.input_open
    await until(lambda: streams.engine.blocks_out > 0, "the speaker runs")
    await streams.close()


async def test_a_missing_speaker_is_said_and_a_stand_in_keeps_the_conversation_going(board: type[Switchboard]) -> None:
    reports = Reports()
    streams = sound(reports, output_device="test:gone")
    await streams.check()
    assert reports[0] == ("output", "", "there is no device test:gone")
    streams.engine.play("item", b"\1\0" * 4800)
    streams.engine.finish("item")
    await until(lambda: any(True for _ in streams.engine.events()), "it is played to nobody")
    streams.engine.play("next", b"\1\0" * 24_000)
    await until(lambda: streams.engine.heard_ms("next") > 0)
    streams.engine.flush()
    (heard,) = await streams.cut()
    assert heard.item_id == "next"
    assert 0 < heard.heard_ms < 1000
    await streams.close()


async def test_switching_takes_the_new_device_or_goes_back_to_the_old_one(board: type[Switchboard]) -> None:
    reports = Reports()
    streams = sound(reports)
    await streams.start_capture()
    await streams.choose("input", "test:headset")
    assert reports[-1] == ("input", "test:headset", "")
    await streams.choose("input", "test:nowhere")
    assert reports[-1] == ("input", "test:headset", "there is no device test:nowhere")
    assert streams.input_open
    await streams.close()


async def test_a_stream_that_ends_is_noticed_said_and_opened_again_when_it_is_back(board: type[Switchboard]) -> None:
    reports = Reports()
    streams = sound(reports)
    await streams.start_capture()
    watch = asyncio.create_task(streams.watch())
    await until(lambda: streams.engine.blocks_in > 0)
    board.present.remove("test:mic")
    streams.engine.watchdog.ended("input")
    await until(lambda: reports[-1][2] != "", "the loss is said")
    assert reports[-1] == ("input", "", "the microphone was lost: its device or its sound server is gone")
    before = streams.engine.blocks_in
    await until(lambda: streams.engine.stalled() == set(), "it is closed, and cannot be opened again")
    assert streams.stalled == {"input"}  # and still not taken for well
    board.present.add("test:mic")
    await until(lambda: reports[-1] == ("input", "test:mic", ""), "it is back")
    await until(lambda: streams.engine.blocks_in > before)
    assert streams.stalled == set()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await streams.close()


async def test_the_default_stands_in_for_a_lost_device_until_that_is_back(
    board: type[Switchboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.client.sound.RETRY_SECONDS", 0.1)
    monkeypatch.setattr("voicelive_tui.audio.duplex.RESCAN_SECONDS", 0.1)
    reports = Reports()
    streams = sound(reports)
    await streams.check()
    await streams.start_capture()
    watch = asyncio.create_task(streams.watch())
    await until(lambda: streams.engine.blocks_in > 0)
    board.present.add("")
    board.present.remove("test:mic")
    streams.engine.watchdog.ended("input")
    await until(lambda: 'instead of "test:mic"' in reports[-1][1], "the default is there")
    assert streams.stalled == set()
    board.present.add("test:mic")
    await until(lambda: reports[-1] == ("input", "test:mic", ""), "the chosen one is back, and it is said")
    board.present.clear()
    streams.engine.watchdog.ended("input")
    await until(lambda: reports[-1] == ("output", "", "there is no device test:speaker"), "lost in the search")
    assert streams.stalled >= {"output"}
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await streams.close()


async def test_where_both_go_one_after_the_other_each_is_said_with_its_own_reason(board: type[Switchboard]) -> None:
    reports = Reports()
    streams = sound(reports)
    await streams.check()
    await streams.start_capture()
    watch = asyncio.create_task(streams.watch())
    await until(lambda: streams.engine.blocks_in > 0)
    board.present.clear()
    streams.engine.watchdog.ended("input")
    await until(lambda: reports[-1] == ("input", "", "the microphone was lost: its device or its sound server is gone"))
    streams.engine.watchdog.ended("output")
    await until(lambda: reports[-1] == ("output", "", "the speaker was lost: its device or its sound server is gone"))
    assert streams.stalled == {"input", "output"}
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await streams.close()


async def test_a_direction_that_hangs_in_the_search_is_said_to_be_lost(
    board: type[Switchboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.client.sound.TIME_LIMIT", 0.1)
    reports = Reports()
    streams = sound(reports)
    await streams.check()
    await streams.start_capture()
    board.present.remove("test:mic")
    thaw = threading.Event()
    monkeypatch.setattr(board, "rescan", lambda _: thaw.wait())
    watch = asyncio.create_task(streams.watch())
    await until(lambda: streams.engine.blocks_in > 0)
    streams.engine.watchdog.ended("input")
    await until(lambda: any(r[0] == "output" and "does not answer" in r[2] for r in reports), "the speaker went along")
    assert streams.stalled == {"input", "output"}
    thaw.set()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await until(lambda: not hanging())
    await streams.close()


async def test_a_speaker_that_runs_out_of_sound_again_and_again_holds_more_once_it_is_silent(
    board: type[Switchboard],
) -> None:
    reports = Reports()
    streams = sound(reports)
    await streams.check()
    watch = asyncio.create_task(streams.watch())
    streams.engine.play("item", b"\1\0" * 24_000)
    await until(lambda: streams.engine.playing)
    streams.engine.underflows += UNDERFLOWS  # as the device's callback counts them
    await asyncio.sleep(2 * WATCH_SECONDS)
    assert board.latencies == ["low"]
    streams.engine.finish("item")
    await until(lambda: streams.engine.events() is not None and len(board.latencies) > 1, "it is opened anew")
    assert not streams.engine.playing
    assert board.latencies == ["low", EASED_LATENCY]
    await until(lambda: "ran out of sound" in reports[-1][1])
    assert reports[-1][0::2] == ("output", "")
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await streams.close()


async def test_a_microphone_that_gives_only_zeros_is_said_so(
    board: type[Switchboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.audio.microphone.ZEROS_SECONDS", 0.2)
    reports = Reports()
    streams = sound(reports)
    await streams.start_capture()
    watch = asyncio.create_task(streams.watch())
    await until(lambda: streams.engine.chunk() is None and "only zeros" in reports[-1][2], "the complaint")
    assert reports[-1][1] == "test:mic"
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await streams.close()


async def test_a_frozen_sound_server_freezes_neither_the_loop_nor_the_end(
    board: type[Switchboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.client.sound.TIME_LIMIT", 0.3)
    monkeypatch.setattr(off_loop, "__defaults__", (0.3,))
    board.freeze = threading.Event()
    reports, ticks = Reports(), 0
    streams = sound(reports)
    checking = asyncio.create_task(streams.check())
    while not checking.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert ticks > 5  # the loop went on
    assert reports[0][2] == "opening the audio output took longer than 0.3 s: the sound server does not answer"
    assert hanging()
    board.freeze.set()
    await until(lambda: not hanging(), "the abandoned calls end")
    await streams.close()


async def test_off_loop_hands_on_results_and_errors() -> None:
    assert await off_loop(threading.current_thread, "looking") is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await off_loop(lambda: 1 / 0, "dividing")
    began = time.monotonic()
    with pytest.raises(AudioError, match="sleeping took longer than"):
        await off_loop(lambda: time.sleep(0.4), "sleeping", 0.05)
    assert time.monotonic() - began < 0.35
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith(THREAD_PREFIX)]
    assert names == [f"{THREAD_PREFIX}sleeping"]
    await until(lambda: not hanging())
