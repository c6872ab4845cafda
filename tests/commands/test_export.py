"""`voicelive-tui export`, run as a command on a small bundle."""

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.recording.bundles import ANSWER, make_bundle
from voicelive_tui.cli import cli
from voicelive_tui.recording.lines import wire_line
from voicelive_tui.recording.spool import Record
from voicelive_tui.recording.writer import BundleWriter, Manifest

WORDS = "the assistant's words"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    item = {"id": "item_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": WORDS}]}
    event = {"type": "conversation.item.created", "item": item}
    writer = BundleWriter(tmp_path / "talk.vlrec", Manifest(program="1"))
    writer.add(
        [Record("wire", 5, wire_line(0, 5_000_000_000, "in", json.dumps(event))), Record("left", 0, b"\1\1" * 99)]
    )
    writer.finish({"model": "m"}, (), "# words")
    return writer.path


def export(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["export", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_the_transcript_goes_to_standard_output(bundle: Path) -> None:
    status, out, err = export(bundle)
    assert (status, err) == (0, "")
    assert WORDS in out


def test_subtitles_begin_with_the_sound(tmp_path: Path) -> None:
    path = make_bundle(tmp_path, 1)
    manifest = json.loads((path / "manifest.json").read_text())
    answer = f"00:00:{0.1 + ANSWER[0]:06.3f} --> ".replace(".", ",")
    assert answer in export(path, "--format", "srt")[1]
    (path / "manifest.json").write_text(json.dumps({**manifest, "audio_origin": 2 * 24_000}))
    assert answer.replace("04,", "02,") in export(path, "--format", "srt")[1]


def test_a_file_is_made_and_never_overwritten(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert export(bundle, "--format", "json", "--output", target)[0] == 0
    assert json.loads(target.read_text())["transcript"][0]["text"] == WORDS
    status, _, err = export(bundle, "--format", "json", "--output", target)
    assert (status, err) == (2, f"voicelive-tui: {target} exists: give another --output\n")


def test_a_zip_is_listed_written_and_opened_again(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "talk.zip"
    status, out, _ = export(bundle, "--format", "zip", "--output", target)
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == [
        "manifest.json", "wire.jsonl", "marks.jsonl", "transcript.md", "audio.wav", "received.wav", "wrote",
    ]  # fmt: skip
    assert WORDS in export(target)[1]


def test_a_strict_zip_has_no_words_and_no_sound(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "talk.zip"
    assert export(bundle, "--format", "zip", "--redact", "strict", "--output", target)[0] == 0
    with zipfile.ZipFile(target) as archive:
        assert {Path(name).name for name in archive.namelist()} == {"manifest.json", "wire.jsonl", "marks.jsonl"}
        assert all(WORDS.encode() not in archive.read(name) for name in archive.namelist())


def test_a_zip_with_what_looks_like_a_key_needs_a_second_word(bundle: Path, tmp_path: Path) -> None:
    target, key = tmp_path / "talk.zip", "0123456789abcdef" * 2
    with (bundle / "wire.jsonl").open("ab") as wire:
        wire.write(wire_line(1, 6_000_000_000, "in", json.dumps({"type": "error", "error": {"message": key}})))
    status, _, err = export(bundle, "--format", "zip", "--output", target)
    assert status == 1
    assert "wire.jsonl, line 2: 0123… (32 characters) looks like a key" in err
    assert key not in err
    assert not target.exists()
    assert export(bundle, "--format", "zip", "--output", target, "--anyway")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "zip"], "--format zip needs --output FILE"),
        (["--redact", "strict"], "--redact strict leaves nothing of md: use it with --format zip"),
    ],
)
def test_wrong_usage_gets_a_sentence(bundle: Path, arguments: list[str], sentence: str) -> None:
    assert export(bundle, *arguments) == (2, "", f"voicelive-tui: {sentence}\n")


def test_a_path_without_a_recording_gets_a_sentence(tmp_path: Path) -> None:
    assert export(tmp_path)[2] == f"voicelive-tui: {tmp_path} is not a recording: it has no wire.jsonl\n"
    assert export(tmp_path / "none")[2] == f"voicelive-tui: cannot open {tmp_path}/none: No such file or directory\n"


def test_a_place_that_cannot_be_written_is_named(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "no" / "out.md"
    assert export(bundle, "--output", target) == (
        1, "", f"voicelive-tui: cannot export to {target}: No such file or directory\n",
    )  # fmt: skip


@pytest.mark.parametrize("form", ["md", "zip"])
def test_a_file_without_a_message_is_not_exported(tmp_path: Path, form: str) -> None:
    (tmp_path / "notes.txt").write_text("nothing\n")
    status, out, err = export(tmp_path / "notes.txt", "--format", form, "--output", tmp_path / "out")
    assert (status, out) == (2, "")
    assert "notes.txt holds no message: wire.jsonl: 1 line cannot be read" in err
    assert not (tmp_path / "out").exists()
