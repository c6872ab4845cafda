"""`BundleWriter`: records into the files of a bundle, readable at every moment, whatever ends the program."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH, samples_in
from voicelive_tui.recording.files import WaveFile, write_new
from voicelive_tui.recording.lines import MICROPHONE, SPEAKER
from voicelive_tui.recording.spool import Record

FORMAT = 1
"""Version of the format; a change that an older reader would misunderstand raises it."""
SUFFIX = ".vlrec"
AUDIO_LIMIT = 2_000_000_000
"""Bytes of `audio.wav`, after which only lines are written: 5 h 47 min."""

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


class BundleWriter:
    """A bundle that is being written, to a new folder. Raises `OSError` if it cannot be.

    The manifest has what is known at the beginning; its origins are those of the first sound. With `flac`, FLAC files
    replace the WAV files at the end.
    """

    def __init__(self, path: Path, manifest: Manifest, *, flac: bool = False) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        self.path = path
        self.manifest = manifest
        self._flac = flac
        self._wire = os.open(path / "wire.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._marks = os.open(path / "marks.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._audio = WaveFile(path / "audio.wav", 2)
        self._received = WaveFile(path / "received.wav", 1)
        self._write_manifest()

    def add(self, records: Sequence[Record]) -> bool:
        """Append records; False once `audio.wav` is full, when sound is left out.

        Raises `OSError` if they cannot be written, or the bundle was deleted.
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
        if not os.fstat(self._wire).st_nlink:
            raise OSError("it was deleted")
        return max(self._audio.frames, self._received.frames) < room - SAMPLE_RATE

    @property
    def size(self) -> int:
        """Bytes so far."""
        lines = sum(os.fstat(file).st_size for file in (self._wire, self._marks))
        return lines + (2 * self._audio.frames + self._received.frames) * SAMPLE_WIDTH

    def finish(self, session: Mapping[str, Any], masked: Sequence[int], transcript: str) -> None:
        """Write the transcript and the final manifest, and close the files. Raises `OSError` if that fails."""
        try:
            write_new(self.path / "transcript.md", transcript.encode("utf-8", "replace"))
            if self._flac:
                from voicelive_tui.recording.flac import compress  # noqa: PLC0415 - of an extra

                for name, wave in (("audio.wav", self._audio), ("received.wav", self._received)):
                    if wave.frames:
                        compress(self.path / name)
            import hashlib  # noqa: PLC0415 - not needed before the end

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
