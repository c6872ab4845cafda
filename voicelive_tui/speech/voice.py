"""Speech synthesis: espeak-ng where it is installed, else tones as a placeholder.

`Voice.speak` blocks for tens of milliseconds, so it is called from threads and never from the event loop. espeak-ng is
one global state in a process; one lock serialises its use.
"""

import ctypes
import functools
import itertools
import re
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.audio.pcm import Samples
from voicelive_tui.audio.resample import convert

RATE = SAMPLE_RATE
"""Samples a second of all synthesized speech."""

ASSISTANT = "assistant"
CALLER = "caller"

_PIECE = 300  # characters; one sentence may be longer
_LONGEST_PIECE = 1200


class Mark(Struct, frozen=True):
    """The place of a word or a viseme in an utterance."""

    offset_ms: int
    duration_ms: int
    what: str
    """The word as the text has it, or the number of the viseme."""


class Speech(Struct, frozen=True):
    """One utterance."""

    samples: Samples
    """Mono at `RATE`."""
    words: tuple[Mark, ...]
    """The words of the text in order, each with the space or punctuation after it: joined they are the text."""
    visemes: tuple[Mark, ...] = ()
    """Mouth positions by Azure Speech's numbers (0 is silence)."""

    @property
    def duration_ms(self) -> int:
        return len(self.samples) * 1000 // RATE


def pieces(text: str) -> list[str]:
    """A text split at the ends of sentences, for one `speak` each; joined the pieces are the text."""
    found = [""]
    for sentence in re.split(r"(?<=[.!?]\s)", text):
        for at in range(0, len(sentence) or 1, _LONGEST_PIECE):  # text without sentences is split anywhere
            part = sentence[at : at + _LONGEST_PIECE]
            if found[-1] and len(found[-1]) + len(part) > _PIECE:
                found.append("")
            found[-1] += part
    return found


def join(spoken: Sequence[Speech]) -> Speech:
    """One or more utterances in sequence, as one."""
    if len(spoken) == 1:
        return spoken[0]
    starts = itertools.accumulate((len(piece.samples) for piece in spoken), initial=0)
    shifts = [start * 1000 // RATE for start in starts]

    def joined(marks_of: Sequence[Sequence[Mark]]) -> tuple[Mark, ...]:
        moved = zip(marks_of, shifts, strict=False)
        return tuple(replace(mark, offset_ms=mark.offset_ms + shift) for marks, shift in moved for mark in marks)

    samples = np.concatenate([piece.samples for piece in spoken])
    return Speech(samples, joined([piece.words for piece in spoken]), joined([piece.visemes for piece in spoken]))


class Voice(Protocol):
    """Turns text into speech."""

    def speak(self, text: str, speaker: str = ASSISTANT) -> Speech:
        """Synthesize `text` in the voice that belongs to the `speaker`. Blocks; call it from a thread."""


def open_voice() -> Voice:
    """The best voice of this machine."""
    try:
        import espeakng_loader  # noqa: PLC0415  an optional extra

        with _opening:
            return _espeak(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    except (ImportError, OSError):
        return PlaceholderVoice()


class PlaceholderVoice:
    """Tones in place of speech: one for each syllable, about as long as the words would take."""

    def speak(self, text: str, speaker: str = ASSISTANT) -> Speech:
        """One tone a syllable; the pitch depends on the `speaker`."""
        pitch = 150.0 if speaker == CALLER else 220.0
        sound: list[Samples] = [np.zeros(RATE // 20, np.int16)]
        marks: list[Mark] = []
        position = len(sound[0])
        for word in words_of(text):
            digits = sum(map(str.isdigit, word))  # each is a word when spoken
            syllables = max(1, (len(word.strip()) + 2) // 3 + digits)
            pause = 0.25 if word.rstrip()[-1:] in {".", "!", "?"} else 0.04
            pieces = [_syllable(pitch * (1 + 0.06 * (n % 3))) for n in range(syllables)]
            pieces.append(np.zeros(int(pause * RATE), np.int16))
            length = sum(map(len, pieces))
            marks.append(Mark(position * 1000 // RATE, (length - len(pieces[-1])) * 1000 // RATE, word))
            position += length
            sound += pieces
        return Speech(np.concatenate(sound), tuple(marks))


def _syllable(pitch: float) -> Samples:
    """140 ms that swell and fade: the detector takes a steady tone for noise."""
    time = np.arange(int(0.14 * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * harmonic * time) / harmonic for harmonic in (1, 2, 3, 4))
    return np.asarray(4500 * tone * np.sin(np.pi * time / 0.14) ** 2, np.int16)


def words_of(text: str) -> list[str]:
    """The words of a text, each with the spaces after it; joined they are the text."""
    words: list[str] = []
    for piece in text.split(" "):
        if piece or not words:
            words.append(piece + " ")
        else:
            words[-1] += " "
    words[-1] = words[-1][:-1]
    return [word for word in words if word]


class _Event(ctypes.Structure):
    """`espeak_EVENT` of espeak-ng's `speak_lib.h`."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("string", ctypes.c_char * 8),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_SYNCHRONOUS = 2
_PHONEME_EVENTS = 0x0001
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_WORD, _PHONEME, _LIST_END = 1, 7, 0
_PARAMETER_RATE = 1
_PARAMETER_VOLUME = 2
_WORDS_PER_MINUTE = 185
_VOLUME = 50  # percent; peaks then lie at about -8 dBFS

_ASSISTANTS = ("en-us+f3", "en-us+f2", "en-us+Annie", "en-us+f5", "en-us+Andy", "en-us+m7")
_CALLER = "en+m3"


class EspeakVoice:
    """espeak-ng in this process; only `open_voice` may make one. Raises `OSError` without the library or its data."""

    def __init__(self, library: str, data: str) -> None:
        self._lock = threading.Lock()
        self._library: Any = ctypes.CDLL(library)
        self._rate = self._library.espeak_Initialize(
            _SYNCHRONOUS, 200, str(Path(data)).encode(), _PHONEME_EVENTS | _DO_NOT_EXIT
        )
        if self._rate <= 0:
            raise OSError(f"espeak-ng cannot use its data in {data}")
        for name in (*_ASSISTANTS, _CALLER):
            if self._library.espeak_SetVoiceByName(name.encode()):
                raise OSError(f"espeak-ng has no voice {name!r} in {data}")
        self._sound: list[bytes] = []
        self._events: list[tuple[int, int, int, bytes]] = []
        self._callback = _CALLBACK(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)
        self.speak: Callable[..., Speech] = functools.lru_cache(maxsize=8)(self._speak)

    def _collect(self, sound: Any, count: int, events: Any) -> int:
        """espeak-ng's callback: a block of samples and the events in it."""
        if sound and count > 0:
            self._sound.append(ctypes.string_at(sound, 2 * count))
        index = 0
        while events and events[index].type != _LIST_END:
            event = events[index]
            if event.type in (_WORD, _PHONEME):
                self._events.append((event.type, event.text_position, event.audio_position, event.string))
            index += 1
        return 0

    def _speak(self, text: str, speaker: str = ASSISTANT) -> Speech:
        text = "".join(char if char.isprintable() else " " for char in text)
        with self._lock:
            self._sound, self._events = [], []
            # By name, and after initialising: otherwise espeak-ng shortens later utterances.
            self._library.espeak_SetVoiceByName(_espeak_name(speaker).encode())
            self._library.espeak_SetParameter(_PARAMETER_RATE, _WORDS_PER_MINUTE, 0)
            self._library.espeak_SetParameter(_PARAMETER_VOLUME, _VOLUME, 0)
            encoded = text.encode() + b"\0"
            self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, _UTF8, None, None)
            self._library.espeak_Synchronize()
            sound, events = b"".join(self._sound), self._events
        samples = pcm.samples(convert(sound, self._rate, RATE))
        end = len(samples) * 1000 // RATE
        return Speech(samples, _place_words(text, events, end), _place_visemes(events, end))


_espeak = functools.cache(EspeakVoice)
_opening = threading.Lock()  # a cache alone admits two threads, and a second initialisation crashes espeak-ng


def _espeak_name(speaker: str) -> str:
    """The espeak-ng voice of a speaker: always the same one, and often another for another speaker."""
    if speaker == CALLER:
        return _CALLER
    if speaker == ASSISTANT:
        return _ASSISTANTS[0]
    return _ASSISTANTS[zlib.crc32(speaker.encode()) % len(_ASSISTANTS)]


def _place_words(text: str, events: list[tuple[int, int, int, bytes]], end: int) -> tuple[Mark, ...]:
    """Give each word of `text` the place of the first espeak-ng word that begins in it.

    espeak-ng speaks "18" as two words and "dBFS" as one; a word of the text without an espeak-ng word shares the place
    of its neighbour, so that no text is lost.
    """
    starts = sorted((position - 1, at) for kind, position, at, _ in events if kind == _WORD)
    words, places = words_of(text), [0]
    begin = 0
    for word in words:
        inside = [at for position, at in starts if begin <= position < begin + len(word)]
        places.append(min(max(places[-1], inside[0]), end) if inside else places[-1])
        begin += len(word)
    spans = itertools.pairwise([*places[1:], end])
    return tuple(Mark(at, stop - at, word) for word, (at, stop) in zip(words, spans, strict=True))


def _place_visemes(events: list[tuple[int, int, int, bytes]], end: int) -> tuple[Mark, ...]:
    """The mouth positions of espeak-ng's phonemes."""
    found = [(at, _viseme(name.decode("utf-8", "replace"))) for kind, _, at, name in events if kind == _PHONEME]
    spans = itertools.pairwise([*(min(at, end) for at, _ in found), end])
    return tuple(
        Mark(at, max(0, stop - at), str(viseme))
        for (at, stop), (_, viseme) in zip(spans, found, strict=True)
        if at < end
    )


_VISEMES = (
    ("aI", 11), ("aU", 9), ("OI", 10), ("eI", 4), ("oU", 8), ("3", 5), ("@", 1), ("V", 1), ("a", 1), ("A", 2),
    ("0", 2), ("O", 3), ("e", 4), ("E", 4), ("U", 4), ("i", 6), ("I", 6), ("j", 6), ("u", 7), ("w", 7),
    ("o", 8), ("h", 12), ("r", 13), ("l", 14), ("s", 15), ("z", 15), ("S", 16), ("Z", 16), ("tS", 16),
    ("dZ", 16), ("T", 17), ("D", 17), ("f", 18), ("v", 18), ("t", 19), ("d", 19), ("n", 19), ("k", 20),
    ("g", 20), ("N", 20), ("p", 21), ("b", 21), ("m", 21),
)  # fmt: skip
"""Prefixes of espeak-ng's phoneme mnemonics, and Azure Speech's viseme ids."""


def _viseme(phoneme: str) -> int:
    """The viseme of the longest mnemonic that `phoneme` begins with, or 0 (silence)."""
    fitting = [(len(name), viseme) for name, viseme in _VISEMES if phoneme.startswith(name)]
    return max(fitting)[1] if fitting else 0
