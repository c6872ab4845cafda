"""The rules of recovery, on a double at the `AudioBackend` seam; real devices are in test_sound_bed."""

import threading

import pytest

from voicelive_tui.audio import devices as backends
from voicelive_tui.audio import duplex
from voicelive_tui.audio.devices import AudioError
from voicelive_tui.audio.duplex import Duplex
from voicelive_tui.audio.engine import AudioEngine


class Stream:
    """An open device that does nothing."""

    input_ended = False

    def __init__(self, name: str) -> None:
        self.description = name

    def start(self) -> None:
        Board.journal.append(f"start {self.description}")

    def cut(self) -> float:
        return 5.0

    def close(self) -> None:
        Board.journal.append(f"close {self.description}")
        Board.closing()


class Board:
    """A backend whose devices are plugged in and out by the test; a scan sees which."""

    plugged: set[str]
    seen: set[str]
    journal: list[str]

    @staticmethod
    def closing() -> None:
        """What closing a stream waits for."""

    def open_device(self, engine: AudioEngine, device: str, _: object) -> Stream:
        name = device or "default"
        if name not in self.seen or name not in self.plugged:
            raise AudioError(f"no {name}")
        return Stream(name)

    open_input = open_output = open_device

    def rescan(self) -> None:
        Board.journal.append("rescan")
        Board.seen = set(Board.plugged)


@pytest.fixture
def board(monkeypatch):
    Board.plugged = {"default", "headset"}
    Board.seen = set(Board.plugged)
    Board.journal = []
    monkeypatch.setitem(backends.BACKENDS, "", f"{__name__}:Board")
    return Board


def sentences(results):
    return [(r.direction, r.ok, r.sentence) for r in results]


def test_both_are_opened_and_one_may_be_missing(board):
    pair = Duplex(AudioEngine(), input_device="nothing")
    assert sentences(pair.open()) == [("input", False, "no nothing"), ("output", True, "default")]
    assert pair.incomplete == {"input"}
    assert pair.cut() == 5.0


def test_easing_opens_the_speaker_alone_anew(board):
    pair = Duplex(AudioEngine())
    pair.open()
    board.journal.clear()
    assert pair.ease(0.12) == "default"
    assert board.journal == ["close default", "start default"]
    board.plugged.clear()
    with pytest.raises(AudioError, match="no default"):
        pair.ease(0.2)
    assert pair.incomplete == {"output"}


def test_without_a_speaker_there_is_nothing_to_cut(board):
    pair = Duplex(AudioEngine(), output_device="nothing")
    pair.open()
    assert pair.cut() is None


def test_what_is_not_wanted_is_not_recovered(board):
    pair = Duplex(AudioEngine())
    pair.open("output")
    assert pair.recover() == []
    assert pair.incomplete == set()
    pair.open("input")
    pair.close("input")
    assert pair.recover(["input"]) == []


def test_a_stalled_stream_is_opened_again_alone(board):
    pair = Duplex(AudioEngine(), input_device="headset")
    pair.open()
    board.journal.clear()
    assert sentences(pair.recover(["input"])) == [("input", True, "headset")]
    assert board.journal == ["close headset", "start headset"]


def test_a_lost_device_gives_way_to_the_default_and_takes_over_again_when_it_is_back(board, monkeypatch):
    pair = Duplex(AudioEngine(), input_device="headset")
    pair.open()
    board.plugged.discard("headset")
    found = sentences(pair.recover(["input"]))
    assert found == [("input", True, 'default (instead of "headset": no headset)'), ("output", True, "default")]
    assert pair.incomplete == {"input"}
    board.journal.clear()
    assert pair.recover() == []  # not so soon again: it would cost two streams that are well
    assert board.journal == []
    board.plugged.add("headset")
    monkeypatch.setattr(duplex, "RESCAN_SECONDS", 0.0)
    assert sentences(pair.recover()) == [("input", True, "headset"), ("output", True, "default")]
    assert pair.incomplete == set()


def test_an_answer_is_not_interrupted_to_look_for_a_microphone(board):
    engine = AudioEngine()
    pair = Duplex(engine, input_device="headset")
    pair.open()
    engine.play("a", bytes(960))
    board.plugged.discard("headset")
    board.journal.clear()
    assert sentences(pair.recover(["input"])) == [("input", False, "no headset")]
    assert board.journal == ["close headset"]
    engine.flush()
    assert [ok for _, ok, _ in sentences(pair.recover())] == [True, True]


def test_with_nothing_left_the_devices_are_looked_for_every_time(board):
    pair = Duplex(AudioEngine())
    pair.open()
    board.plugged.clear()
    for _ in range(3):
        board.journal.clear()
        assert sentences(pair.recover(["input", "output"])) == [
            ("input", False, "no default"),
            ("output", False, "no default"),
        ]
        assert "rescan" in board.journal
    board.plugged.add("default")
    assert [r.ok for r in pair.recover()] == [True, True]


def test_a_file_is_not_closed_to_look_for_a_microphone(board, tmp_path):
    pair = Duplex(AudioEngine(), input_device="headset", output_device=f"file:{tmp_path}/out.wav")
    pair.open()
    output = pair._output
    board.plugged.discard("headset")
    assert [r.direction for r in pair.recover(["input"])] == ["input"]
    assert "rescan" in board.journal
    assert pair._output is output
    pair.close()


def test_switching_to_a_device_that_fails_goes_back(board):
    pair = Duplex(AudioEngine())
    pair.open()
    assert pair.switch("input", "headset") == "headset"
    with pytest.raises(AudioError, match="no banana"):
        pair.switch("input", "banana")
    assert board.journal[-1] == "start headset"


def test_while_a_call_hangs_the_others_say_so(board, monkeypatch):
    release, entered = threading.Event(), threading.Event()
    monkeypatch.setattr(board, "closing", staticmethod(lambda: (entered.set(), release.wait(10))))
    monkeypatch.setattr(duplex, "LOCK_LIMIT", 0.05)
    pair = Duplex(AudioEngine())
    pair.open()
    hanging = threading.Thread(target=pair.close, args=("output",), daemon=True)
    hanging.start()
    assert entered.wait(5)
    with pytest.raises(AudioError, match="still does not answer") as caught:
        pair.cut()
    assert caught.value.kind == "timeout"
    with pytest.raises(AudioError, match="still does not answer"):
        pair.recover()
    release.set()
    hanging.join(5)
    assert pair.cut() is None


def test_an_interruption_does_not_wait_for_the_microphone(board, monkeypatch):
    pair = Duplex(AudioEngine())
    pair.open()
    release, entered = threading.Event(), threading.Event()
    monkeypatch.setattr(board, "closing", staticmethod(lambda: (entered.set(), release.wait(10))))
    hanging = threading.Thread(target=pair.close, args=("input",), daemon=True)
    hanging.start()
    assert entered.wait(5)
    assert pair.cut() == 5.0
    release.set()
    hanging.join(5)


def test_what_is_being_opened_is_not_lost_and_not_opened_twice(monkeypatch):
    go_on, opened = threading.Event(), []

    class Slow:
        def open(self, engine: AudioEngine) -> Stream:
            opened.append(engine)
            assert go_on.wait(10)
            return Stream("a file")

    Board.journal = []
    monkeypatch.setattr(duplex, "output_for", lambda device, latency: Slow())
    pair = Duplex(AudioEngine(), "none", "file:somewhere.wav")
    opening = threading.Thread(target=pair.open, args=("output",))
    opening.start()
    while not opened:
        opening.join(0.01)
    assert pair.missing == set()
    assert pair.recover() == []
    go_on.set()
    opening.join(10)
    assert (len(opened), Board.journal, pair.missing) == (1, ["start a file"], set())
