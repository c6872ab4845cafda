"""The one sample format, its sums, levels, rate conversion and WAV files.

Inside the program sound is always PCM16: little-endian signed 16-bit samples, one channel, 24,000 frames a second,
carried as ``bytes``. Everything else is converted at the edge, by the functions here. Nothing in this module keeps
state but `Resampler` and `WavWriter`, which belong to whoever made them.
"""

import io
import math
import struct
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 24_000
"""Frames a second."""
SAMPLE_WIDTH = 2
"""Bytes a frame (one channel of 16 bits)."""
BLOCK_FRAMES = 480
"""Frames of one callback: 20 ms."""
BLOCK_BYTES = BLOCK_FRAMES * SAMPLE_WIDTH
BLOCK_SECONDS = BLOCK_FRAMES / SAMPLE_RATE
FLOOR_DBFS = -96.0
"""The level of digital silence; nothing is reported below it."""

_INT16 = np.dtype("<i2")


class AudioFileError(Exception):
    """A sound file that cannot be used; its text is one sentence for the user."""


class Level(NamedTuple):
    """Loudness of a stretch of sound, in dBFS (0 is a sample at full scale)."""

    rms: float
    peak: float


SILENCE = Level(FLOOR_DBFS, FLOOR_DBFS)


def frames_in(pcm: bytes | memoryview) -> int:
    """The whole frames that these bytes hold."""
    return len(pcm) // SAMPLE_WIDTH


def frames_to_ms(frames: float) -> float:
    """How long so many frames last, in milliseconds."""
    return frames * 1000 / SAMPLE_RATE


def ms_to_frames(ms: float) -> int:
    """The frames nearest to a duration in milliseconds."""
    return round(ms * SAMPLE_RATE / 1000)


def duration_ms(pcm: bytes | memoryview) -> float:
    """How long these bytes last, in milliseconds."""
    return frames_to_ms(frames_in(pcm))


def silence(frames: int) -> bytes:
    """So many frames of digital silence."""
    return bytes(frames * SAMPLE_WIDTH)


def samples(pcm: bytes | memoryview) -> npt.NDArray[np.int16]:
    """The samples as a read-only array of shape ``(frames,)`` (no copy); a half frame at the end is left out."""
    return np.frombuffer(pcm, dtype=_INT16, count=frames_in(pcm))


def level(pcm: bytes | memoryview) -> Level:
    """RMS and peak in dBFS, never below `FLOOR_DBFS`.

    A full-scale sine reads -3.0 dBFS RMS, a full-scale square wave 0.0. About 5 µs for 480 frames.
    """
    if len(pcm) < SAMPLE_WIDTH:  # nothing was heard, as most of the time
        return SILENCE
    x = samples(pcm).astype(np.float32)
    peak = float(np.maximum.reduce(np.absolute(x)))
    return Level(_dbfs(math.sqrt(float(np.dot(x, x)) / x.size)), _dbfs(peak))


def _dbfs(amplitude: float) -> float:
    return max(FLOOR_DBFS, 20 * math.log10(max(amplitude, 1e-9) / 32768))


def to_mono(pcm: bytes | memoryview, channels: int) -> bytes:
    """Interleaved PCM16 of several channels, mixed to one by their mean."""
    if channels == 1:
        return bytes(pcm)
    whole = frames_in(pcm) // channels * channels
    mean = samples(pcm)[:whole].reshape(-1, channels).mean(axis=1)
    mixed: bytes = np.rint(mean).astype(_INT16).tobytes()
    return mixed


def to_channels(pcm: bytes | memoryview, channels: int) -> bytes:
    """One channel of PCM16, repeated in each of several interleaved channels."""
    if channels == 1:
        return bytes(pcm)
    repeated: bytes = np.repeat(samples(pcm), channels).tobytes()
    return repeated


class Resampler:
    """Streaming rate conversion of mono PCM16 by a polyphase windowed-sinc filter.

    The filter spans 32 periods of the lower rate (Kaiser, beta 8) and is centred on the lower rate's Nyquist
    frequency. Chosen for its delay: half the span, 0.67 ms at 24 kHz, the same for every block, where soxr's HQ holds
    back up to 39 ms and delivers in uneven portions. ``tests/benchmarks/bench_audio_offline.py`` has both in one run.

    Output comes as soon as the input it needs has come: n input frames give ``n * target / source`` frames, give or
    take one. Not shared between threads.

    Args:
        source_rate: Frames a second of what goes in.
        target_rate: Frames a second of what comes out.
    """

    SPAN = 32
    BETA = 8.0

    def __init__(self, source_rate: int, target_rate: int) -> None:
        if source_rate <= 0 or target_rate <= 0:
            raise ValueError(f"sample rates must be positive, not {source_rate} and {target_rate}")
        common = math.gcd(source_rate, target_rate)
        self._up, self._down = target_rate // common, source_rate // common
        low = min(source_rate, target_rate)
        self.taps = 1 if source_rate == target_rate else math.ceil(self.SPAN * source_rate / low) | 1
        self.delay = (self.taps - 1) / 2 / source_rate
        """By how much the output lags behind the input, in seconds."""
        self._filters = self._design(low / source_rate)
        self._history = np.zeros(self.taps - 1, dtype=np.float32)
        self._phase = 0  # position of the next output frame, in 1/up input frames from the first new one

    def _design(self, cutoff: float) -> npt.NDArray[np.float32]:
        """One row of taps for each of the ``up`` positions between two input frames, each with a sum of one."""
        if self.taps == 1:
            return np.ones((1, 1), dtype=np.float32)
        position = np.arange(self._up)[:, None] / self._up
        # Row p gives the value `p/up` of an input frame after the middle of its window.
        t = np.arange(self.taps)[None, :] - (self.taps - 1) / 2 - position
        edge = self.taps / 2
        window = np.i0(self.BETA * np.sqrt(np.clip(1 - (t / edge) ** 2, 0, None))) / np.i0(self.BETA)
        rows = np.sinc(cutoff * t) * window
        rows /= rows.sum(axis=1, keepdims=True)
        return rows.astype(np.float32)

    def skip_delay(self) -> None:
        """At the very start: leave out the output that lies before the input's first frame."""
        self._phase = (self.taps - 1) // 2 * self._up

    def process(self, pcm: bytes | memoryview) -> bytes:
        """Convert the next stretch; what cannot be computed yet is kept for the next call."""
        if self.taps == 1:
            return bytes(pcm)
        x = np.concatenate((self._history, samples(pcm)), dtype=np.float32)
        new = x.size - (self.taps - 1)
        count = max(0, -(-(new * self._up - self._phase) // self._down))
        at = self._phase + self._down * np.arange(count)
        self._phase += self._down * count - self._up * new
        self._history = x[new:]
        if not count:
            return b""
        windows = np.lib.stride_tricks.sliding_window_view(x, self.taps)[at // self._up]
        y = np.einsum("ij,ij->i", windows, self._filters[at % self._up])
        converted: bytes = np.rint(y).clip(-32768, 32767).astype(_INT16).tobytes()
        return converted


def convert(pcm: bytes, source_rate: int, target_rate: int) -> bytes:
    """Convert a whole recording, without the filter's delay: the output starts where the input does."""
    if source_rate == target_rate:
        return pcm
    resampler = Resampler(source_rate, target_rate)
    resampler.skip_delay()
    # The silence drives the last frames out.
    converted = resampler.process(pcm + silence(resampler.taps))
    return converted[: round(frames_in(pcm) * target_rate / source_rate) * SAMPLE_WIDTH]


def load_wav(path: str | Path) -> tuple[bytes, str]:
    """Read a WAV file of any PCM width, rate and channel count.

    Returns:
        The sound as 24 kHz mono PCM16, and a note that is empty, or says what was converted
        ("44100 Hz stereo, converted to 24000 Hz mono").

    Raises:
        AudioFileError: The file is missing, unreadable, not a PCM WAV file, or holds no sound.
    """
    try:
        with wave.open(io.BytesIO(_plain_pcm(Path(path).read_bytes())), "rb") as wav:
            rate, channels, width = wav.getframerate(), wav.getnchannels(), wav.getsampwidth()
            raw = wav.readframes(wav.getnframes())
    except OSError as error:
        raise AudioFileError(f"cannot read {path}: {error.strerror or error}") from None
    except (wave.Error, EOFError) as error:
        raise AudioFileError(f"{path} is not a PCM WAV file ({str(error) or 'it ends too early'})") from None
    raw = raw[: len(raw) // (width * channels) * (width * channels)]
    if not raw:
        raise AudioFileError(f"{path} holds no sound")
    if rate <= 0:
        raise AudioFileError(f"{path} is not a PCM WAV file (it claims {rate} frames a second)")
    pcm = convert(to_mono(_to_16_bits(raw, width), channels), rate, SAMPLE_RATE)
    if (rate, channels) == (SAMPLE_RATE, 1):
        return pcm, "" if width == SAMPLE_WIDTH else f"{8 * width} bit, converted to 16 bit"
    sort = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    return pcm, f"{rate} Hz {sort}, converted to {SAMPLE_RATE} Hz mono"


_PCM_SUBFORMAT = bytes.fromhex("0100000000001000800000aa00389b71")


def _plain_pcm(data: bytes) -> bytes:
    """Turn the extensible form of a PCM header into the plain one, which is all that Python 3.11's `wave` knows."""
    at = data.find(b"fmt ", 12, 512)
    tag, subformat = data[at + 8 : at + 10], data[at + 32 : at + 48]
    if at > 0 and tag == b"\xfe\xff" and subformat == _PCM_SUBFORMAT:
        return data[: at + 8] + b"\x01\x00" + data[at + 10 :]
    return data


def _to_16_bits(raw: bytes, width: int) -> bytes:
    """Keep the upper 16 bits of each sample (8-bit WAV samples are unsigned, all others signed)."""
    if width == SAMPLE_WIDTH:
        return raw
    octets = np.frombuffer(raw, dtype=np.uint8).reshape(-1, width)
    if width == 1:
        return ((octets[:, 0].astype(np.int16) - 128) << 8).astype(_INT16).tobytes()
    return np.ascontiguousarray(octets[:, -SAMPLE_WIDTH:]).tobytes()


class WavWriter:
    """A growing WAV file whose header is true after every write, so that a killed program leaves a valid file.

    Raises:
        AudioFileError: The file cannot be made; from `write`, the disk is full or gone.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._written = 0
        try:
            # Unbuffered, so that sound and header reach the file at once.
            self._file = self.path.open("wb", buffering=0)
        except OSError as error:
            raise self._problem(error) from None
        try:
            self.write(b"")
        except AudioFileError:
            self._file.close()
            raise

    def write(self, pcm: bytes | memoryview) -> None:
        """Append sound and bring the header up to date."""
        size = self._written + len(pcm)
        header = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1),
            *(SAMPLE_RATE, SAMPLE_RATE * SAMPLE_WIDTH, SAMPLE_WIDTH, 8 * SAMPLE_WIDTH, b"data", size),
        )
        try:
            # First the sound: a program killed in between leaves a file that is a little shorter, but true.
            self._file.seek(len(header) + self._written)
            self._file.write(pcm)
            self._file.seek(0)
            self._file.write(header)
        except OSError as error:
            raise self._problem(error) from None
        self._written = size

    def close(self) -> None:
        """Close the file; closing again is harmless."""
        self._file.close()

    def _problem(self, error: OSError) -> AudioFileError:
        return AudioFileError(f"cannot write {self.path}: {error.strerror or error}")
