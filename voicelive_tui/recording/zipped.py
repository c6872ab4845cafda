"""The files of a zip with a recording, also of one that has lost its end: as much of them as there is."""

import contextlib
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, cast

LARGEST_TEXT = 1_000_000_000
"""Bytes of a file of lines."""
LARGEST_AUDIO = 4_300_000_000

Opener = Callable[[str], BinaryIO | None]
"""Opens a file by its name; None if it is not there."""

UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError)
"""What reading a damaged file or zip may raise; msgspec, Unicode and recursion errors among them."""

_LOCAL = b"PK\x03\x04"
_HEADER = struct.Struct("<4s5H3L2H")
"""A local header (APPNOTE.TXT 4.3.7), which stands before each member."""
_SIZE_BEHIND = 8
"""Of the flags: sizes follow the member (4.4.4, bit 3)."""
_ZIP64 = 0xFFFFFFFF


def begins_like_zip(path: Path) -> bool:
    """Whether a file is a zip, whole or not."""
    with path.open("rb") as file:
        return file.read(len(_LOCAL)) == _LOCAL or zipfile.is_zipfile(path)


def open_zip(path: Path, flaws: list[str]) -> Opener:
    """Opens members by the last part of their names; a sentence for each kind of damage goes to `flaws`."""
    members: dict[str, Callable[[], BinaryIO]]
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        flaws.append("the zip has lost its end")
        members = {PurePosixPath(part.name).name: part.open for part in _parts(path, flaws)}
    else:
        files = [info for info in archive.infolist() if not info.filename.endswith("/")]
        members = {PurePosixPath(info.filename).name: _Member(archive, info).open for info in files}

    def open_member(name: str) -> BinaryIO | None:
        if (member := members.get(name)) is None:
            return None
        try:
            source = member()
            return _copied(source, name, flaws) if name.endswith(".wav") else source
        except UNREADABLE as error:
            _tell(flaws, f"{name} cannot be read ({error})")
            return None

    return open_member


def _largest(name: str) -> int:
    return LARGEST_AUDIO if name.endswith((".wav", ".flac")) else LARGEST_TEXT


def _tell(flaws: list[str], sentence: str) -> None:
    if sentence not in flaws:
        flaws.append(sentence)


def _copied(source: BinaryIO, name: str, flaws: list[str]) -> BinaryIO:
    """A temporary copy that can be read at any position, as far as the source can be read."""
    with contextlib.ExitStack() as stack, source:
        copy = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))
        try:
            shutil.copyfileobj(source, copy)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            _tell(flaws, f"{name} ends early: {error}")
        stack.pop_all()
        return copy


class _Member(NamedTuple):
    """A member of a whole zip."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def open(self) -> BinaryIO:
        if self.info.file_size > (limit := _largest(self.info.filename)):
            raise ValueError(f"it would have {self.info.file_size:,} bytes, more than {limit:,}")
        return cast("BinaryIO", self.archive.open(self.info))


class _Part(NamedTuple):
    """A member found by its local header."""

    path: Path
    name: str
    start: int
    packed: int
    """Bytes, which need not all be there."""
    method: int
    flaws: list[str]

    def open(self) -> BinaryIO:
        with contextlib.ExitStack() as stack, self.path.open("rb") as file:
            copy = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))
            file.seek(self.start)
            inflate = zlib.decompressobj(-zlib.MAX_WBITS) if self.method == zipfile.ZIP_DEFLATED else None
            left, limit = self.packed, _largest(self.name)
            while left > 0 and (piece := file.read(min(left, 1 << 16))):
                if copy.tell() >= limit:
                    name = PurePosixPath(self.name).name
                    _tell(self.flaws, f"{name} is longer than {limit:,} bytes: the rest is left out")
                    break
                left -= len(piece)
                try:
                    copy.write(inflate.decompress(piece) if inflate else piece)
                except zlib.error:
                    break
            copy.seek(0)
            stack.pop_all()
            return copy


def _parts(path: Path, flaws: list[str]) -> Iterator[_Part]:
    with path.open("rb") as file:
        while len(head := file.read(_HEADER.size)) == _HEADER.size and head.startswith(_LOCAL):
            _, _, flags, method, _, _, _, packed, _, name_size, extra_size = _HEADER.unpack(head)
            name, extra = file.read(name_size).decode(errors="replace"), file.read(extra_size)
            if packed == _ZIP64 and len(extra) >= 20:
                packed = int.from_bytes(extra[12:20], "little")
            known = packed < 1 << 62 and (packed > 0 or not flags & _SIZE_BEHIND)
            yield _Part(path, name, file.tell(), packed if known else 1 << 62, method, flaws)
            if not known:  # its size stands behind it
                return
            file.seek(packed, 1)
