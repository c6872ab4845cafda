"""WAV files: any PCM width, rate and channel count in; 24 kHz mono PCM16 out."""

import io
import wave
from pathlib import Path

import numpy as np

from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH
from voicelive_tui.audio.pcm import PCM16, to_mono
from voicelive_tui.audio.resample import convert


class AudioFileError(Exception):
    """A sound file that cannot be used; the text is one sentence for the user."""


def load_wav(path: str | Path) -> tuple[bytes, str]:
    """Read a PCM WAV file.

    Returns:
        The sound as 24 kHz mono PCM16, and a note on what was converted ("44100 Hz stereo, converted to 24000 Hz
        mono"), empty if nothing was.

    Raises:
        AudioFileError: The file is missing, unreadable, not a PCM WAV file, or empty.
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
        raise AudioFileError(f"{path} is not a PCM WAV file (its header gives a rate of {rate} Hz)")
    pcm = convert(to_mono(_to_16_bits(raw, width), channels), rate, SAMPLE_RATE)
    if (rate, channels) == (SAMPLE_RATE, 1):
        return pcm, "" if width == SAMPLE_WIDTH else f"{8 * width} bit, converted to 16 bit"
    layout = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    return pcm, f"{rate} Hz {layout}, converted to {SAMPLE_RATE} Hz mono"


_PCM_SUBFORMAT = bytes.fromhex("0100000000001000800000aa00389b71")


def _plain_pcm(data: bytes) -> bytes:
    """Replace the tag of an extensible PCM header by the plain one: `wave` of Python 3.11 reads no other."""
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
        return ((octets[:, 0].astype(np.int16) - 128) << 8).astype(PCM16).tobytes()
    return np.ascontiguousarray(octets[:, -SAMPLE_WIDTH:]).tobytes()


class WavWriter:
    """A growing WAV file of 24 kHz mono PCM16; its header is valid after each write, even if the program is killed.

    Raises:
        AudioFileError: The file cannot be created; from `write`, the disk is full or gone.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            # Unbuffered, so that sound and header reach the file at once.
            self._file = self.path.open("wb", buffering=0)
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
        try:
            self._wav.writeframes(pcm)
        except OSError as error:
            raise self._failure(error) from None

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
