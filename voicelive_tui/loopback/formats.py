"""Sound as Voice Live codes it on the wire: PCM16 at several rates, and G.711.

Inside the service sound is one-dimensional ``int16``. G.711 is done by table, since its codes are 8 bits and
the standard library's ``audioop`` left Python with 3.13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voicelive_tui.audio import pcm
from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.audio.resample import convert

Samples = NDArray[np.int16]
"""Mono sound, one sample a frame."""

Coding = Literal["pcm16", "g711_ulaw", "g711_alaw"]


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How one direction of sound is coded.

    Attributes:
        coding: Linear 16 bit little-endian, or one of the two laws of ITU-T G.711.
        rate: Frames a second.
        channels: 2 only for input with the client's echo reference in the second channel.
    """

    coding: Coding
    rate: int
    channels: int = 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame (one sample of each channel)."""
        return (2 if self.coding == "pcm16" else 1) * self.channels

    def milliseconds(self, size: int) -> int:
        """Whole milliseconds in ``size`` bytes."""
        return size // self.frame_bytes * 1000 // self.rate

    def size(self, milliseconds: float) -> int:
        """Bytes in so many milliseconds, in whole frames."""
        return int(milliseconds * self.rate / 1000) * self.frame_bytes

    def decode(self, data: bytes | bytearray | memoryview) -> Samples:
        """The first channel of ``data``, which must hold whole frames."""
        if self.coding != "pcm16":
            table = _ULAW if self.coding == "g711_ulaw" else _ALAW
            samples = table[np.frombuffer(data, np.uint8)]
        else:
            samples = np.frombuffer(data, "<i2")
        return samples[:: self.channels] if self.channels > 1 else samples

    def encode(self, samples: Samples) -> bytes:
        """Mono ``samples``, already at this format's rate, as bytes of the wire."""
        if self.coding == "pcm16":
            return samples.astype("<i2").tobytes()
        table = _ULAW_CODES if self.coding == "g711_ulaw" else _ALAW_CODES
        return table[samples.astype(np.int32) + 32768].tobytes()


OUTPUT_FORMATS = {
    "pcm16": AudioFormat("pcm16", 24_000),
    **{f"pcm16_{rate}hz": AudioFormat("pcm16", rate) for rate in (8000, 16_000, 22_050, 24_000, 44_100, 48_000)},
    "pcm16-8000hz": AudioFormat("pcm16", 8000),
    "pcm16-16000hz": AudioFormat("pcm16", 16_000),
    "g711_ulaw": AudioFormat("g711_ulaw", 8000),
    "g711_alaw": AudioFormat("g711_alaw", 8000),
}
"""By the names that ``output_audio_format`` may have (the two with hyphens are an older spelling)."""

INPUT_RATES = {
    "pcm16": (24_000, 16_000, 8000, 44_100),
    "g711_ulaw": (8000,),
    "g711_alaw": (8000,),
}
"""The rates that each ``input_audio_format`` may have, its default first."""


def encode_speech(samples: Samples, form: AudioFormat) -> bytes:
    """Synthesized speech (24 kHz mono) as bytes of the wire in another format."""
    return form.encode(pcm.samples(convert(samples.tobytes(), SAMPLE_RATE, form.rate)))


def _ulaw_table() -> Samples:
    """What each mu-law code stands for (ITU-T G.711, table 2)."""
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> Samples:
    """What each A-law code stands for (ITU-T G.711, table 1)."""
    code = np.arange(256) ^ 0x55
    exponent = (code & 0x70) >> 4
    mantissa = ((code & 0x0F) << 4) + 8
    magnitude = np.where(exponent == 0, mantissa, mantissa + 0x100 << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest_codes(table: Samples) -> NDArray[np.uint8]:
    """For each of the 65,536 linear values the code whose value lies nearest."""
    order = np.argsort(table, kind="stable")
    values = table[order].astype(np.int32)
    middles = (values[1:] + values[:-1]) / 2
    return order[np.searchsorted(middles, np.arange(-32768, 32768))].astype(np.uint8)


_ULAW = _ulaw_table()
_ALAW = _alaw_table()
_ULAW_CODES = _nearest_codes(_ULAW)
_ALAW_CODES = _nearest_codes(_ALAW)
