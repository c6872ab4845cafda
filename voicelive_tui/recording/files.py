"""Files of a recording: always new ones, which only their owner can read."""

import os
import struct
import time
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
HEADER_BYTES = _HEADER.size
"""Before the first sample of a `WaveFile`."""


class WaveFile:
    """A new WAV file whose header is right after each write; samples may be written at any position."""

    def __init__(self, path: Path, channels: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._channels = channels
        self.frames = 0
        self._write_header()

    def put(self, channel: int, at: int, pcm: bytes) -> None:
        """Write samples of a channel; what was never written is silence."""
        import numpy as np  # noqa: PLC0415 - in the recorder's thread, not while the program starts

        samples = np.frombuffer(pcm, "<i2")
        width = self._channels * SAMPLE_WIDTH
        start = _HEADER.size + at * width
        frames = np.zeros((len(samples), self._channels), "<i2")
        if self._channels > 1 and at < self.frames:
            there = os.pread(self._file, frames.nbytes, start)
            frames.reshape(-1)[: len(there) // SAMPLE_WIDTH] = np.frombuffer(there, "<i2")
        frames[:, channel] = samples
        _write_all(self._file, frames.tobytes(), start)
        if at + len(samples) > self.frames:
            self.frames = at + len(samples)
            self._write_header()

    def _write_header(self) -> None:
        width = self._channels * SAMPLE_WIDTH
        size = self.frames * width
        header = _HEADER.pack(b"RIFF", size + _HEADER.size - 8, b"WAVE", b"fmt ", 16, 1, self._channels, SAMPLE_RATE,
                              SAMPLE_RATE * width, width, 8 * SAMPLE_WIDTH, b"data", size)  # fmt: skip
        _write_all(self._file, header, 0)

    def close(self) -> None:
        os.close(self._file)


def _write_all(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written


def unused(folder: Path, suffix: str) -> Path:
    """A path in a folder that is named after the time, and that no file has."""
    name = time.strftime("%Y-%m-%d-%H%M%S")
    path, number = folder / f"{name}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}{suffix}"
    return path


def write_wave(path: Path, pcm: bytes) -> None:
    """Write PCM16, 24 kHz mono, as a new WAV file. Raises `OSError` if it cannot be written."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(WaveFile(path, 1)) as file:
        file.put(0, 0, pcm)


def write_new(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read. Raises `OSError` if it is there already, or cannot be written."""
    with open_new(path) as file:
        file.write(content)


def open_new(path: Path) -> BinaryIO:
    """The same, open for writing."""
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))
