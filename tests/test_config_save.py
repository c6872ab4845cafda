import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.config import ConfigError
from voicelive_tui.config_load import load
from voicelive_tui.config_save import save_profile

ROOT = Path(__file__).parents[1]
FILE = """\
# My configuration.

[session]   # what is asked for
voice = 'alloy'      # not "verse"
instructions = \"\"\"
Two
lines.\"\"\"

[profiles.quiet]  # for the train
# slower
session.turn_detection.silence_duration_ms = 800   # was 500
audio.half_duplex = true

[profiles.quiet.ui]
theme = "nord"

[keys]
mute    = "f2"
"""
NEW = {"session": {"voice": "ash", "turn_detection": {"threshold": 0.7}}, "audio": {"input_device": 3}}


def written(tmp_path, text: str | bytes = FILE) -> Path:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def profiles(path: Path) -> dict:
    return tomllib.loads(path.read_text(encoding="utf-8-sig"))["profiles"]


@pytest.mark.parametrize(
    "text", [FILE, FILE.rstrip(), (ROOT / "config.toml.example").read_text(), "", "profiles.a.ui.lean = true\n"]
)
def test_a_new_profile_leaves_every_byte_of_the_file(tmp_path, text):
    path = written(tmp_path, text)
    save_profile(path, "loud", NEW)
    assert path.read_text().startswith(text)
    assert profiles(path)["loud"] == NEW
    assert load(path, environment={}, profile="loud").settings.session.turn_detection.threshold == 0.7


def test_only_the_changed_values_of_an_old_profile_are_written(tmp_path):
    path = written(tmp_path)
    values = {
        "session": {"turn_detection": {"silence_duration_ms": 650}},
        "audio": {"half_duplex": True},
        "ui": {"theme": "nord"},
    }
    save_profile(path, "quiet", values)
    assert path.read_text() == FILE.replace("800", "650")
    save_profile(path, "quiet", values)
    assert path.read_text() == FILE.replace("800", "650")


def test_values_that_a_profile_no_longer_has_are_removed(tmp_path):
    path = written(tmp_path)
    save_profile(path, "quiet", NEW)
    assert profiles(path) == {"quiet": NEW}
    text = path.read_text()
    assert text.startswith(FILE[: FILE.index("[profiles")])
    assert text.endswith(FILE[FILE.index("[keys]") :])


@pytest.mark.parametrize("name", ["two words", 'a"b', "a.b", "é", "a\nb", "x" * 100])
def test_any_name_is_quoted(tmp_path, name):
    path = written(tmp_path)
    for values in (NEW, {"ui": {"theme": "nord"}}, {}):
        save_profile(path, name, values)
        assert profiles(path)[name] == values


@pytest.mark.parametrize(
    ("encoding", "newline"), [("utf-8", "\n"), ("utf-8", "\r\n"), ("utf-8-sig", "\n"), ("utf-16", "\r\n")]
)
def test_encoding_and_line_ends_stay(tmp_path, encoding, newline):
    text = FILE.replace("\n", newline)
    path = written(tmp_path, text.encode(encoding))
    save_profile(path, "loud", NEW)
    assert path.read_bytes().startswith(text.encode(encoding))
    assert load(path, environment={}, profile="loud").settings.session.voice == "ash"
    added = path.read_bytes().decode(encoding).removeprefix(text)
    assert added.count("\n") == added.count(newline) > 3
    save_profile(path, "quiet", NEW)
    changed = path.read_bytes().decode(encoding)
    assert changed.count("\n") == changed.count(newline)


def test_a_symbolic_link_and_the_mode_stay(tmp_path):
    real = written(tmp_path)
    real.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(real)
    save_profile(link, "loud", NEW)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert "loud" in profiles(real)
    assert sorted(tmp_path.iterdir()) == [real, link]


def test_a_file_that_is_not_there_is_made_for_this_user_alone(tmp_path):
    path = tmp_path / "new" / "config.toml"
    save_profile(path, "loud", NEW)
    assert profiles(path) == {"loud": NEW}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["not toml", b"\xff\xff", "profiles = 5\n", "profiles = {a = {}}\n"])
def test_a_file_to_which_it_cannot_be_added_stays(tmp_path, text):
    path = written(tmp_path, text)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="the profile 'loud' cannot be added to what the file holds; add it by hand"):
        save_profile(path, "loud", NEW)
    assert path.read_bytes() == before


@pytest.mark.parametrize("failing", ["replace", "open"])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, failing):
    path = written(tmp_path)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((Path, "replace") if failing == "replace" else (os, "fsync")), fail)
    with pytest.raises(ConfigError, match=r"config.toml: the profile cannot be saved: No space left on device"):
        save_profile(path, "loud", NEW)
    assert path.read_text() == FILE
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_is_not_replaced(tmp_path):
    with pytest.raises(ConfigError, match="the profile cannot be saved: Is a directory"):
        save_profile(tmp_path, "loud", NEW)


values = (
    st.integers(-5, 5)
    | st.booleans()
    | st.floats(0, 1)
    | st.text(max_size=8)
    | st.lists(st.text(max_size=3), max_size=2)
)
tables = st.dictionaries(
    st.text("ab. \"'=#é\n", max_size=3),
    values | st.dictionaries(st.text("abc", max_size=2), values, max_size=3),
    max_size=3,
)


@given(st.text(max_size=6), tables, tables)
def test_any_profile_is_read_as_it_was_saved(tmp_path_factory, name, first, second):
    path = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.toml"
    path.write_text(FILE)
    for table in (first, second):
        save_profile(path, name, table)
        assert profiles(path)[name] == table
    assert path.read_text().startswith(FILE) or name == "quiet"
