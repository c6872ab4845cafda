"""The voices and their marks."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from voicelive_tui.speech import voice
from voicelive_tui.speech.voice import ASSISTANT, CALLER, RATE, EspeakVoice, PlaceholderVoice, join, open_voice

TEXT = "I heard you for 2.4 seconds. Level -18 dBFS, peak -6, and that is  a good line!"


def text_of(speech):
    return "".join(word.what for word in speech.words)


@pytest.fixture(params=["espeak", "placeholder"])
def speaker(request):
    if request.param == "espeak":
        pytest.importorskip("espeakng_loader")
        return open_voice()
    return PlaceholderVoice()


def test_words_join_to_the_text_and_lie_within_the_audio(speaker):
    speech = speaker.speak(TEXT)
    assert text_of(speech) == TEXT
    offsets = [word.offset_ms for word in speech.words]
    assert offsets == sorted(offsets)
    assert all(word.duration_ms >= 0 for word in speech.words)
    assert offsets[-1] <= speech.duration_ms
    assert speech.duration_ms == len(speech.samples) * 1000 // RATE


def test_speech_is_audible_and_not_clipped(speaker):
    samples = speaker.speak(TEXT).samples
    assert 3000 < np.abs(samples.astype(int)).max() < 32_000


def test_the_second_utterance_is_as_whole_as_the_first(speaker):
    lengths = [speaker.speak(f"This is utterance number {n}, and it is complete.").duration_ms for n in (1, 2, 3)]
    assert max(lengths) - min(lengths) < 300
    assert min(lengths) > 1500


def pitch(samples):
    """The fundamental, in Hz: the median over voiced stretches of 40 ms, by autocorrelation."""
    found = []
    for piece in samples[: len(samples) // 960 * 960].reshape(-1, 960).astype(float):
        if np.abs(piece).max() > 2000:
            likeness = np.correlate(piece, piece, "full")[959:]
            found.append(RATE / (60 + int(np.argmax(likeness[60:400]))))
    return float(np.median(found))


def test_the_caller_speaks_lower_than_the_assistant(speaker):
    text = "Hello there, can you hear me now?"
    assert pitch(speaker.speak(text, CALLER).samples) < 0.85 * pitch(speaker.speak(text, ASSISTANT).samples)


@pytest.mark.parametrize("text", ["x", "   ", "ünïcode – and 漢字", "a\nb\x1b[31m", "<speak>tags &amp;</speak>"])
def test_odd_text_is_spoken(speaker, text):
    speech = speaker.speak(text)
    assert len(speech.words) >= 1
    assert len(text_of(speech)) == len(text)


def test_threads_do_not_mix_their_words(speaker):
    texts = [f"Thread {n} says something of its own, {n * 'and on '}." for n in range(6)]
    alone = [speaker.speak(text, "marin").duration_ms for text in texts]
    together = [0] * len(texts)
    if isinstance(speaker, EspeakVoice):
        speaker.speak.cache_clear()

    def speak(index):
        together[index] = speaker.speak(texts[index], "marin").duration_ms

    threads = [threading.Thread(target=speak, args=(index,)) for index in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == pytest.approx(alone, rel=0.1)


def test_visemes_follow_the_phonemes():
    pytest.importorskip("espeakng_loader")
    speech = open_voice().speak("Mama")
    numbers = [int(mark.what) for mark in speech.visemes]
    assert numbers.count(21) == 2, "two m"
    assert all(0 <= number <= 21 for number in numbers)


def test_without_espeak_the_voice_is_the_placeholder(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)  # importing it fails
    assert isinstance(open_voice(), PlaceholderVoice)


def test_threads_that_open_the_voice_at_once_get_the_same_one():
    """In a separate process, since the voice is open in this one; two concurrent initialisations crash."""
    pytest.importorskip("espeakng_loader")
    code = """
import threading
from voicelive_tui.speech.voice import open_voice
gate, voices = threading.Barrier(8), set()
def run():
    gate.wait()
    voices.add(id(open_voice()))
threads = [threading.Thread(target=run) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(voices) == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_pieces_are_joined_to_one_utterance(speaker):
    pieces = [speaker.speak(text) for text in ("One. ", "Two, three. ", "Four.")]
    whole = join(pieces)
    assert text_of(whole) == "One. Two, three. Four."
    assert np.array_equal(whole.samples, np.concatenate([piece.samples for piece in pieces]))
    assert join(pieces[:1]) is pieces[0]
    last = pieces[2].words[0]
    assert whole.words[-1].offset_ms == len(whole.samples[: -len(pieces[2].samples)]) * 1000 // RATE + last.offset_ms
    for marks in (whole.words, whole.visemes):
        offsets = [mark.offset_ms for mark in marks]
        assert offsets == sorted(offsets)
    assert len(whole.visemes) == sum(len(piece.visemes) for piece in pieces)


@pytest.mark.parametrize("text", ["", "One.", "One. Two! Three? " * 100, "no end " * 1000, "x" * 10_000])
def test_pieces_join_to_the_text(text):
    found = voice.pieces(text)
    assert "".join(found) == text
    assert max(map(len, found)) <= 1200
