"""`BundleWriter`: records into the files of a bundle, readable at every moment, whatever ends the program."""

import hashlib
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta, Struct

from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH, samples_in
from voicelive_tui.recording.lines import MICROPHONE, SPEAKER
from voicelive_tui.recording.spool import Record

FORMAT = 1
"""Version of the format; a change that an older reader would misunderstand raises it."""
SUFFIX = ".vlrec"
AUDIO_LIMIT = 2_000_000_000
"""Bytes of `audio.wav`, after which only lines are written: 5 h 47 min."""
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
HEADER_BYTES = _HEADER.size

Count = Annotated[int, Meta(ge=0, le=9 * 10**18)]


class Manifest(Struct, frozen=True, kw_only=True):
    """`manifest.json`."""

    format: int = FORMAT
    program: str = ""
    """Version of voicelive-tui."""
    sdk: str = ""
    """Version of azure-ai-voicelive."""
    api_version: str = ""
    session: Mapping[str, Any] = {}
    """The session object in force at the end, without secrets."""
    unix_ns: Count = 0
    """`time.time_ns()` at `t_ns`: the anchor between the clock of the lines and the calendar."""
    t_ns: Count = 0
    sample_zero_ns: Count = 0
    """The moment of sample 0 of channels 0 and 1, as long as no `clock` mark says otherwise."""
    audio_origin: Count = 0
    """The sample of channels 0 and 1 with which `audio.wav` begins."""
    received_origin: Count = 0
    """The sample of channel 2 with which `received.wav` begins."""
    masked: Sequence[int] = ()
    """`n` of the lines whose text is not the original, because there was a secret in it."""
    complete: bool = False
    """The recording was ended in order."""
    files: Mapping[str, str] = {}
    """SHA-256 by file name, once complete."""


class _Wave:
    """A WAV file whose header is right after each write; samples may be written at any position.

    Args:
        path: A new file.
        channels: Interleaved.
    """

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


class BundleWriter:
    """A bundle that is being written.

    Args:
        path: The folder; it must not exist.
        manifest: What is known at the beginning. Its origins are those of the first sound.
        flac: At the end, replace the WAV files by FLAC files.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, path: Path, manifest: Manifest, *, flac: bool = False) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        self.path = path
        self.manifest = manifest
        self._flac = flac
        self._wire = os.open(path / "wire.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._marks = os.open(path / "marks.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._audio = _Wave(path / "audio.wav", 2)
        self._received = _Wave(path / "received.wav", 1)
        self._write_manifest()

    def add(self, records: Sequence[Record]) -> bool:
        """Append records.

        Returns:
            False once `audio.wav` is full: sound is left out from then on.

        Raises:
            OSError: They cannot be written.
        """
        room = AUDIO_LIMIT // (2 * SAMPLE_WIDTH)
        for record in records:
            match record.kind:
                case "left" | "right" as side:
                    at = record.at - self.manifest.audio_origin
                    if at >= 0 and at + samples_in(record.data) <= room:
                        self._audio.put(MICROPHONE if side == "left" else SPEAKER, at, record.data)
                case "received":
                    at = record.at - self.manifest.received_origin
                    if at >= 0 and at + samples_in(record.data) <= room:
                        self._received.put(0, at, record.data)
        # After the sound that they refer to.
        for file, kind in ((self._wire, "wire"), (self._marks, "mark")):
            lines = b"".join(record.data for record in records if record.kind == kind)
            while lines:
                lines = lines[os.write(file, lines) :]
        return max(self._audio.frames, self._received.frames) < room - SAMPLE_RATE

    @property
    def size(self) -> int:
        """Bytes so far."""
        lines = sum(os.fstat(file).st_size for file in (self._wire, self._marks))
        return lines + (2 * self._audio.frames + self._received.frames) * SAMPLE_WIDTH

    def finish(self, session: Mapping[str, Any], masked: Sequence[int], transcript: str) -> None:
        """Write the transcript and the final manifest, and close the files.

        Raises:
            OSError: They cannot be written.
        """
        try:
            write_new(self.path / "transcript.md", transcript.encode("utf-8", "replace"))
            if self._flac:
                from voicelive_tui.recording.flac import compress  # noqa: PLC0415 - of an extra

                for name, wave in (("audio.wav", self._audio), ("received.wav", self._received)):
                    if wave.frames:
                        compress(self.path / name)
            hashes = {}
            for file in sorted(self.path.iterdir()):
                if file.name != "manifest.json":
                    with file.open("rb") as content:
                        hashes[file.name] = hashlib.file_digest(content, "sha256").hexdigest()
            self.manifest = msgspec.structs.replace(
                self.manifest, session=session, masked=masked, complete=True, files=hashes
            )
            self._write_manifest()
        finally:
            self.close()

    def _write_manifest(self) -> None:
        fresh = self.path / "manifest.new"
        fresh.unlink(missing_ok=True)
        write_new(fresh, msgspec.json.format(msgspec.json.encode(self.manifest)))
        fresh.replace(self.path / "manifest.json")

    def close(self) -> None:
        """Close the files."""
        for file in (self._wire, self._marks):
            os.close(file)
        self._audio.close()
        self._received.close()


def write_wave(path: Path, pcm: bytes) -> None:
    """Write PCM16, 24 kHz mono, as a new WAV file.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = _Wave(path, 1)
    try:
        file.put(0, 0, pcm)
    finally:
        file.close()


def write_new(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read.

    Raises:
        OSError: It is there already, or cannot be written.
    """
    with open_new(path) as file:
        file.write(content)


def open_new(path: Path) -> BinaryIO:
    """The same, open for writing."""
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))
