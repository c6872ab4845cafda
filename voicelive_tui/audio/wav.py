"""WAV files: any PCM, float or G.711 sound in; 24 kHz mono PCM16 out.

The reader takes what is there: streamed files whose length fields are 0 or 0xFFFFFFFF, truncated chunks, extensible and
RF64 headers. It reports what it assumed, and refuses the rest in one sentence.
"""

import os
import struct
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from voicelive_tui.audio import g711
from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH
from voicelive_tui.audio.pcm import PCM16
from voicelive_tui.audio.resample import convert
from voicelive_tui.errors import AudioError, UserError

LARGEST = 1_000_000_000
"""Bytes of a file that is read: 5.8 hours of 24 kHz mono PCM16."""
PIECE = 1_000_000
RATES = range(1_000, 384_001)
MOST_CHANNELS = 64
ANTI_PHASE = 0.1
"""Stereo whose mean has less than this share of its channels' energy cancels itself out."""

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format tag in the subformat GUID of an extensible header."""
_WIDTHS = {_PCM: (1, 2, 3, 4), _FLOAT: (4, 8), _ALAW: (1,), _ULAW: (1,)}
_NAMES = {_FLOAT: "float", _ALAW: "A-law", _ULAW: "mu-law"}
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)

_read_once: dict[str, bytes] = {}
"""Contents of pipes, which can be read only once."""


class AudioFileError(AudioError, UserError):
    """A sound file that cannot be used."""


class _Format(NamedTuple):
    """The `fmt ` chunk."""

    tag: int
    channels: int
    rate: int
    width: int
    """Bytes of one sample of one channel."""


def load_wav(path: str | Path) -> tuple[bytes, str]:
    """Read a WAV file, or a pipe that a WAV file comes out of.

    Returns the sound as 24 kHz mono PCM16, and a note on what was converted or assumed ("44100 Hz stereo, converted to
    24000 Hz mono"), empty if nothing was. Raises `AudioFileError` if the file is missing, unreadable, no WAV file, of
    an unknown format, too large, or empty.
    """
    try:
        form, raw, notes = _parse(_contents(Path(path).expanduser()))
    except OSError as error:
        raise AudioFileError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RuntimeError) as error:  # RuntimeError: the home of an unknown user
        raise AudioFileError(f"{path} is not a WAV file that can be played ({error})") from None
    except MemoryError:
        raise AudioFileError(f"{path} is too large for this machine's memory") from None
    if not raw:
        raise AudioFileError(f"{path} holds no sound")
    mono, note = _to_mono(_to_16_bits(raw, form), form.channels)
    notes += [note] if note else []
    pcm = convert(mono.astype(PCM16).tobytes(), form.rate, SAMPLE_RATE)
    if (form.rate, form.channels) != (SAMPLE_RATE, 1):
        layout = {1: "mono", 2: "stereo"}.get(form.channels, f"{form.channels} channels")
        notes.insert(0, f"{form.rate} Hz {layout}, converted to {SAMPLE_RATE} Hz mono")
    elif (form.tag, form.width) != (_PCM, SAMPLE_WIDTH):
        notes.insert(0, f"{_NAMES.get(form.tag) or f'{8 * form.width} bit'}, converted to 16 bit")
    return pcm, "; ".join(notes)


def _contents(path: Path) -> bytes:
    if str(path) in _read_once:
        return _read_once[str(path)]
    with path.open("rb") as file:
        data = file.read(12)
        if data[:4] not in (b"RIFF", b"RF64", b"BW64") or data[8:12] != b"WAVE":
            raise ValueError("it does not begin with a RIFF/WAVE header" if data else "it is empty")
        pieces = [data]
        while piece := file.read(PIECE):
            pieces.append(piece)
            if len(pieces) * PIECE > LARGEST:
                raise ValueError(f"it has more than {LARGEST:,} bytes")
    data = b"".join(pieces)
    if not path.is_file():
        _read_once[str(path)] = data
    return data


def _parse(data: bytes) -> tuple[_Format, bytes, list[str]]:
    """Format, whole sample frames as they are, and notes; `ValueError` with what is wrong, as part of a sentence."""
    form, large, at = None, None, 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = at + 8
        if name == b"ds64":
            large = int.from_bytes(data[body + 8 : body + 16], "little")
        elif name == b"fmt ":
            form = _format(data[body : body + size])
        elif name == b"data":
            if form is None:
                raise ValueError("its sound comes before its format")
            if size == 0xFFFFFFFF and large is not None and data[:4] != b"RIFF":
                size = large
            known = size not in _UNKNOWN_SIZES and body + size <= len(data)
            raw = data[body : body + size] if known else data[body:]
            raw = raw[: len(raw) // (form.width * form.channels) * form.width * form.channels]
            return form, raw, [] if known or not raw else ["its length field is wrong: read to the end of the file"]
        at = body + size + size % 2
    raise ValueError("it holds no sound chunk" if form else "it ends before its format")


def _format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise ValueError("its format is incomplete")
    tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and chunk[26:40] == _SUBFORMAT_TAIL:
        tag = int.from_bytes(chunk[24:26], "little")
    if tag not in _WIDTHS:
        raise ValueError(f"its coding {tag:#06x} is none of PCM, float, A-law and mu-law")
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(f"it claims {channels} channels")
    if rate not in RATES:
        raise ValueError(f"its rate of {rate} Hz is not between {RATES[0]} and {RATES[-1]}")
    width = block // channels if block else (bits + 7) // 8
    if width not in _WIDTHS[tag]:
        raise ValueError(f"it has {bits} bit samples in {width} bytes")
    return _Format(tag, channels, rate, width)


def _to_16_bits(raw: bytes, form: _Format) -> npt.NDArray[np.int16]:
    """All samples, channels interleaved, as 16-bit values (8-bit WAV samples are unsigned, wider ones signed)."""
    if form.tag == _FLOAT:
        values: npt.NDArray[np.float64] = np.frombuffer(raw, dtype=f"<f{form.width}")
        scaled: npt.NDArray[np.int16] = np.rint(np.nan_to_num(values, nan=0.0).clip(-1.0, 1.0) * 32767).astype(np.int16)
        return scaled
    octets = np.frombuffer(raw, dtype=np.uint8).reshape(-1, form.width)
    if form.tag in (_ALAW, _ULAW):
        table: npt.NDArray[np.int16] = g711.ALAW if form.tag == _ALAW else g711.ULAW
        return table[octets[:, 0]]
    if form.width == 1:
        return (octets[:, 0].astype(np.int16) - 128) << 8
    return np.ascontiguousarray(octets[:, -SAMPLE_WIDTH:]).view(PCM16)[:, 0].astype(np.int16)


def _to_mono(samples: npt.NDArray[np.int16], channels: int) -> tuple[npt.NDArray[np.int16], str]:
    """The mean of all channels; the first one where they cancel each other out, and a note of that."""
    if channels == 1:
        return samples, ""
    frames = samples.reshape(-1, channels)
    mean = np.rint(frames.mean(axis=1, dtype=np.float32))
    if channels == 2 and np.square(mean).sum() < ANTI_PHASE * np.square(frames[:, 0].astype(np.float32)).sum():
        return frames[:, 0], "the channels are in anti-phase: only the left one is used"
    return mean.astype(np.int16), ""


WRITES_PER_CHECK = 50
"""Writes between two checks that the file still has a name."""


def _expanded(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # the "~" of an unknown user
        raise AudioFileError(f"cannot write {path}: {error}") from None


def check_target(path: str | Path) -> None:
    """Check that a file can be written as WAV, without touching it.

    Raises `AudioFileError` if its folder or the file cannot be written, or it is a file of another kind.
    """
    target = _expanded(path)
    try:
        if target.is_dir():
            raise AudioFileError(f"cannot write {path}: it is a folder")
        if not os.access(target if target.exists() else target.parent, os.W_OK):
            reason = "permission denied" if target.parent.is_dir() else "its folder does not exist"
            raise AudioFileError(f"cannot write {path}: {reason}")
        if target.is_file() and target.stat().st_size:
            with target.open("rb") as file:
                head = file.read(12)
            if head[:4] != b"RIFF" or head[8:] != b"WAVE":
                raise AudioFileError(f"cannot write {path}: it is not a WAV file and would be overwritten")
    except OSError as error:
        raise AudioFileError(f"cannot write {path}: {error.strerror or error}") from None


class WavWriter:
    """A growing WAV file of 24 kHz mono PCM16; its header is valid after each write, even if the program is killed.

    Raises `AudioFileError` as `check_target`, and from `write` if the disk is full or gone, or the file was deleted.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._writes = 0
        check_target(path)
        try:
            # Unbuffered, so that sound and header reach the file at once.
            self._file = _expanded(path).open("wb", buffering=0)
        except OSError as error:
            raise self._failure(error) from None
        self._wav = wave.open(self._file, "wb")  # noqa: SIM115 - closed by `close`
        self._wav.setparams((1, SAMPLE_WIDTH, SAMPLE_RATE, 0, "NONE", ""))
        try:
            self.write(b"")
        except AudioFileError:
            self.close()
            raise

    def write(self, pcm: bytes | memoryview) -> None:
        """Append sound; `wave` writes it and then the new length in the header."""
        self._writes += 1
        try:
            self._wav.writeframes(pcm)
            gone = self._writes % WRITES_PER_CHECK == 0 and not os.fstat(self._file.fileno()).st_nlink
        except OSError as error:
            raise self._failure(error) from None
        if gone:
            raise AudioFileError(f"cannot write {self.path}: it was deleted")

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        try:
            self._wav.close()
        except OSError:
            pass  # the header has been valid since the last write
        finally:
            self._file.close()

    def _failure(self, error: OSError) -> AudioFileError:
        return AudioFileError(f"cannot write {self.path}: {error.strerror or error}")
