"""The demo caller in conversation with the session, in virtual time."""

import base64
import threading
from collections import Counter

import numpy as np

from tests.loopback.lab import Lab
from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import BLOCK_SAMPLES
from voicelive_tui.loopback.recogniser import Recogniser
from voicelive_tui.loopback.script import load, shipped
from voicelive_tui.speech.caller import DemoCaller
from voicelive_tui.speech.line import Line
from voicelive_tui.speech.voice import PlaceholderVoice

LINES = load(shipped()["line-check"]).caller
VAD = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 500}

OUTPUTS = {"get_weather": '{"city":"Lisbon","temperature":70}', "set_timer": "3 seconds are over"}


def call(caller, lab, seconds):
    """Run both for this many seconds of audio; returns the start of each line, and whether it was an interruption.

    Calls of functions are answered: the weather at once, the timer after its time.
    """
    speaker, out, answers = b"", [], []
    caller.ready.wait(60)
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
            elif event["type"] == "response.function_call_arguments.done":
                late = event["name"] == "set_timer"
                answers.append((lab.now + 3.0 * late, event["call_id"], OUTPUTS[event["name"]]))
        while answers and answers[0][0] <= lab.now:
            _, call_id, output = answers.pop(0)
            item = {"type": "function_call_output", "call_id": call_id, "output": output}
            lab.send("conversation.item.create", item=item)
            lab.send("response.create")
    return out


def test_the_caller_speaks_its_lines_interrupts_once_and_starts_over_after_a_rest():
    lab = Lab(turn_detection=VAD)
    began = call(DemoCaller(LINES), lab, 140)
    assert len(began) >= 2 * len(LINES)
    assert [over for _, over in began][: 2 * len(LINES)] == [line.interrupts_after > 0 for line in LINES] * 2
    assert 1.0 < began[0][0] < 2.0
    assert began[len(LINES)][0] - began[len(LINES) - 1][0] > 15
    done = [e["response"]["status"] for e in lab.events if e["type"] == "response.done"]
    assert done[:4] == ["completed", "cancelled", "completed", "completed"]


def test_the_tour_shows_a_tool_an_interruption_a_slow_answer_a_warning_and_an_error_and_starts_over():
    script, voice = load(shipped()["tour"]), PlaceholderVoice()
    tools = [{"type": "function", "name": name} for name in OUTPUTS]
    known = Recogniser((line.say for line in script.caller), voice)
    lab = Lab(
        script=script,
        recognise=known.words,
        turn_detection=VAD,
        tools=tools,
        input_audio_transcription={"model": "whisper-1"},
    )
    began = call(DemoCaller(script.caller, voice), lab, 300)
    spoken = [line.say for line in script.caller]
    heard = [e["transcript"] for e in lab.events if e["type"].endswith("input_audio_transcription.completed")]
    assert heard[: len(spoken) + 2] == spoken + spoken[:2]
    assert [over for _, over in began][: len(spoken)] == [line.interrupts_after > 0 for line in script.caller]
    assert 60 < began[6][0] - began[0][0] < 100, "the first part takes about 90 seconds"
    lab.events = [e for e in lab.events if e["at"] - 1000 < began[len(spoken)][0]]
    by_kind = Counter(e["type"] for e in lab.events)
    assert by_kind["warning"] == by_kind["error"] == 1
    called = [e["name"] for e in lab.events if e["type"] == "response.function_call_arguments.done"]
    assert called == ["get_weather", "set_timer", "get_weather"]
    done = [e["response"]["status"] for e in lab.events if e["type"] == "response.done"]
    assert (done.count("cancelled"), done.count("failed")) == (2, 1)
    answers = [e["transcript"] for e in lab.events if e["type"] == "response.audio_transcript.done"]
    assert not any("dBFS" in answer for answer in answers), "no line gets the line check"
    created = {e["response"]["id"]: e["at"] for e in lab.events if e["type"] == "response.created"}
    first = {e["response_id"]: e["at"] for e in reversed(lab.events) if e["type"] == "response.audio.delta"}
    assert max(first[id_] - created[id_] for id_ in first) > 3, "one answer is slow"


def test_the_caller_falls_silent_while_the_user_has_the_floor_and_then_repeats_the_line():
    caller = DemoCaller((Line("One two three four five six"), Line("And another line")), PlaceholderVoice())
    caller.ready.wait(60)

    def loud(seconds, heard=b""):
        return [pcm.level(caller.read(BLOCK_SAMPLES, heard)).rms > -60 for _ in range(int(seconds / 0.02))]

    assert any(loud(1.6))
    caller.give_way()
    assert not any(loud(5))
    voice = pcm.samples(PlaceholderVoice().speak("Answer").samples.tobytes())[2400 : 2400 + BLOCK_SAMPLES].tobytes()
    assert not any(loud(5, voice)), "the assistant answers the user"
    assert not any(loud(11)), "and the user may have more to say"
    spoken = [number for number, audible in enumerate(loud(9)) if audible]
    assert spoken[0] < 100
    assert (spoken[-1] - spoken[0]) * 0.02 > 1.3, "the whole line, from its start"


def test_the_caller_goes_on_without_an_answer():
    lab = Lab(turn_detection=VAD | {"create_response": False})
    caller = DemoCaller(
        (Line("Is anybody there?", 15), Line("It seems not.", interrupts_after=1.7)), PlaceholderVoice()
    )
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
    caller.ready.wait(60)
    sound = b"".join(caller.read(BLOCK_SAMPLES, b"") for _ in range(200))
    assert pcm.level(sound).peak > -30


def test_blocks_may_have_any_size():
    whole = PlaceholderVoice().speak("One two three", "caller").samples
    caller = DemoCaller((Line("One two three"),), PlaceholderVoice())
    caller.ready.wait(60)
    sizes = np.random.default_rng(1).integers(1, 2000, 200)
    samples = pcm.samples(b"".join(caller.read(int(size), b"") for size in sizes))
    loud = np.flatnonzero(samples)
    expected = np.flatnonzero(whole)
    length = loud[-1] - loud[0]
    assert length == expected[-1] - expected[0]
