"""Which lines are recognised by their sound, and which sounds are not taken for a line."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.loopback.lab import clip
from voicelive_tui.loopback.formats import AudioFormat, encode_speech
from voicelive_tui.loopback.recogniser import Recogniser
from voicelive_tui.loopback.script import load, shipped
from voicelive_tui.speech.voice import CALLER, RATE, PlaceholderVoice, open_voice

LINES = [line.say for name in ("tour", "line-check") for line in load(shipped()[name]).caller]
VOICES = {"the best voice of this machine": open_voice(), "tones": PlaceholderVoice()}


@functools.cache
def recogniser(name):
    """A recogniser that knows the lines in a voice."""
    return Recogniser(LINES, VOICES[name])


@pytest.mark.parametrize("name", VOICES)
@pytest.mark.parametrize(
    "fmt", [AudioFormat("pcm16", 24_000), AudioFormat("pcm16", 16_000), AudioFormat("g711_ulaw", 8000)]
)
def test_every_line_of_the_shipped_scripts_is_recognised_whatever_silence_is_around_it(name, fmt):
    for number, line in enumerate(LINES):
        samples = clip(300 + number, VOICES[name].speak(line, CALLER).samples, 500)
        assert recogniser(name).words(fmt.decode(encode_speech(samples, fmt)), fmt.rate) == line


@pytest.mark.parametrize("part", [0.25, 0.5, 0.75])
def test_a_part_of_a_line_is_not_recognised(part):
    for line in LINES:
        samples = VOICES["tones"].speak(line, CALLER).samples
        assert recogniser("tones").words(samples[: int(part * len(samples))], RATE) != line


@pytest.mark.parametrize("words", ["Can anybody hear me?", "What is this program doing at the moment?", "Stop."])
def test_other_words_are_not_recognised(words):
    known = recogniser("the best voice of this machine")
    assert known.words(open_voice().speak(words, CALLER).samples, RATE) == ""


@settings(max_examples=40, deadline=None)
@given(arrays(np.int16, st.integers(0, 20_000)), st.sampled_from([8000, 16_000, 24_000, 44_100]))
def test_no_noise_is_recognised(samples, rate):
    assert recogniser("tones").words(samples, rate) == ""


def test_silence_and_nothing_are_not_recognised():
    known = recogniser("tones")
    assert known.words(clip(3000), RATE) == known.words(clip(0), RATE) == known.words(clip(5), RATE) == ""
    assert Recogniser([], PlaceholderVoice()).words(clip(3000), RATE) == ""
