"""The input audio buffer: user audio arrives, turns are taken out of it and measured.

Positions are milliseconds of all the audio that ever arrived: the session's clock.
"""

from msgspec import Struct

from voicelive_tui.audio import pcm
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.protocol import MAX_APPEND_BYTES, Refusal, decode_audio, not_base64
from voicelive_tui.loopback.vad import Detector, Edge, Rules

_KEEP_MS = 10 * 60 * 1000  # between commits; older audio is dropped
_ONSET_MS = 1000  # kept between turns besides the prefix: longer than any onset takes to be detected
SLICE_BYTES = 512 * 1024
"""The audio that is listened to, and the base64 that is decoded, without a pause."""


class Measurement(Struct, frozen=True):
    """One turn of the user, measured."""

    audio_ms: int
    speech_ms: int
    """The part of it that is speech; 0 when none was found."""
    level: float
    """RMS of the speech, or of all the audio where there is none, in dBFS."""
    peak: float
    """The largest sample of the same, in dBFS."""
    floor: float
    """The noise floor in the speech band, in dBFS."""

    @property
    def transcript(self) -> str:
        """The transcript that a service without a recogniser can honestly give."""
        kind, length = ("speech", self.speech_ms) if self.speech_ms else ("no speech", self.audio_ms)
        return f"[{kind}, {length / 1000:.1f} s, {self.level:.0f} dBFS]"


class InputBuffer:
    """The buffer and its detector.

    `append` queues audio; `listen` decodes it and runs the detector over it in slices, one a call, so that a large
    append of one session does not delay the others.
    """

    def __init__(self, fmt: AudioFormat) -> None:
        self.fmt = fmt
        self.begun = False
        self._detecting = False
        self._text, self._decoded = "", 0
        self._incoming = bytearray()
        self._buffer = bytearray()
        # The buffer's start is counted in samples since the last change of format: milliseconds would drift.
        self._base_ms = 0
        self._first = 0
        self._spans: list[tuple[int, int]] = []
        self._detector = Detector(fmt.rate)

    def configure(self, fmt: AudioFormat, rules: Rules, *, detecting: bool) -> None:
        """Apply the session's settings; buffered audio in another format is dropped."""
        if fmt != self.fmt:
            self._base_ms, self._first = self._position_ms, 0
            self._buffer.clear()
            self._spans.clear()
            self._detector = Detector(fmt.rate, self._base_ms, self._detector.floor_db)
            self.fmt = fmt
        self._detector.rules = rules
        if detecting != self._detecting:
            self._detecting = detecting
            self._detector.forget_speech()

    @property
    def buffered_ms(self) -> int:
        """The audio that waits for a commit, in milliseconds."""
        return self.fmt.milliseconds(len(self._buffer))

    @property
    def _samples(self) -> int:
        return len(self._buffer) // self.fmt.sample_bytes

    @property
    def _position_ms(self) -> int:
        """The end of the audio that arrived, on the session's clock."""
        return self._base_ms + (self._first + self._samples) * 1000 // self.fmt.rate

    def _index(self, position_ms: int) -> int:
        """The sample of the buffer at a position, limited to the buffer."""
        index = (position_ms - self._base_ms) * self.fmt.rate // 1000 - self._first
        return min(max(0, index), self._samples)

    def append(self, text: str) -> None:
        """Queue user audio, base64; nothing else may be `pending`."""
        self._text, self._decoded = text, 0

    @property
    def pending(self) -> bool:
        """Whether `listen` has more to do."""
        return bool(self._text or self._incoming)

    def listen(self) -> list[Edge]:
        """Decode the next slice of an append, or run the detector over its next slice; returns the edges found in it.

        Raises `Refusal` for an append that is not base64, too large, or ends within a sample; nothing of it is kept.
        """
        if self._text:
            try:
                self._decode()
            except Refusal:
                self._text = ""
                self._incoming.clear()
                raise
            if self._text:
                return []
        size = SLICE_BYTES // self.fmt.sample_bytes * self.fmt.sample_bytes
        data = bytes(self._incoming[:size])
        del self._incoming[:size]
        self._buffer += data
        edges = self._detector.listen(self.fmt.decode(data))
        self._spans += [(edge.began_ms, edge.last_ms) for edge in edges if edge.kind == "stopped"]
        return edges

    def _decode(self) -> None:
        """Decode the next slice of base64; `_text` is empty after the last."""
        end = self._decoded + SLICE_BYTES
        piece = self._text[self._decoded : end]
        last = end >= len(self._text)
        if piece.endswith("=") and not last:
            raise not_base64("audio")  # padding, which only the end may have
        self._incoming += decode_audio(piece, "audio")
        self._decoded = end
        if len(self._incoming) > MAX_APPEND_BYTES:
            raise Refusal("One append may hold 15 MiB of audio at most.", "invalid_value", "audio")
        if last:
            size, width = len(self._incoming), self.fmt.sample_bytes
            if size % width:
                text = f"The audio has {size} bytes, which is not a multiple of the sample size, {width}."
                raise Refusal(text, "invalid_value", "audio")
            self.begun = self.begun or size > 0
            self._text = ""

    def take(self, until_ms: int | None = None) -> tuple[Measurement, bytes]:
        """Take a turn off the start of the buffer: up to a position, or everything, unfinished speech included.

        Returns its measurement, and its audio as it came over the wire.
        """
        spans = [span for span in self._spans if until_ms is None or span[0] < until_ms]
        self._spans = self._spans[len(spans) :]
        if until_ms is None and self._detector.speaking:
            spans.append(self._detector.speech)
            self._detector.forget_speech()
        pieces = [(self._index(begin), self._index(end)) for begin, end in spans]
        audio = self._pop(self._samples if until_ms is None else self._index(until_ms))
        width = self.fmt.sample_bytes
        speech = b"".join(audio[begin * width : end * width] for begin, end in pieces)
        measured = pcm.level(self.fmt.decode(speech or audio).tobytes())
        lengths = self.fmt.milliseconds(len(audio)), self.fmt.milliseconds(len(speech))
        return Measurement(*lengths, measured.rms, measured.peak, self._detector.floor_db), audio

    def drop_until(self, position_ms: int) -> None:
        self._pop(self._index(position_ms))

    def tidy(self) -> None:
        """Drop the audio that no turn can need any more: between turns, all but the prefix and a possible onset."""
        keep_ms = _KEEP_MS
        if self._detecting and not self._detector.speaking:
            keep_ms = self._detector.rules.prefix_padding_ms + _ONSET_MS
        surplus = self._samples - keep_ms * self.fmt.rate // 1000
        if surplus > 0:
            self._pop(surplus)
            begin = self._position_ms - self.buffered_ms
            self._spans = [span for span in self._spans if span[1] > begin]

    def clear(self) -> None:
        self._pop(self._samples)
        self._spans.clear()
        self._detector.forget_speech()

    def _pop(self, samples: int) -> bytes:
        size = samples * self.fmt.sample_bytes
        audio = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._first += samples
        return audio
