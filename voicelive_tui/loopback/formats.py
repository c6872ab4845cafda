"""Audio as Voice Live codes it on the wire: PCM16 at several rates, and G.711.

Inside the service audio is one-dimensional `int16`. G.711 uses tables, since its codes are 8 bits wide and `audioop`
left the standard library with Python 3.13.
"""

from typing import Literal, cast, get_args

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.audio.g711 import ALAW, ULAW
from voicelive_tui.audio.pcm import Samples
from voicelive_tui.audio.resample import convert

Coding = Literal["pcm16", "g711_ulaw", "g711_alaw"]


class AudioFormat(Struct, frozen=True):
    """How one direction of audio is coded."""

    coding: Coding
    rate: int
    """Samples a second."""
    channels: int = 1
    """2 only for input that carries the client's echo reference in its second channel."""

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return (2 if self.coding == "pcm16" else 1) * self.channels

    def milliseconds(self, size: int) -> int:
        """Whole milliseconds in `size` bytes."""
        return size // self.sample_bytes * 1000 // self.rate

    def size(self, milliseconds: float) -> int:
        """Bytes in this many milliseconds, whole samples only."""
        return int(milliseconds * self.rate / 1000) * self.sample_bytes

    def decode(self, data: bytes | bytearray | memoryview) -> Samples:
        """The first channel of `data`, which must hold whole samples."""
        if self.coding != "pcm16":
            table = ULAW if self.coding == "g711_ulaw" else ALAW
            samples = table[np.frombuffer(data, np.uint8)]
        else:
            samples = np.frombuffer(data, "<i2")
        return samples[:: self.channels] if self.channels > 1 else samples

    def encode(self, samples: Samples) -> bytes:
        """Mono `samples`, already at this format's rate, as they go over the wire."""
        if self.coding == "pcm16":
            return samples.astype("<i2").tobytes()
        table = _ULAW_CODES if self.coding == "g711_ulaw" else _ALAW_CODES
        return table[samples.astype(np.int32) + 32768].tobytes()


OutputFormat = Literal[
    "pcm16", "pcm16_8000hz", "pcm16_16000hz", "pcm16_22050hz", "pcm16_24000hz", "pcm16_44100hz", "pcm16_48000hz",
    "pcm16-8000hz", "pcm16-16000hz", "g711_ulaw", "g711_alaw",
]  # fmt: skip
"""The names that `output_audio_format` may have; the two with hyphens are an older spelling."""

OUTPUT_FORMATS: dict[OutputFormat, AudioFormat] = {
    name: AudioFormat("pcm16", int("".join(filter(str.isdigit, name[5:]))) if name[5:] else 24_000)
    if name.startswith("pcm16")
    else AudioFormat(cast("Coding", name), 8000)
    for name in get_args(OutputFormat)
}

INPUT_RATES: dict[Coding, tuple[int, ...]] = {
    "pcm16": (24_000, 16_000, 8000, 44_100),
    "g711_ulaw": (8000,),
    "g711_alaw": (8000,),
}
"""The rates that each `input_audio_format` may have, its default first."""


def encode_speech(samples: Samples, fmt: AudioFormat) -> bytes:
    """Synthesized speech (24 kHz mono) as bytes on the wire in another format."""
    return fmt.encode(pcm.samples(convert(samples.tobytes(), SAMPLE_RATE, fmt.rate)))


def _nearest_codes(table: Samples) -> NDArray[np.uint8]:
    """The code with the nearest value, for each of the 65,536 linear values."""
    order = np.argsort(table, kind="stable")
    values = table[order].astype(np.int32)
    middles = (values[1:] + values[:-1]) / 2
    return order[np.searchsorted(middles, np.arange(-32768, 32768))].astype(np.uint8)


_ULAW_CODES, _ALAW_CODES = _nearest_codes(ULAW), _nearest_codes(ALAW)
