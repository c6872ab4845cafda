import json

import pytest
from click.shell_completion import ShellComplete

from tests.test_cli import KEY, empty_home, refusal, run  # noqa: F401 - the second is a fixture
from voicelive_tui.cli import cli

FILE = f"""
[service]
api_key = "{KEY}"
[session]
voice = "alloy"
[profiles.quiet.session]
turn_detection.silence_duration_ms = 800
instructions = "A long text. {"Once more. " * 20}\\n\\u001b[2J"
[profiles.short.service]
api_key = "abc"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "the.toml"
    path.write_text(FILE)
    return str(path)


def test_the_table_has_every_setting_with_its_source(file):
    result = run("config", "--config", file, "--profile", "quiet", "--model", "x", AZURE_VOICELIVE_VOICE="verse")
    assert result.exit_code == 0
    assert KEY not in result.output
    lines = result.output.splitlines()
    assert lines[:2] == [f"file      {file}", "profiles  quiet (in use), short"]
    rows = {tuple(line.split(maxsplit=2)) for line in lines[3:]}
    assert ("service.api_key", '"<hidden>"', "file") in rows
    assert ("session.model", '"x"', "flag") in rows
    assert ("session.voice", '"verse"', "environment AZURE_VOICELIVE_VOICE") in rows
    assert ("session.turn_detection.silence_duration_ms", "800", "profile quiet") in rows
    assert ("audio.chunk_ms", "40", "default") in rows
    assert "\x1b" not in result.output
    assert max(map(len, lines)) < 160


def test_json_has_whole_values_and_their_sources(file):
    result = run("config", "--config", file, "--profile", "quiet", "--json")
    assert KEY not in result.output
    shown = json.loads(result.output)
    assert (shown["path"], shown["found"]) == (file, True)
    assert (shown["profile"], shown["profiles"]) == ("quiet", ["quiet", "short"])
    instructions = shown["settings"]["session.instructions"]
    assert instructions["value"].endswith("Once more. \n\x1b[2J")
    assert instructions["source"] == "profile quiet"
    assert shown["settings"]["session.voice"] == {"value": "alloy", "source": "file"}


def test_a_key_too_short_to_be_masked_everywhere_is_hidden_as_well(file):
    shown = json.loads(run("config", "--config", file, "--profile", "short", "--json").output)
    assert shown["settings"]["service.api_key"] == {"value": "<hidden>", "source": "profile short"}


def test_without_a_file_the_defaults_and_where_the_file_would_be(tmp_path):
    lines = run("config").output.splitlines()
    assert lines[0] == f"file      {tmp_path}/config/voicelive-tui/config.toml is not there: defaults"
    assert lines[1] == "profiles  none"
    assert {line.split()[-1] for line in lines[3:]} == {"default"}


def test_a_mistake_gets_one_sentence(file):
    assert refusal(run("config", "--config", file, "--profile", "x")).endswith(
        "the.toml: there is no profile 'x' (known here: quiet, short)"
    )
    assert refusal(run("config", "--json", AZURE_VOICELIVE_ENDPOINT=f"ftp://x?key={KEY}")).startswith("environment: ")


@pytest.mark.parametrize(
    ("words", "begun", "names"),
    [
        (["--config", "the.toml", "--profile"], "", ["quiet", "short"]),
        (["--config", "the.toml", "console", "--profile"], "s", ["short"]),
        (["check", "--config", "the.toml", "--profile"], "", ["quiet", "short"]),
        (["--config", "nowhere.toml", "--profile"], "", []),
        (["--profile"], "", []),
    ],
)
def test_the_shell_completes_profiles(file, words, begun, names):
    completion = ShellComplete(cli, {}, "voicelive-tui", "_COMPLETE")
    assert [item.value for item in completion.get_completions(words, begun)] == names


def test_a_recording_asked_for_by_a_flag_is_made_although_the_file_switches_it_off(tmp_path):
    file = tmp_path / "off.toml"
    file.write_text("[recording]\nenabled = false\n")
    for flags, enabled in (((), False), (("--record", str(tmp_path)), True)):
        shown = json.loads(run("config", "--config", str(file), *flags, "--json").output)
        assert shown["settings"]["recording.enabled"]["value"] is enabled
