"""The demo caller in conversation with the session, in virtual time."""

import base64
import threading

import numpy as np

from tests.loopback.lab import Lab
from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import BLOCK_SAMPLES
from voicelive_tui.speech.caller import LINES, DemoCaller, Line
from voicelive_tui.speech.voice import PlaceholderVoice

VAD = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 500}


def call(caller, lab, seconds):
    """Run both for this many seconds of audio; returns the start of each line."""
    speaker, out = b"", []
    caller.ready.wait(30)
    for _ in range(int(seconds / 0.02)):
        heard, speaker = speaker[: 2 * BLOCK_SAMPLES], speaker[2 * BLOCK_SAMPLES :]
        block = caller.read(BLOCK_SAMPLES, heard)
        assert len(block) == 2 * BLOCK_SAMPLES
        events = lab.send("input_audio_buffer.append", audio=base64.b64encode(block).decode()) + lab.run(0.02)
        for event in events:
            if event["type"] == "response.audio.delta":
                speaker += base64.b64decode(event["delta"])
            elif event["type"] == "input_audio_buffer.speech_started":
                out.append((lab.now - 1000, bool(speaker)))
                speaker = b""
    return out


def test_the_caller_speaks_its_lines_interrupts_once_and_starts_over_after_a_rest():
    lab = Lab(turn_detection=VAD)
    began = call(DemoCaller(), lab, 140)
    assert len(began) >= 2 * len(LINES)
    assert [over for _, over in began][: 2 * len(LINES)] == [line.interrupts for line in LINES] * 2
    assert 1.0 < began[0][0] < 2.0
    assert began[len(LINES)][0] - began[len(LINES) - 1][0] > 15
    done = [e["response"]["status"] for e in lab.events if e["type"] == "response.done"]
    assert done[:4] == ["completed", "cancelled", "completed", "completed"]


def test_the_caller_goes_on_without_an_answer():
    lab = Lab(turn_detection=VAD | {"create_response": False})
    caller = DemoCaller((Line("Is anybody there?"), Line("It seems not.", interrupts=True)), PlaceholderVoice())
    assert len(call(caller, lab, 25)) == 2


def test_read_returns_silence_until_the_lines_are_synthesized():
    gate = threading.Event()

    class Slow(PlaceholderVoice):
        def speak(self, text, speaker=""):
            gate.wait(30)
            return super().speak(text, speaker)

    caller = DemoCaller((Line("At last."),), Slow())
    assert all(caller.read(BLOCK_SAMPLES, b"") == bytes(2 * BLOCK_SAMPLES) for _ in range(200))
    gate.set()
    caller.ready.wait(30)
    sound = b"".join(caller.read(BLOCK_SAMPLES, b"") for _ in range(200))
    assert pcm.level(sound).peak > -30


def test_blocks_may_have_any_size():
    whole = PlaceholderVoice().speak("One two three", "caller").samples
    caller = DemoCaller((Line("One two three"),), PlaceholderVoice())
    caller.ready.wait(30)
    sizes = np.random.default_rng(1).integers(1, 2000, 200)
    samples = pcm.samples(b"".join(caller.read(int(size), b"") for size in sizes))
    loud = np.flatnonzero(samples)
    expected = np.flatnonzero(whole)
    length = loud[-1] - loud[0]
    assert length == expected[-1] - expected[0]
