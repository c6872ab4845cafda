"""Opening recordings: whole ones, damaged ones, hostile ones, and files of messages from elsewhere."""

import base64
import contextlib
import json
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voicelive_tui.recording import zipped as zipped_files
from voicelive_tui.recording.bundle import Bundle, BundleError
from voicelive_tui.recording.lines import WireLine, wire_line
from voicelive_tui.recording.pack import Pack
from voicelive_tui.recording.spool import Record
from voicelive_tui.recording.writer import BundleWriter, Manifest
from voicelive_tui.session import inputs
from voicelive_tui.session.transcript import EntryStatus

FILES = ("manifest.json", "wire.jsonl", "marks.jsonl", "audio.wav", "received.wav")


def written(folder: Path) -> Path:
    """A bundle with one message and a little sound."""
    writer = BundleWriter(folder / "a.vlrec", Manifest(program="1", audio_origin=100))
    line = wire_line(0, 5_000_000_000, "in", '{"type":"session.created","session":{"id":"s"}}')
    writer.add([Record("wire", 5, line), Record("left", 110, b"\1\0" * 8), Record("right", 112, b"\2\0" * 8)])
    writer.finish({}, (), "")
    return writer.path


def read_all(path: Path) -> list[str]:
    """Read everything; the flaws."""
    with Bundle(path) as bundle:
        for moment in bundle.moments():
            bundle.input(moment)
        bundle.final_state()
        bundle.sound(0, 100, 1_000)
        bundle.sound(2, -5, 1_000)
        return bundle.flaws


def test_sound_is_found_by_channel_and_position_and_is_silence_elsewhere(tmp_path: Path) -> None:
    with Bundle(written(tmp_path)) as bundle:
        assert bundle.sound(0, 108, 12) == bytes(4) + b"\1\0" * 8 + bytes(4)
        assert bundle.sound(1, 110, 4) == bytes(4) + b"\2\0" * 2
        assert bundle.sound(0, 0, 3) == bytes(6)
        assert bundle.sound(0, 10_000_000, 3) == bytes(6)
        assert bundle.sound(2, 0, 3) == bytes(6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.sampled_from(FILES), st.integers(0, 5_000), st.binary(max_size=200), st.booleans())
def test_a_damaged_bundle_is_read_as_far_as_it_can_be(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: int, bytes_: bytes, cut_off: bool
) -> None:
    path = written(tmp_path_factory.mktemp("damaged"))
    content = (path / name).read_bytes()
    at = min(at, len(content))
    (path / name).write_bytes(content[:at] + bytes_ + (b"" if cut_off else content[at + len(bytes_) :]))
    with contextlib.suppress(BundleError):  # nothing is left
        read_all(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.binary(max_size=80), max_size=8))
def test_any_file_is_a_file_of_messages_with_bad_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("bare") / "frames.jsonl"
    path.write_bytes(b"\n".join(lines))
    with contextlib.suppress(BundleError):  # none is a message
        read_all(path)


def test_bad_lines_are_named_once_and_the_others_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    with (path / "wire.jsonl").open("ab") as wire:
        wire.write(b"no json\n[1]\n" + wire_line(1, 6_000_000_000, "in", '{"type":"error"}') + b'{"n":3,"t_')
    with Bundle(path) as bundle:
        assert len(bundle.moments()) == 2
        (flaw,) = bundle.flaws
        assert flaw.startswith("wire.jsonl: 3 lines cannot be read (line 2: ")


def test_a_newer_format_is_read_and_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    (path / "manifest.json").write_text('{"format": 99, "something": "new"}')
    assert read_all(path) == ["format 99 is newer than this program knows (1): update it"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['{"type":"session.created"}', '{"type":"response.create"}'], ["in", "out"]),
        (['{"t": 12.5, "message": {"type": "response.done"}}'], ["in"]),
        (['{"dir": "sent", "frame": "{\\"type\\": \\"x\\"}", "ts": 1700000000000}'], ["out"]),
        (['{"direction": "IN", "data": {"type": "session.update"}}'], ["in"]),
    ],
)
def test_files_of_messages_from_elsewhere_are_understood(tmp_path: Path, lines: list[str], expected: list[str]) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_text("\n".join(lines))
    with Bundle(path) as bundle:
        moments = bundle.moments()
        assert [moment.dir for moment in moments if isinstance(moment, WireLine)] == expected
        assert all(isinstance(bundle.input(moment), inputs.Received | inputs.Sent) for moment in moments)
        assert bundle.flaws == []


def test_what_another_program_reports_as_heard_is_known(tmp_path: Path) -> None:
    sound = base64.b64encode(bytes(48_000)).decode()
    answer = {"item_id": "a", "response_id": "r"}
    messages = [
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.audio.delta", **answer, "delta": sound},
        {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 400},
    ]
    path = tmp_path / "frames.jsonl"
    path.write_text("\n".join(map(json.dumps, messages)))
    with Bundle(path) as bundle:
        (entry,) = bundle.final_state().transcript
        assert (entry.status, entry.heard_ms) == (EntryStatus.INTERRUPTED, 400)


# --- zips ----------------------------------------------------------------------------------------------------------


def zipped(path: Path, target: Path, prefix: str) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in path.iterdir():
            archive.write(file, prefix + file.name)
    return target


@pytest.mark.parametrize("prefix", ["", "a.vlrec/", "../../", "/etc/"])
def test_names_in_a_zip_never_lead_out_of_it(tmp_path: Path, prefix: str) -> None:
    target = zipped(written(tmp_path), tmp_path / "a.zip", prefix)
    before = sorted(tmp_path.rglob("*"))
    with Bundle(target) as bundle:
        assert bundle.sound(0, 110, 2) == b"\1\0" * 2
        assert len(bundle.moments()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_member_that_would_be_huge_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped_files, "LARGEST_TEXT", 1_000)
    target = tmp_path / "a.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("wire.jsonl", b"\n" * 1_000_000)
    with pytest.raises(BundleError, match="1,000,000 bytes, more than 1,000"), Bundle(target) as bundle:
        bundle.moments()


def test_sound_that_would_be_huge_is_left_out_and_the_rest_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipped_files, "LARGEST_AUDIO", 60)
    target = zipped(written(tmp_path), tmp_path / "a.zip", "")
    assert read_all(target) == ["audio.wav cannot be read (it would have 124 bytes, more than 60)"]


def test_of_a_zip_that_lost_its_end_what_is_left_is_read(tmp_path: Path) -> None:
    with Bundle(written(tmp_path)) as bundle:
        Pack(bundle, strict=False).write(tmp_path / "a.zip")
    content, target = (tmp_path / "a.zip").read_bytes(), tmp_path / "half.zip"
    for size in range(len(content)):
        target.write_bytes(content[:size])
        with contextlib.suppress(BundleError):
            read_all(target)
    target.write_bytes(content[: content.index(b"received.wav")])
    with Bundle(target) as bundle:
        assert bundle.flaws == ["the zip has lost its end"]
        assert (len(bundle.moments()), bundle.manifest.audio_origin) == (1, 100)
        assert bundle.sound(0, 110, 2) == b"\1\0" * 2
    target.write_bytes(content[: content.index(b"marks.jsonl") - 80])
    with pytest.raises(BundleError, match=r"holds no message: wire\.jsonl: 1 line cannot be read"):
        read_all(target)


def test_an_empty_member_of_a_zip_that_lost_its_end_does_not_hide_the_rest(tmp_path: Path) -> None:
    path, target = written(tmp_path), tmp_path / "a.zip"
    with zipfile.ZipFile(target, "w") as archive:
        archive.mkdir("a.vlrec")
        archive.write(path / "wire.jsonl", "a.vlrec/wire.jsonl")
    content = target.read_bytes()
    target.write_bytes(content[: content.index(b"PK\1\2")])
    assert read_all(target) == ["the zip has lost its end"]


def without_end(folder: Path) -> Path:
    """A zip without its directory, with sound of 400,044 bytes of which only the last samples are not zero."""
    writer = BundleWriter(folder / "long.vlrec", Manifest())
    line = wire_line(0, 5_000_000_000, "in", '{"type":"session.created"}')
    writer.add([Record("wire", 5, line), Record("left", 99_992, b"\1\0" * 8)])
    writer.close()
    target = zipped(writer.path, folder / "a.zip", "a/")
    content = target.read_bytes()
    target.write_bytes(content[: content.index(b"PK\1\2")])
    return target


def test_sound_of_a_zip_that_lost_its_end_may_be_larger_than_its_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipped_files, "LARGEST_TEXT", 100_000)
    with Bundle(without_end(tmp_path)) as bundle:
        assert bundle.sound(0, 99_999, 1) == b"\1\0"
        assert bundle.flaws == ["the zip has lost its end"]


def test_the_rest_of_huge_sound_in_a_zip_that_lost_its_end_is_left_out_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipped_files, "LARGEST_AUDIO", 100_000)
    told = "audio.wav is longer than 100,000 bytes: the rest is left out"
    assert read_all(without_end(tmp_path)) == ["the zip has lost its end", told]


def test_a_recording_without_one_message_is_refused_with_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no\nmessages\n")
    with pytest.raises(BundleError, match=r"holds no message: wire.jsonl: 2 lines cannot be read \(line 1: "):
        read_all(path)


def test_a_zip_with_a_member_without_a_name_opens(tmp_path: Path) -> None:
    target = zipped(written(tmp_path), tmp_path / "a.zip", "a/")
    content = target.read_bytes()
    end = content.rindex(b"a/transcript.md")  # in the directory at the end: a name ends at its first zero byte
    target.write_bytes(content[:end] + b"\0" + content[end + 1 :])
    assert not any("transcript" in flaw for flaw in read_all(target))


@settings(max_examples=40)
@given(st.integers(0, 4_000), st.binary(min_size=1, max_size=40))
def test_a_damaged_zip_gives_a_sentence_or_what_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, at: int, noise: bytes
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    target = zipped(written(folder), folder / "a.zip", "a/")
    content = bytearray(target.read_bytes())
    at = min(at, len(content))
    content[at : at + len(noise)] = noise
    target.write_bytes(content)
    with contextlib.suppress(BundleError):
        read_all(target)


def test_a_manifest_with_absurd_numbers_cannot_be_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    for absurd in (json.dumps({"audio_origin": 10**30}), '{"audio_origin": 1e400}', "[" * 100_000):
        (path / "manifest.json").write_text(absurd)
        (flaw,) = read_all(path)
        assert flaw.startswith("manifest.json cannot be read")


def test_a_header_that_lies_about_its_size_does_not_matter(tmp_path: Path) -> None:
    path = written(tmp_path)
    wave = bytearray((path / "audio.wav").read_bytes())
    wave[40:44] = struct.pack("<I", 0xFFFFFFFF)
    (path / "audio.wav").write_bytes(wave)
    with Bundle(path) as bundle:
        assert bundle.sound(0, 110, 2) == b"\1\0" * 2
