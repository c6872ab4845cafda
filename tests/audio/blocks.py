"""Blocks for an engine, in the time of the fixture `clock`."""

import numpy as np

from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.format import BLOCK_BYTES


def tone(dbfs: float, ms: float = 20) -> bytes:
    """A sine of that RMS."""
    peak = 32767 * 10 ** ((dbfs + 3.01) / 20)
    return np.rint(peak * np.sin(np.arange(round(ms * 24)) * 0.3)).astype("<i2").tobytes()


def play_block(engine: AudioEngine, at: float) -> bytes:
    out = bytearray(BLOCK_BYTES)
    engine.fill(memoryview(out), at, at)
    return bytes(out)


def hear(engine: AudioEngine, clock, pcm: bytes) -> None:
    for start in range(0, len(pcm), BLOCK_BYTES):
        clock.now += 0.02
        engine.captured(pcm[start : start + BLOCK_BYTES], clock.now - 0.02, clock.now)
