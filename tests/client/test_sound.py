"""Loss and recovery of both directions on a double at the `AudioBackend` seam; real devices are in test_sound_bed."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from tests.client.board import Board, watched
from tests.client.test_side import Reports
from tests.conversing import until
from voicelive_tui.audio import paced
from voicelive_tui.audio.devices import DeviceSpec
from voicelive_tui.audio.wav import AudioFileError, WavWriter, load_wav
from voicelive_tui.client import sound as module
from voicelive_tui.client.blocking import hanging
from voicelive_tui.client.sound import Sound
from voicelive_tui.config import Audio

LOST = {name: f"the {name} was lost: its device or its sound server is gone" for name in ("microphone", "speaker")}


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(paced, "NAP_SECONDS", 0.02)  # as often as a speaker that plays
    return Board("mic", "speaker", "headset")


@pytest.fixture
def reports() -> Reports:
    return Reports()


def sound(board: Board, reports: Reports, microphone: str = "mic", speaker: str = "speaker") -> Sound:
    return Sound(Audio(input_device=microphone, output_device=speaker), reports, backend=board)


async def test_the_check_reports_both_directions_and_leaves_the_microphone_closed(
    board: Board, reports: Reports
) -> None:
    streams = sound(board, reports)
    await streams.check()
    assert reports == [("output", "speaker", ""), ("input", "mic", "")]
    assert not streams.input_open
    assert streams.output_latency_ms == 40
    await until(lambda: streams.engine.blocks_out > 0, "the speaker runs")
    await streams.close()


async def test_an_interruption_reports_what_was_heard(board: Board, reports: Reports) -> None:
    async with watched(sound(board, reports)) as streams:
        streams.engine.play("item", b"\1\0" * 24_000)
        await until(lambda: streams.engine.heard_ms("item") > 0)
        streams.engine.flush()
        (heard,) = await streams.interrupt()
        assert 0 < heard.heard_ms < 1000


async def test_without_a_speaker_items_are_played_to_nowhere_at_their_pace(board: Board, reports: Reports) -> None:
    board.seen.remove("speaker")
    streams = sound(board, reports)
    await streams.check()
    assert reports[0] == ("output", "", "there is no device speaker")
    streams.engine.play("item", b"\1\0" * 24_000)
    await until(lambda: streams.engine.heard_ms("item") > 0)
    streams.engine.flush()
    (heard,) = await streams.interrupt()
    assert heard.item_id == "item"
    assert 0 < heard.heard_ms < 1000
    await streams.close()
    assert await streams.interrupt() == []


async def test_an_interruption_waits_for_no_other_operation(board: Board, reports: Reports) -> None:
    streams = sound(board, reports)
    await streams.check()
    await streams.start_capture()
    board.hold["close mic"] = threading.Event()
    closing = asyncio.create_task(streams.stop_capture())
    await until(lambda: board.journal[-1] == "close mic")
    await streams.interrupt()
    assert board.journal[-1] == "interrupt speaker"
    assert not closing.done()
    board.hold["close mic"].set()
    await closing
    await streams.close()


async def test_an_interruption_that_hangs_is_reported_and_settled(
    board: Board, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.client.sound.INTERRUPT_LIMIT", 0.05)
    streams = sound(board, reports)
    await streams.check()
    streams.engine.play("item", b"\1\0" * 24_000)
    await until(lambda: streams.engine.heard_ms("item") > 0)
    board.hold["interrupt speaker"] = threading.Event()
    streams.engine.flush()
    (heard,) = await streams.interrupt()
    assert heard.item_id == "item"
    assert reports[-1][:2] == ("output", "speaker")
    assert "does not answer" in reports[-1][2]
    board.hold["interrupt speaker"].set()
    await until(lambda: not hanging())
    await streams.close()


async def test_a_lost_microphone_is_reported_and_opened_again_once_it_is_back(board: Board, reports: Reports) -> None:
    async with watched(sound(board, reports)) as streams:
        board.plugged.remove("mic")
        streams.engine.watchdog.ended("input")
        await until(lambda: ("input", "", LOST["microphone"]) in reports, "the loss is reported")
        await until(lambda: streams.engine.stalled() == set(), "its stream is closed")
        assert streams.stalled == {"input"}
        before = streams.engine.blocks_in
        board.plugged.add("mic")
        board.seen.add("mic")
        await until(lambda: reports[-1] == ("input", "mic", ""), "it is back")
        assert streams.engine.blocks_in > before
        assert streams.stalled == set()
        assert board.journal.count("open speaker") == 1 + board.journal.count("rescan")


async def test_a_stalled_stream_is_opened_again_alone(board: Board, reports: Reports) -> None:
    async with watched(sound(board, reports)) as streams:
        board.journal.clear()
        streams.engine.watchdog.ended("input")
        await until(lambda: reports[-1] == ("input", "mic", "") and streams.stalled == set())
        assert board.journal == ["close mic", "open mic"]


async def test_the_default_replaces_a_lost_device_until_that_is_back(
    board: Board, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESCAN_SECONDS", 0.1)
    async with watched(sound(board, reports)) as streams:
        board.plugged.add("")
        board.plugged.remove("mic")
        streams.engine.watchdog.ended("input")
        await until(lambda: any('default (instead of "mic": there' in words for _, words, _ in reports))
        await until(lambda: streams.stalled == set())
        board.plugged.add("mic")
        await until(lambda: [report for report in reports if report[0] == "input"][-1] == ("input", "mic", ""))
        assert streams.devices["input"] == DeviceSpec.parse("mic")


async def test_a_stream_that_works_is_restarted_only_once_in_a_while(board: Board, reports: Reports) -> None:
    async with watched(sound(board, reports)) as streams:
        board.plugged.add("")
        board.plugged.remove("mic")
        streams.engine.watchdog.ended("input")
        await until(lambda: any("instead of" in words for _, words, _ in reports))
        await asyncio.sleep(5 * module.RETRY_SECONDS)  # several attempts, all before RESCAN_SECONDS
        assert board.journal.count("rescan") == 1


async def test_an_answer_is_not_interrupted_to_look_for_a_microphone(board: Board, reports: Reports) -> None:
    async with watched(sound(board, reports)) as streams:
        streams.engine.play("item", bytes(960))  # it never ends
        board.plugged = {"speaker", ""}
        streams.engine.watchdog.ended("input")
        await until(lambda: board.journal.count("open mic") > 3, "several attempts")
        assert "rescan" not in board.journal
        streams.engine.flush()
        await until(lambda: any("instead of" in words for _, words, _ in reports))


async def test_with_nothing_left_every_attempt_looks_for_devices(board: Board, reports: Reports) -> None:
    async with watched(sound(board, reports)) as streams:
        board.plugged.clear()
        streams.engine.watchdog.ended("input")
        streams.engine.watchdog.ended("output")
        await until(lambda: board.journal.count("rescan") >= 3)
        assert reports[-2:] == [("input", "", LOST["microphone"]), ("output", "", LOST["speaker"])]
        assert streams.stalled == {"input", "output"}
        board.plugged.update(("mic", "speaker"))
        await until(lambda: streams.stalled == set(), "both are back")
        assert sorted(reports[-2:]) == [("input", "mic", ""), ("output", "speaker", "")]


async def test_a_closed_microphone_is_not_recovered(board: Board, reports: Reports) -> None:
    async with watched(sound(board, reports)) as streams:
        board.plugged.remove("mic")
        streams.engine.watchdog.ended("input")
        await until(lambda: streams.stalled == {"input"})
        await streams.stop_capture()
        assert streams.stalled == set()
        attempts = board.journal.count("open mic")
        await asyncio.sleep(3 * module.RETRY_SECONDS)
        assert board.journal.count("open mic") <= attempts + 1  # one may have been under way


async def test_a_direction_that_hangs_in_the_search_is_reported_as_lost(
    board: Board, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.client.blocking.TIME_LIMIT", 0.1)
    async with watched(sound(board, reports)) as streams:
        board.plugged.remove("mic")
        board.hold["rescan"] = board.hold["open speaker"] = threading.Event()
        streams.engine.watchdog.ended("input")
        await until(lambda: any(r[0] == "output" and "does not answer" in r[2] for r in reports))
        assert streams.stalled == {"input", "output"}
        board.hold["rescan"].set()
        await until(lambda: not hanging())
        await until(lambda: streams.stalled == {"input"}, "the speaker is back")


async def test_a_file_is_not_closed_to_look_for_a_microphone(board: Board, reports: Reports, tmp_path: Path) -> None:
    async with watched(sound(board, reports, speaker=f"file:{tmp_path}/out.wav")) as streams:
        board.plugged.remove("mic")
        streams.engine.watchdog.ended("input")
        await until(lambda: board.journal.count("rescan") >= 2)
        written = len(load_wav(tmp_path / "out.wav")[0])
        await until(lambda: len(load_wav(tmp_path / "out.wav")[0]) > written, "the same file grows")
        assert [report for report in reports if report[0] == "output"] == [("output", f"file:{tmp_path}/out.wav", "")]


async def test_a_file_on_a_full_disk_is_kept_and_the_conversation_goes_on_without_it(
    board: Board, reports: Reports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: WavWriter, pcm: bytes) -> None:
        raise AudioFileError("cannot write out.wav: No space left on device")

    async with watched(sound(board, reports, speaker=f"file:{tmp_path}/out.wav")) as streams:
        await until(lambda: len(load_wav(tmp_path / "out.wav")[0]) > 960)
        monkeypatch.setattr(WavWriter, "write", full)
        await until(lambda: reports[-1] == ("output", "", "cannot write out.wav: No space left on device"))
        written = len(load_wav(tmp_path / "out.wav")[0])
        streams.engine.play("item", bytes(960))
        streams.engine.finish("item")
        await until(lambda: any(hasattr(event, "ms") for event in streams.engine.events()), "it is played to nowhere")
        assert len(load_wav(tmp_path / "out.wav")[0]) == written > 960


async def test_a_microphone_that_gives_only_zeros_is_reported(
    board: Board, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.audio.microphone.ZEROS_SECONDS", 0.2)
    async with watched(sound(board, reports)) as streams:
        await until(lambda: streams.engine.chunk() is None and "only zeros" in reports[-1][2], "the complaint")
        assert reports[-1][1] == "mic"


async def test_a_frozen_sound_server_freezes_neither_the_loop_nor_the_end(
    board: Board, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.client.blocking.TIME_LIMIT", 3)
    board.hold["open speaker"] = board.hold["open mic"] = threading.Event()
    streams = sound(board, reports)
    checking = asyncio.create_task(streams.check())
    longest, before = 0.0, time.monotonic()
    while not checking.done():
        await asyncio.sleep(0.01)
        longest, before = max(longest, time.monotonic() - before), time.monotonic()
    assert longest < 2  # a call that waits for the server would block the loop for all of the 3 s
    assert reports[0][2] == "opening the audio output took longer than 3 s: the sound server does not answer"
    assert hanging()
    await streams.close()
    board.hold["open mic"].set()
    await until(lambda: not hanging(), "the abandoned calls end")
    assert sorted(board.journal) == ["close mic", "close speaker", "open mic", "open speaker"]


async def test_a_file_is_opened_for_writing_once_and_only_when_capture_starts(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    WavWriter(path).close()
    path.write_bytes(path.read_bytes() + b"precious")
    sounds = Sound(Audio(input_device="none", output_device=f"file:{path}"), lambda *_: None)
    await sounds.check()
    assert path.read_bytes().endswith(b"precious")  # a refused session leaves it alone
    await sounds.start_capture()
    sounds.engine.play("item_a", b"\1\0" * 4800)
    sounds.engine.finish("item_a")
    await until(lambda: len(path.read_bytes()) > 12_000)
    size = path.stat().st_size
    await sounds.stop_capture()
    await sounds.start_capture()
    await sounds.close()
    assert path.stat().st_size >= size
