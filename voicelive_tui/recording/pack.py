"""A bundle as one zip, to share."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.files import open_new
from voicelive_tui.recording.redact import Finding, findings, strict_line, without_content

MANIFEST = "manifest.json"
TEXTS = (MANIFEST, "wire.jsonl", "marks.jsonl", "transcript.md")
SOUNDS = ("audio.wav", "received.wav", "audio.flac", "received.flac")


class Member(NamedTuple):
    """A file of a zip that is to be made."""

    name: str
    size: int
    """Bytes before compression; of the original where it is redacted."""


class Pack:
    """What a zip of a bundle will hold; if `strict`, nothing that was said or written, and no sound."""

    def __init__(self, bundle: Bundle, *, strict: bool) -> None:
        self._bundle = bundle
        self._strict = strict
        names = TEXTS[:-1] if strict else (*TEXTS, *SOUNDS)
        self.members = [Member(name, size) for name in names if (size := bundle.size(name)) is not None]

    def findings(self) -> list[Finding]:
        """What looks like a key in the texts that the zip will hold."""
        hashes = "\n".join(self._bundle.manifest.files.values())
        return [
            found
            for member in self.members
            if member.name in TEXTS
            for found in findings(member.name, self._lines(member.name))
            if found.token not in hashes
        ]

    def write(self, path: Path) -> None:
        """Make the zip. Raises `OSError` if it cannot be written, or is there already."""
        folder = self._bundle.path.name.removesuffix(".zip").removesuffix(".vlrec") + ".vlrec"
        with open_new(path) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            hashes = {member.name: self._hash(member.name) for member in self.members if member.name != MANIFEST}
            for member in self.members:  # the sound last: the rest of a zip that lost its end can be read
                with archive.open(f"{folder}/{member.name}", "w", force_zip64=True) as file:
                    for piece in self._content(member.name, hashes):
                        file.write(piece)

    def _hash(self, name: str) -> str:
        digest = hashlib.sha256()
        for piece in self._content(name, {}):
            digest.update(piece)
        return digest.hexdigest()

    def _content(self, name: str, hashes: dict[str, str]) -> Iterator[bytes]:
        if name == MANIFEST:
            yield self._manifest(hashes)
        elif name in SOUNDS or not self._strict:
            with self._opened(name) as file:
                while piece := file.read(1 << 20):
                    yield piece
        else:
            yield from self._lines(name)

    def _lines(self, name: str) -> Iterator[bytes]:
        for line in self._bundle.lines(name):
            if not self._strict:
                yield line
            elif name.endswith(".jsonl"):
                yield strict_line(line)
            else:
                yield from self._manifest({}).splitlines()
                return

    def _manifest(self, hashes: dict[str, str]) -> bytes:
        with self._opened(MANIFEST) as file:
            manifest = json.load(file)
        if self._strict:
            manifest["session"] = without_content(manifest.get("session"))
            manifest["redacted"] = "strict"
        return json.dumps({**manifest, "files": hashes}, indent=2).encode()

    def _opened(self, name: str) -> BinaryIO:
        file = self._bundle.open(name)
        assert file is not None  # a member
        return file
