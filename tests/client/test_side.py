"""One direction of sound on a double at the `AudioBackend` seam; real devices are in test_sound_bed."""

import asyncio
import threading

import pytest

from tests.client.board import Board, Quiet
from tests.conversing import until
from voicelive_tui.audio.devices import DEFAULT, NONE, DeviceSpec
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.client import side as module
from voicelive_tui.client.blocking import hanging
from voicelive_tui.client.side import InputSide, OutputSide

MIC, HEADSET, SPEAKER = (DeviceSpec.parse(name) for name in ("mic", "headset", "speaker"))


class Reports(list[tuple[str, str, str]]):
    def __call__(self, direction: str, description: str, problem: str) -> None:
        self.append((direction, description, problem))


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def board() -> Board:
    return Board("mic", "headset", "speaker")


@pytest.fixture
def microphone(board: Board, reports: Reports) -> InputSide:
    return InputSide(AudioEngine(), MIC, reports, board, None)


@pytest.fixture
def speaker(board: Board, reports: Reports) -> OutputSide:
    return OutputSide(AudioEngine(), SPEAKER, reports, board, "low")


async def test_a_device_is_opened_once_and_reported(microphone: InputSide, board: Board, reports: Reports) -> None:
    await asyncio.gather(microphone.start(), microphone.start())
    assert microphone.is_open
    assert reports == [("input", "mic", "")]
    await microphone.stop()
    assert not microphone.is_open
    assert board.journal == ["open mic", "close mic"]


async def test_a_device_that_cannot_be_opened_is_reported_and_not_retried(
    microphone: InputSide, board: Board, reports: Reports
) -> None:
    board.seen.remove("mic")
    await microphone.start()
    assert reports == [("input", "", "there is no device mic")]
    assert not microphone.missing


async def test_a_device_that_is_being_opened_is_not_missing(microphone: InputSide, board: Board) -> None:
    board.hold["open mic"] = threading.Event()
    opening = asyncio.create_task(microphone.start())
    await until(lambda: board.journal == ["open mic"])
    assert not microphone.missing
    board.hold["open mic"].set()
    await opening
    await microphone.stop()
    assert board.journal == ["open mic", "close mic"]


async def test_a_stream_that_opens_after_the_stop_is_closed(
    microphone: InputSide, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_LIMIT", 0.05)
    board.hold["open mic"] = threading.Event()
    opening = asyncio.create_task(microphone.start())
    await until(lambda: board.journal == ["open mic"])
    await microphone.stop()
    board.hold["open mic"].set()
    await opening
    assert not microphone.is_open
    assert board.journal == ["open mic", "close mic"]


async def test_a_stream_that_opens_after_its_time_limit_is_closed(
    microphone: InputSide, board: Board, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicelive_tui.client.blocking.TIME_LIMIT", 0.05)
    board.hold["open mic"] = threading.Event()
    await microphone.start()
    assert reports[-1] == (
        "input", "", "opening the audio input took longer than 0.05 s: the sound server does not answer",
    )  # fmt: skip
    board.hold["open mic"].set()
    await until(lambda: not hanging())
    assert board.journal == ["open mic", "close mic"]
    assert not microphone.is_open


async def test_choosing_takes_the_new_device_or_stays_with_the_old_one(
    microphone: InputSide, board: Board, reports: Reports
) -> None:
    await microphone.start()
    await microphone.choose(HEADSET)
    assert reports[-1] == ("input", "headset", "")
    await microphone.choose(DeviceSpec.parse("nowhere"))
    assert reports[-1] == ("input", "headset", "there is no device nowhere")
    assert (microphone.device, microphone.is_open) == (HEADSET, True)
    assert board.journal[-3:] == ["close headset", "open nowhere", "open headset"]
    await microphone.stop()


async def test_a_failed_choice_does_not_open_a_device_that_was_closed(microphone: InputSide, board: Board) -> None:
    await microphone.choose(DeviceSpec.parse("nowhere"))
    assert (microphone.device, microphone.is_open, microphone.missing) == (MIC, False, False)
    assert board.journal == ["open nowhere"]


@pytest.mark.parametrize("choice", [DEFAULT, NONE])
async def test_a_synthetic_user_speaks_until_another_device_is_chosen(reports: Reports, choice: DeviceSpec) -> None:
    board = Board("")
    microphone = InputSide(AudioEngine(), DEFAULT, reports, board, Quiet())
    await microphone.start()
    assert reports[-1] == ("input", "synthetic microphone", "")
    assert microphone.is_open
    assert not microphone.is_microphone
    await microphone.choose(choice)
    assert microphone.is_open is (choice is DEFAULT)
    assert microphone.is_microphone is (choice is DEFAULT)
    await microphone.stop()


async def test_underflows_raise_the_latency_once_nothing_is_played(
    speaker: OutputSide, board: Board, reports: Reports
) -> None:
    await speaker.start()
    speaker.engine.play("item", bytes(9600))
    speaker.engine.underflows += module.UNDERFLOWS  # as the device's callback counts them
    await speaker.ease()
    assert board.latencies == ["low"]
    speaker.engine.finish("item")
    await until(lambda: not speaker.engine.events() and not speaker.engine.playing)
    await speaker.ease()
    assert board.latencies == ["low", module.EASED_LATENCY]
    assert reports[-1] == ("output", "speaker (raised from 40 ms: the speaker ran out of sound repeatedly)", "")
    await speaker.stop()


async def test_a_speaker_that_does_not_reopen_with_a_higher_latency_is_lost(
    speaker: OutputSide, board: Board, reports: Reports
) -> None:
    await speaker.start()
    speaker.engine.underflows += module.UNDERFLOWS
    board.plugged.clear()
    await speaker.ease()
    assert reports[-1] == ("output", "", "there is no device speaker")
    assert speaker.missing
    await speaker.stop()
