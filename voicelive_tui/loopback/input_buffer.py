"""The input audio buffer: sound arrives, turns are cut out of it and measured.

Positions are milliseconds on the session's clock, which runs over all the sound that ever arrived.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicelive_tui.audio import pcm
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.vad import Detector, Edge, Rules

_KEEP_MS = 10 * 60 * 1000
"""The most that is kept between commits; beyond it the oldest sound goes."""
_ONSET_MS = 1000  # between turns: what may lie between an onset and its detection, and more


@dataclass(frozen=True, slots=True)
class Heard:
    """One turn of the user, measured.

    Attributes:
        audio_ms: How long the sound lasts.
        speech_ms: How much of it is speech; 0 when none was found.
        level: RMS of the speech (of everything, without any), in dBFS.
        peak: The loudest sample of the same, in dBFS.
        floor: The noise floor in the speech band, in dBFS.
    """

    audio_ms: int
    speech_ms: int
    level: float
    peak: float
    floor: float

    @property
    def transcript(self) -> str:
        """What an honest service without a recogniser can write down."""
        kind, length = ("speech", self.speech_ms) if self.speech_ms else ("no speech", self.audio_ms)
        return f"[{kind}, {length / 1000:.1f} s, {self.level:.0f} dBFS]"


class Listening:
    """The buffer and its detector.

    Args:
        form: How the sound is coded.
    """

    def __init__(self, form: AudioFormat) -> None:
        self.form = form
        self.begun = False
        """Whether any sound has arrived."""
        self._detecting = False
        self._buffer = bytearray()
        # Where the buffer begins is counted in frames since the last change of format: milliseconds would drift.
        self._base_ms = 0
        self._first = 0
        self._spans: list[tuple[int, int]] = []
        self._detector = Detector(form.rate)

    def configure(self, form: AudioFormat, rules: Rules, *, detecting: bool) -> None:
        """Take on the session's settings.

        Args:
            form: How the sound to come is coded; what is buffered in another form is dropped.
            rules: When a turn begins and ends.
            detecting: Whether the service looks for turns.
        """
        if form != self.form:
            self._base_ms, self._first = self._position_ms, 0
            self._buffer.clear()
            self._spans.clear()
            self._detector = Detector(form.rate, self._base_ms, self._detector.floor_db)
            self.form = form
        self._detector.rules = rules
        if detecting != self._detecting:
            self._detecting = detecting
            self._detector.forget_speech()

    @property
    def buffered_ms(self) -> int:
        """How much sound waits for a commit."""
        return self.form.milliseconds(len(self._buffer))

    @property
    def _frames(self) -> int:
        return len(self._buffer) // self.form.frame_bytes

    @property
    def _position_ms(self) -> int:
        """Where the sound that arrived ends, on the session's clock."""
        return self._base_ms + (self._first + self._frames) * 1000 // self.form.rate

    def _frame(self, position_ms: int) -> int:
        """The place of a position in the buffer, in frames from its beginning and never outside it."""
        frame = (position_ms - self._base_ms) * self.form.rate // 1000 - self._first
        return min(max(0, frame), self._frames)

    def append(self, data: bytes | bytearray) -> list[Edge]:
        """Take in more sound, which must hold whole frames.

        Returns:
            Where speech began and ended in it.
        """
        self.begun = self.begun or bool(data)
        self._buffer += data
        edges = self._detector.listen(self.form.decode(data))
        self._spans += [(edge.began_ms, edge.last_ms) for edge in edges if edge.kind == "stopped"]
        return edges

    def take(self, until_ms: int | None = None) -> tuple[Heard, bytes]:
        """Cut a turn out of the buffer, from its beginning.

        Args:
            until_ms: Where the turn ends; None takes everything, speech under way included.

        Returns:
            What was measured, and the sound as it came over the wire.
        """
        spans = [span for span in self._spans if until_ms is None or span[0] < until_ms]
        self._spans = self._spans[len(spans) :]
        if until_ms is None and self._detector.speaking:
            spans.append(self._detector.speech)
            self._detector.forget_speech()
        pieces = [(self._frame(begin), self._frame(end)) for begin, end in spans]
        audio = self._cut(self._frames if until_ms is None else self._frame(until_ms))
        width = self.form.frame_bytes
        speech = b"".join(audio[begin * width : end * width] for begin, end in pieces)
        measured = pcm.level(self.form.decode(speech or audio).tobytes())
        lengths = self.form.milliseconds(len(audio)), self.form.milliseconds(len(speech))
        return Heard(*lengths, measured.rms, measured.peak, self._detector.floor_db), audio

    def drop_until(self, position_ms: int) -> None:
        """Forget the sound before a position."""
        self._cut(self._frame(position_ms))

    def tidy(self) -> None:
        """Forget what no turn can need any more: between turns, all but the prefix and a possible onset."""
        keep_ms = _KEEP_MS
        if self._detecting and not self._detector.speaking:
            keep_ms = self._detector.rules.prefix_padding_ms + _ONSET_MS
        surplus = self._frames - keep_ms * self.form.rate // 1000
        if surplus > 0:
            self._cut(surplus)
            begin = self._position_ms - self.buffered_ms
            self._spans = [span for span in self._spans if span[1] > begin]

    def clear(self) -> None:
        """Forget everything that was buffered."""
        self._cut(self._frames)
        self._spans.clear()
        self._detector.forget_speech()

    def _cut(self, frames: int) -> bytes:
        """Take so many frames off the beginning of the buffer."""
        size = frames * self.form.frame_bytes
        audio = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._first += frames
        return audio
