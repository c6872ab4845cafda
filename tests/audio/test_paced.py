import time

import numpy as np
import pytest

from voicelive_tui.audio import paced, streams
from voicelive_tui.audio.devices import DeviceSpec
from voicelive_tui.audio.engine import STALL_SECONDS, AudioEngine
from voicelive_tui.audio.format import BLOCK_BYTES, BLOCK_SECONDS
from voicelive_tui.audio.wav import AudioFileError, WavWriter, load_wav
from voicelive_tui.errors import AudioError


def open_input(engine: AudioEngine, device: str, source=None):
    return streams.open_input(engine, DeviceSpec.parse(device), source)


def open_output(engine: AudioEngine, device: str):
    return streams.open_output(engine, DeviceSpec.parse(device))


def collect(engine: AudioEngine, until, limit: float = 60) -> bytes:
    got = b""
    deadline = time.monotonic() + limit
    while not until():
        assert time.monotonic() < deadline
        while chunk := engine.chunk():
            got += chunk.pcm
        time.sleep(0.005)
    while chunk := engine.chunk(rest=True):
        got += chunk.pcm
    return got


def wav(path, sound: np.ndarray) -> str:
    writer = WavWriter(path)
    writer.write(sound.astype("<i2").tobytes())
    writer.close()
    return f"file:{path}"


def test_a_file_is_the_microphone_in_real_time_and_then_silence(tmp_path):
    sound = np.arange(1, 12001)
    engine = AudioEngine()
    stream = open_input(engine, wav(tmp_path / "in.wav", sound))
    assert not stream.input_ended
    began = time.monotonic()
    stream.start()
    got = collect(engine, lambda: stream.input_ended)
    took = time.monotonic() - began
    got += collect(engine, lambda: engine.blocks_in >= 30)
    stream.close()
    got += collect(engine, lambda: True)
    heard = np.frombuffer(got, "<i2")
    assert heard[:12000].tolist() == sound.tolist()
    assert heard.size >= 14400
    assert not heard[12000:].any()
    assert took >= 0.45  # half a second of sound is not over before


def test_a_file_waits_for_a_loop_that_is_late(tmp_path):
    sound = np.arange(1, 24_001)
    engine = AudioEngine()
    stream = open_input(engine, wav(tmp_path / "in.wav", sound))
    stream.start()
    time.sleep(1.2)  # it would be over
    assert not stream.input_ended
    heard = np.frombuffer(collect(engine, lambda: stream.input_ended), "<i2")
    stream.close()
    assert heard[:24_000].tolist() == sound.tolist()
    assert engine.counters().dropped_ms == 0


def test_times_lie_on_one_grid_and_do_not_drift():
    engine = AudioEngine()
    stream_in, stream_out = open_input(engine, "none", Echo()), open_output(engine, "none")
    engine.play("a", bytes(48_000))  # a speaker without anything to play naps after its first block
    stream_out.start()
    stream_in.start()
    collect(engine, lambda: engine.blocks_out >= 25 and engine.blocks_in >= 25)
    stream_in.close()
    stream_out.close()
    times = np.array([block.at for block in engine.played])
    assert np.allclose(times / 0.02, np.rint(times / 0.02), atol=1e-6)
    sounding = [block.at for block in engine.played if block.segments]
    assert np.allclose(np.diff(sounding), 0.02)


def test_sound_is_written_at_the_time_it_was_heard(tmp_path):
    engine = AudioEngine()
    stream = open_output(engine, f"file:{tmp_path}/out.wav")
    stream.start()
    collect(engine, lambda: engine.blocks_out >= 10)
    engine.play("a", np.arange(1, 4801, dtype="<i2").tobytes())
    engine.finish("a")
    finished = []
    collect(engine, lambda: finished.extend(engine.events()) or len(finished) == 2)
    stream.close()
    written = np.frombuffer(load_wav(tmp_path / "out.wav")[0], "<i2")
    start = int(np.flatnonzero(written)[0])
    assert start >= 4800
    assert start % 480 == 0
    assert written[start : start + 4800].tolist() == list(range(1, 4801))
    assert not written[start + 4800 :].any()
    assert finished[0].at - engine.played[0].at == pytest.approx(start / 24000, abs=1e-6)


def test_the_file_is_valid_while_it_grows(tmp_path):
    engine = AudioEngine()
    stream = open_output(engine, f"file:{tmp_path}/out.wav")
    stream.start()
    collect(engine, lambda: engine.blocks_out >= 5)
    assert len(load_wav(tmp_path / "out.wav")[0]) >= 4 * BLOCK_BYTES
    stream.close()


def test_the_file_holds_the_heard_part_of_an_interrupted_answer_within_a_block(tmp_path):
    engine = AudioEngine()
    stream = open_output(engine, f"file:{tmp_path}/out.wav")
    stream.start()
    engine.play("a", np.full(48000, 1234, "<i2").tobytes())
    collect(engine, lambda: engine.heard_ms("a") > 200)
    engine.flush()
    (heard,) = engine.settle(stream.interrupt())
    collect(engine, lambda: not engine.playing)
    blocks = engine.blocks_out
    collect(engine, lambda: engine.blocks_out > blocks + 2)
    stream.close()
    written = np.frombuffer(load_wav(tmp_path / "out.wav")[0], "<i2")
    in_file = np.count_nonzero(written) / 24
    assert heard.heard_ms <= in_file + 0.001
    # One block in flight, and one that the callback was filling when the queue was swapped.
    assert in_file - heard.heard_ms <= 40.001


class Echo:
    """A source that answers with what it hears."""

    def __init__(self) -> None:
        self.heard = b""

    def read(self, samples: int, heard: bytes) -> bytes:
        self.heard += heard
        return b"\x07\x00" * samples


@pytest.mark.parametrize("late", [0.0, 0.03])
def test_a_source_is_the_microphone_and_hears_the_speaker_however_late_that_is(monkeypatch, late):
    fill = AudioEngine.fill

    def fill_late(*arguments):
        time.sleep(late)
        fill(*arguments)

    monkeypatch.setattr(AudioEngine, "fill", fill_late)
    source = Echo()
    engine = AudioEngine()
    stream_in, stream_out = open_input(engine, "none", source), open_output(engine, "none")
    assert stream_in.description == "synthetic microphone"
    stream_in.start()
    stream_out.start()
    engine.play("a", np.arange(1, 4801, dtype="<i2").tobytes())
    engine.finish("a")
    got = collect(engine, lambda: len(source.heard.strip(b"\0")) >= 9600 and engine.blocks_in > 20)
    stream_in.close()
    stream_out.close()
    assert set(got) == {7, 0}
    assert source.heard.count(np.arange(1, 4801, dtype="<i2").tobytes()) == 1


def test_no_microphone_captures_nothing_and_does_not_stall():
    engine = AudioEngine()
    stream = open_input(engine, "none")
    stream.start()
    assert (stream.description, stream.input_ended) == ("none", False)
    time.sleep(STALL_SECONDS + 0.1)
    assert engine.stalled() == set()
    assert engine.blocks_in == 0
    stream.close()


def test_a_speaker_to_nowhere_rests_until_there_is_something_to_play_and_plays_it_at_once(monkeypatch):
    engine = AudioEngine()
    stream = open_output(engine, "none")
    began = time.monotonic()
    stream.start()
    stalls = set()
    for _ in range(8):
        time.sleep(0.1)
        stalls |= engine.stalled()
    rested = engine.blocks_out
    assert 0 < rested < (time.monotonic() - began) / BLOCK_SECONDS / 2
    assert stalls == set()
    monkeypatch.setattr(paced, "NAP_SECONDS", 600.0)
    blocks = engine.blocks_out
    collect(engine, lambda: engine.blocks_out > blocks)
    engine.play("a", np.arange(1, 4801, dtype="<i2").tobytes())
    engine.finish("a")
    found = []
    collect(engine, lambda: found.extend(engine.events()) or len(found) == 2)
    stream.close()
    assert [event.item_id for event in found] == ["a", "a"]
    assert found[1].at - found[0].at == pytest.approx(0.2)
    sounding = [block for block in engine.played if block.segments]
    assert len(sounding) == 10
    assert np.allclose(np.diff([block.at for block in sounding]), 0.02)


def test_closing_stops_the_thread_and_is_harmless_twice():
    engine = AudioEngine()
    stream = open_input(engine, "none", Echo())
    stream.start()
    stream.close()
    stream.close()
    count = engine.blocks_in
    time.sleep(0.05)
    assert engine.blocks_in == count
    never_started = open_output(engine, "none")
    never_started.close()


def test_closing_does_not_wait_for_the_end_of_a_nap(monkeypatch):
    monkeypatch.setattr(paced, "NAP_SECONDS", 600.0)
    engine = AudioEngine()
    stream = open_output(engine, "none")
    stream.start()
    collect(engine, lambda: engine.blocks_out == 1)
    time.sleep(0.1)
    stream.close()


@pytest.mark.parametrize(
    ("open_it", "says"),
    [
        (lambda path: open_input(AudioEngine(), f"file:{path}/missing.wav"), "cannot read"),
        (lambda path: open_output(AudioEngine(), f"file:{path}/nowhere/out.wav"), "cannot write"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_audio_error(tmp_path, open_it, says):
    with pytest.raises(AudioError, match=says):
        open_it(tmp_path)


def test_a_full_disk_is_the_reason_for_the_loss_of_the_speaker(tmp_path, monkeypatch):
    engine = AudioEngine()
    stream = open_output(engine, f"file:{tmp_path}/out.wav")

    def full(self, pcm):
        raise AudioFileError("cannot write out.wav: No space left on device")

    monkeypatch.setattr(WavWriter, "write", full)
    stream.start()
    collect(engine, lambda: engine.stalled() == {"output"})
    assert "No space left" in engine.watchdog.reason("output")
    stream.close()


def test_the_description_of_a_converted_file_says_so(tmp_path):
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(b"\1\0" * 8820)
    stream = open_input(AudioEngine(), f"file:{tmp_path}/a.wav")
    assert stream.description.endswith("44100 Hz stereo, converted to 24000 Hz mono")
    stream.close()
