"""A zip to share: what it holds, and what was left out. `test_export.py` makes one by command."""

import hashlib
import json
import stat
import zipfile
from pathlib import Path

import pytest

from voicelive_tui.recording.bundle import Bundle
from voicelive_tui.recording.lines import wire_line
from voicelive_tui.recording.pack import Pack
from voicelive_tui.recording.spool import Record
from voicelive_tui.recording.writer import BundleWriter, Manifest

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    writer = BundleWriter(tmp_path / "talk.vlrec", Manifest(program="1"))
    event = {"type": "conversation.item.created", "item": {"id": "item_1", "text": f"use {KEY}"}}
    writer.add([Record("wire", 5, wire_line(0, 5, "in", json.dumps(event))), Record("left", 0, b"\1\1" * 9)])
    writer.finish({"instructions": "be brief"}, (), "# words")
    return Bundle(writer.path)


@pytest.mark.parametrize("strict", [False, True])
def test_the_hashes_in_the_manifest_are_those_of_the_files_in_the_zip(
    bundle: Bundle, tmp_path: Path, strict: bool
) -> None:
    with bundle:
        Pack(bundle, strict=strict).write(tmp_path / "talk.zip")
    assert stat.S_IMODE((tmp_path / "talk.zip").stat().st_mode) == 0o600
    with zipfile.ZipFile(tmp_path / "talk.zip") as archive:
        files = {name.removeprefix("talk.vlrec/"): archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert ("audio.wav" in files) is not strict
    assert (KEY in files["wire.jsonl"].decode()) is not strict
    assert manifest["session"] == {"instructions": "<8 characters>" if strict else "be brief"}


def test_what_looks_like_a_key_is_found_in_what_the_zip_will_hold(bundle: Bundle) -> None:
    with bundle:
        assert [(found.where, found.line, found.token) for found in Pack(bundle, strict=False).findings()] == [
            ("wire.jsonl", 1, KEY)
        ]
        assert Pack(bundle, strict=True).findings() == []


def test_a_zip_that_is_there_is_not_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "talk.zip").write_text("mine")
    with bundle, pytest.raises(FileExistsError):
        Pack(bundle, strict=False).write(tmp_path / "talk.zip")
