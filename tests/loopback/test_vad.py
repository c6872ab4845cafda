"""Where speech starts and ends, and what is not speech."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback.lab import RATE, clip, milliseconds, silence, speech
from voicelive_tui.loopback.vad import Detector, Rules
from voicelive_tui.speech.voice import PlaceholderVoice

QUICK = Rules(silence_duration_ms=200)


def hear(samples, rules=QUICK, rate=RATE, chunk=960):
    detector = Detector(rate)
    detector.rules = rules
    return [edge for at in range(0, len(samples), chunk) for edge in detector.listen(samples[at : at + chunk])]


def kinds(edges):
    return [edge.kind for edge in edges]


def hum(seconds, amplitude=4000):
    time = np.arange(int(seconds * RATE)) / RATE
    return sum(amplitude / n * np.sin(2 * np.pi * 50 * n * time) for n in range(1, 8)).astype(np.int16)


def hiss(seconds, amplitude, seed=0):
    noise = np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * amplitude
    return noise.clip(-32768, 32767).astype(np.int16)


def test_a_clip_that_begins_with_speech_starts_at_0_and_ends_with_the_silence_rule():
    started, stopped = hear(clip(speech(), 2000))
    assert started.at_ms == 0
    assert stopped.at_ms == pytest.approx(milliseconds(speech()) + 200, abs=50)


def test_the_prefix_and_the_silence_are_those_of_the_rules():
    rules = Rules(prefix_padding_ms=123, silence_duration_ms=700)
    started, stopped = hear(clip(1000, speech(), 2000), rules)
    assert started.at_ms == started.began_ms - 123
    assert started.began_ms == pytest.approx(1000, abs=50)
    assert stopped.at_ms == stopped.last_ms + 700


def test_one_pause_makes_two_turns():
    edges = hear(clip(500, speech(), 1200, speech(), 1200), Rules())
    assert kinds(edges) == ["started", "stopped"] * 2


def test_a_pause_shorter_than_the_rule_makes_none():
    edges = hear(clip(500, speech(), 300, speech(), 1200), Rules())
    assert kinds(edges) == ["started", "stopped"]


@pytest.mark.parametrize("rules", [Rules(), Rules(speech_duration_ms=80)], ids=["server", "semantic"])
@pytest.mark.parametrize(
    "noise",
    [hum(6), clip(1500, hum(5)), hiss(6, 1000), clip(1500, hiss(5, 1000)), hiss(6, 30), hiss(6, 5000), silence(6000)],
    ids=["hum", "late hum", "hiss", "late hiss", "soft hiss", "loud hiss", "silence"],
)
def test_noise_is_not_speech(noise, rules):
    assert hear(noise, rules) == []


@pytest.mark.parametrize("noise", [hum(8, 2000), hiss(8, 300)], ids=["hum", "hiss"])
def test_speech_is_found_in_noise(noise):
    samples = clip(2000, speech(), 2000)
    started, stopped = hear(samples + noise[: len(samples)], Rules())
    assert started.began_ms == pytest.approx(2000, abs=120)
    assert stopped.last_ms == pytest.approx(2000 + milliseconds(speech()), abs=120)


def test_quiet_speech_in_a_quiet_room_is_found():
    quiet = (clip(1000, speech(), 1000) * 0.03).astype(np.int16)
    assert kinds(hear(quiet, Rules())) == ["started", "stopped"]


def test_a_higher_threshold_detects_less():
    quiet = (clip(1000, speech(), 1000) * 0.015).astype(np.int16)
    assert kinds(hear(quiet, Rules(threshold=0.3))) == ["started", "stopped"]
    assert hear(quiet, Rules(threshold=1.0)) == []


@pytest.mark.parametrize("filler", ["umm", "uh", "hmm"])
def test_fillers_are_not_speech_when_they_are_removed(filler):
    assert hear(clip(500, speech(filler), 1500), Rules(speech_duration_ms=450)) == []


def test_a_click_is_not_speech():
    click = silence(3000)
    click[24_000:24_200] = 20_000
    assert hear(click, Rules(speech_duration_ms=80)) == []


def test_the_placeholder_voice_counts_as_speech():
    samples = PlaceholderVoice().speak("Placeholders are heard, too").samples
    assert kinds(hear(clip(500, samples, 1000), Rules())) == ["started", "stopped"]


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_speech_is_found_at_every_rate(rate):
    whole = clip(1000, speech(), 1000)
    at = np.arange(int(len(whole) * rate / RATE)) * RATE / rate
    samples = np.interp(at, np.arange(len(whole)), whole).astype(np.int16)
    started, stopped = hear(samples, Rules(), rate)
    assert started.began_ms == pytest.approx(1000, abs=50)
    assert stopped.last_ms == pytest.approx(1000 + milliseconds(speech()), abs=50)


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_the_size_of_appends_does_not_matter(sizes):
    samples = clip(300, speech(), 700)
    detector = Detector(RATE)
    edges, at = [], 0
    for size in sizes:
        edges += detector.listen(samples[at : at + size])
        at += size
    edges += detector.listen(samples[at:])
    assert edges == hear(samples, Rules())


def test_forgotten_speech_does_not_end():
    detector = Detector(RATE)
    assert kinds(detector.listen(speech())) == ["started"]
    detector.forget_speech()
    assert detector.listen(silence(2000)) == []


@pytest.mark.parametrize("noise", [hum(8, 2000), hiss(8, 300)], ids=["hum", "hiss"])
def test_speech_soon_after_the_onset_of_noise_starts_where_it_starts(noise):
    samples = clip(3000, speech(), 1000)
    noise = noise[: len(samples)].copy()
    noise[: 2300 * RATE // 1000] = 0
    started, stopped = hear(samples + noise, Rules())
    assert started.began_ms == pytest.approx(3000, abs=120)
    assert stopped.last_ms == pytest.approx(3000 + milliseconds(speech()), abs=120)
