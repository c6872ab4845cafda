"""Turns are taken where they lie, at every rate, and measured."""

import base64

import numpy as np
import pytest

from tests.loopback.lab import clip, milliseconds, silence, speech
from voicelive_tui.audio import pcm
from voicelive_tui.audio.resample import convert
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.input_buffer import InputBuffer
from voicelive_tui.loopback.vad import Rules

PCM = AudioFormat("pcm16", 24_000)
RULES = Rules()


def listening(fmt=PCM, *, detecting=True):
    it = InputBuffer(fmt)
    it.configure(fmt, RULES, detecting=detecting)
    return it


def feed(it, data):
    """Append it at once; returns the edges."""
    it.append(base64.b64encode(data).decode())
    edges = it.listen()
    while it.pending:
        edges += it.listen()
    return edges


def hear(it, samples):
    """Append 40 ms at a time, as a client does, tidying in between; returns the edges."""
    data, size = it.fmt.encode(samples), it.fmt.size(40)
    edges = []
    for at in range(0, len(data), size):
        edges += feed(it, data[at : at + size])
        if not edges:
            it.tidy()
    return edges


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100])
def test_a_turn_late_in_the_stream_is_taken_where_it_was_spoken(rate):
    """A clock kept in whole milliseconds would be seconds off by then at 44.1 kHz."""
    words = pcm.samples(convert(speech().tobytes(), 24_000, rate))
    it = listening(AudioFormat("pcm16", rate))
    started, stopped = hear(it, np.concatenate([silence(120_000, rate), words, silence(700, rate)]))
    it.drop_until(started.at_ms)
    heard, audio = it.take(stopped.at_ms)
    assert heard.audio_ms == pytest.approx(stopped.at_ms - started.at_ms, abs=1)
    assert heard.speech_ms == pytest.approx(milliseconds(words, rate), abs=41)
    samples = it.fmt.decode(audio)
    assert np.flatnonzero(np.abs(samples) > 300)[0] * 1000 / rate == pytest.approx(RULES.prefix_padding_ms, abs=41)


def test_level_and_peak_are_those_of_the_speech_and_not_of_the_silence():
    it = listening(detecting=False)
    feed(it, clip(5000, speech(), 5000).tobytes())
    heard, _ = it.take()
    assert (heard.level, heard.peak) == pytest.approx(pcm.level(speech().tobytes()), abs=0.5)
    assert heard.floor == -80
    assert heard.transcript == f"[speech, {heard.speech_ms / 1000:.1f} s, {heard.level:.0f} dBFS]"


def test_speech_that_has_not_ended_counts_in_a_commit_by_hand():
    it = listening(detecting=False)
    feed(it, clip(500, speech()).tobytes())
    assert it.take()[0].speech_ms == pytest.approx(milliseconds(speech()), abs=41)
    assert it.buffered_ms == 0
    feed(it, silence(1000).tobytes())
    assert it.take()[0].transcript == "[no speech, 1.0 s, -96 dBFS]"


def test_between_turns_the_buffer_is_short_and_in_push_to_talk_it_keeps_everything():
    for detecting, kept in ((True, RULES.prefix_padding_ms + 1000), (False, 30_000)):
        it = listening(detecting=detecting)
        hear(it, silence(30_000))
        assert it.buffered_ms == pytest.approx(kept, abs=1)


def test_speech_from_before_detection_was_switched_on_ends_no_turn():
    it = listening(detecting=False)
    feed(it, speech().tobytes())
    it.configure(PCM, RULES, detecting=True)
    assert feed(it, silence(2000).tobytes()) == []


def test_an_update_in_the_middle_of_a_turn_does_not_disturb_it():
    it = listening()
    half = len(speech()) // 2
    assert [edge.kind for edge in feed(it, speech()[:half].tobytes())] == ["started"]
    it.configure(PCM, Rules(silence_duration_ms=300), detecting=True)
    edges = feed(it, clip(speech()[half:], 1000).tobytes())
    assert [edge.kind for edge in edges] == ["stopped"]
    assert edges[0].at_ms == edges[0].last_ms + 300


def test_the_clock_goes_on_over_a_change_of_format():
    it = listening()
    feed(it, silence(1000).tobytes())
    fmt = AudioFormat("g711_ulaw", 8000)
    it.configure(fmt, RULES, detecting=True)
    assert it.buffered_ms == 0
    words = pcm.samples(convert(speech().tobytes(), 24_000, 8000))
    started = feed(it, fmt.encode(np.concatenate([silence(1000, 8000), words])))[0]
    assert started.began_ms == pytest.approx(2000, abs=41)


def test_clear_drops_the_audio_and_the_current_speech():
    it = listening()
    feed(it, speech().tobytes())
    it.clear()
    assert it.buffered_ms == 0
    assert feed(it, silence(1000).tobytes()) == []
