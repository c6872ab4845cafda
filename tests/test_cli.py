"""The command line from outside: what is accepted, what is refused and how, and with which status."""

import asyncio
import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.test_logs import as_before  # noqa: F401 - a fixture: the program sets up logging
from voicelive_tui import __version__
from voicelive_tui.cli import cli
from voicelive_tui.loopback.service import LoopbackService

KEY = "sk-7f3a-not-for-your-eyes"
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    """No settings of the user's own, no sound server, and a folder to work in."""
    for name in [name for name in os.environ if name.startswith("AZURE_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/no-server")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, **environment: str) -> Result:
    """Run in this process: for what ends before anything is opened."""
    result = CliRunner(env=environment).invoke(cli, arguments, prog_name="voicelive-tui")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def program(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the whole program."""
    return subprocess.run(
        [sys.executable, "-m", "voicelive_tui", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def refusal(result: Result, status: int = 2) -> str:
    """The one sentence on stderr of something that is refused."""
    assert (result.exit_code, result.stdout) == (status, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("voicelive-tui: ")
    assert KEY not in line
    return line.removeprefix("voicelive-tui: ")


# --- help


def test_version():
    assert run("--version").output == f"voicelive-tui, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["console", "--help"], ["check", "--help"], ["devices", "-h"]]
)
def test_help(arguments):
    result = run(*arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: voicelive-tui ")
    assert result.stderr == ""


def test_help_names_every_command():
    assert set(cli.commands) == {"console", "check", "config", "devices", "export", "replay", "serve"}
    text = run("--help").stdout
    for name in cli.commands:
        assert f"\n  {name} " in text


def test_every_option_of_a_conversation_is_explained_and_the_same_everywhere():
    wanted = (
        "--endpoint --api-version --model --voice --instructions --api-key --use-token-credential --insecure --demo "
        "--script --no-caller --input-device --output-device --output-latency --half-duplex --turn-detection --config "
        "--profile --log-file --verbose --lean"
    ).split()
    for command in (cli, cli.commands["console"], cli.commands["check"], cli.commands["config"]):
        options = {option.opts[0]: option for option in command.params if isinstance(option, click.Option)}
        assert set(wanted) <= set(options)
        assert all(option.help for option in options.values())


@pytest.mark.parametrize("arguments", [["--nonsense"], ["nonsense"], ["console", "extra"], ["--turn-detection", "vad"]])
def test_usage_errors(arguments):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: voicelive-tui" in result.stderr


def test_a_recording_in_place_of_a_command_is_opened(tmp_path):
    (tmp_path / "talk.vlrec").mkdir()
    result = run("talk.vlrec")
    assert result.exit_code != 0
    assert result.stderr == run("replay", "talk.vlrec").stderr != ""
    assert run("none.vlrec").stderr == run("replay", "none.vlrec").stderr
    assert "Usage" not in result.stderr


# --- what bad input gets

CONSOLE = ["console", "--demo", "--output-device", "none"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "nowhere.toml"], "nowhere.toml: cannot be read: No such file or directory"),
        (["--config", "."], "Is a directory"),
        (["--config", "bad.toml"], "bad.toml: not valid TOML: "),
        (["--config", "key.toml"], "key.toml: unknown key session.modle (known here: "),
        (["--profile", "x"], "config.toml: there is no profile 'x' (known here: none)"),
        (["--config", "type.toml"], "type.toml: audio.chunk_ms: expected int, got str"),
        (["--log-file", "."], "cannot be written: Is a directory"),
        (["--log-file", "text.wav/log"], "cannot be written: "),
        (["--output-latency", "2"], "command line: audio.output_latency: expected float <= 1.0"),
        (["--model", ""], "command line: session.model: expected str of length >= 1"),
        (["--instructions", "@nowhere.txt"], "session.instructions: the file 'nowhere.txt' cannot be read: No such"),
        (["--input-device", "file:nowhere.wav"], "cannot read nowhere.wav: No such file or directory"),
        (["--input-device", "file:."], "Is a directory"),
        (["--input-device", "file:text.wav"], "text.wav is not a WAV file that can be played"),
        (["--input-device", "file:empty.wav"], "empty.wav is not a WAV file that can be played"),
        (["--input-device", "file:silent.wav"], "silent.wav holds no sound"),
        (["--output-device", "file:nowhere/out.wav"], "cannot write nowhere/out.wav: its folder does not exist"),
        (["--output-device", "file:."], "cannot write .: it is a folder"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path, arguments, says):
    (tmp_path / "bad.toml").write_text("a = \n")
    (tmp_path / "key.toml").write_text('[session]\nmodle = "x"\n')
    (tmp_path / "type.toml").write_text('[audio]\nchunk_ms = "x"\n')
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    with wave.open(str(tmp_path / "silent.wav"), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
    assert says in refusal(run(*CONSOLE, *arguments))


def test_a_latency_that_is_none():
    result = run("console", "--demo", "--output-latency", "high")
    assert result.exit_code == 2
    assert "'high' is neither 'low' nor a number of seconds" in result.stderr


def test_options_that_a_replay_would_ignore_are_refused():
    for arguments in (("--say", "hi"), ("--max-delay", "500"), ("--input-device", "none")):
        sentence = refusal(run("console", "--replay", "talk.vlrec", *arguments))
        assert sentence == "--replay holds no conversation: leave out --say, --max-delay and --input-device"
    for arguments in (("--script", "tour"), ("--fault", "reset")):
        sentence = refusal(run("serve", "--replay", "talk.vlrec", *arguments))
        assert sentence == "--replay plays a recording as it is: leave out --script and --fault"


def test_the_input_is_not_overwritten(tmp_path):
    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(b"\1\2" * 100)
    before = path.read_bytes()
    (tmp_path / "link.wav").symlink_to(path)
    sentence = refusal(run("console", "--demo", "--input-device", "file:talk.wav", "--output-device", "file:link.wav"))
    assert sentence == "talk.wav cannot be the input and the output at once: it would be overwritten"
    at_home = "file:~/talk.wav"
    sentence = refusal(
        run("console", "--demo", "--input-device", at_home, "--output-device", at_home, HOME=str(tmp_path))
    )
    assert sentence == "~/talk.wav cannot be the input and the output at once: it would be overwritten"
    assert path.read_bytes() == before


def test_endpoints_that_are_none():
    sentence = refusal(run("console", "--endpoint", f"ftp://host?key={KEY}", "--api-key", KEY))
    assert sentence.startswith("command line: service.endpoint: the endpoint 'ftp://host' is not a URL")
    sentence = refusal(run("console", AZURE_VOICELIVE_ENDPOINT=f"https://me:{KEY}@host"))
    assert sentence.startswith("environment: service.endpoint: the endpoint must not hold a user name or password")
    assert "--endpoint is empty" in refusal(run("console", "--endpoint", "", AZURE_VOICELIVE_API_KEY=KEY))


# --- credentials


@pytest.mark.parametrize("credential", [["--api-key", KEY], ["--use-token-credential"]])
def test_a_credential_without_an_endpoint(credential):
    assert refusal(run("console", *credential)) == (
        "a credential was given, but no endpoint: add --endpoint URL, or --demo for the demo"
    )


def test_an_endpoint_without_a_credential_names_the_three_ways():
    sentence = refusal(run("console", "--endpoint", "https://name.example"))
    for way in ("AZURE_VOICELIVE_API_KEY", "--api-key KEY", "--use-token-credential"):
        assert way in sentence


def test_a_script_is_for_the_demo_and_an_unknown_one_names_those_that_ship():
    there = ["console", "--endpoint", "https://h", "--api-key", KEY]
    assert refusal(run(*there, "--script", "tour")) == "--script is for the demo: add --demo"
    sentence = refusal(run("console", "--demo", "--script", "tuor"))
    assert sentence.startswith("cannot read the script tuor: No such file or directory")
    assert sentence.endswith(
        "(scripts that ship with the program: line-check, long_talker, mcp, slow_agent, tool_call, tools, tour)"
    )


def test_an_agent_takes_no_key_and_is_not_in_the_demo():
    agent = ["--agent", "clerk", "--project", "shop"]
    sentence = refusal(run("console", "--endpoint", "https://h", "--api-key", KEY, *agent))
    assert sentence == "an agent takes no key: --use-token-credential signs in with Entra ID (after `az login`)"
    assert refusal(run("console", *agent)) == "the demo has no agent 'clerk': add --endpoint URL"
    refused = "the demo has no agent 'clerk': give --endpoint URL in place of --demo"
    assert refusal(run("console", "--demo", *agent)) == refused
    sentence = refusal(run("console", "--endpoint", "https://h", "--agent", "clerk"))
    assert sentence == "an agent has a name and a project: give both (--agent NAME --project NAME)"


def test_mcp_servers_on_the_command_line():
    shown = json.loads(
        run("config", "--json", "--mcp", "a=https://a.example/x?y=1;approve=always", "--mcp", "b=http://b").stdout
    )
    servers, source = shown["settings"]["mcp"].values()
    assert [(server["label"], server["url"], server["approve"]) for server in servers] == [
        ("a", "https://a.example/x?y=1", "always"),
        ("b", "http://b", "ask"),
    ]
    assert source == "flag"
    for wrong in ("a", "a=https://x;approved=always", "a=https://x;approve=sometimes", "a=ftp://x"):
        result = run("config", "--mcp", wrong)
        assert result.exit_code == 2
        assert "mcp" in result.stderr


def test_a_variable_with_a_header_of_an_mcp_server_must_be_set(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[[mcp]]\nlabel = "docs"\nurl = "https://d"\nheaders = { Authorization = "DOCS_TOKEN" }\n')
    assert refusal(run("console", "--demo", "--config", str(path))) == (
        "mcp: the environment variable DOCS_TOKEN is not set; 'docs' needs it as Authorization"
    )


def test_two_credentials():
    sentence = refusal(run("console", "--endpoint", "https://h", "--api-key", KEY, "--use-token-credential"))
    assert sentence == "--api-key and --use-token-credential exclude each other"


@pytest.mark.parametrize("endpoint", ["http://name.example", "ws://127.0.0.1.evil.com"])
@pytest.mark.parametrize("credential", [{"AZURE_VOICELIVE_API_KEY": KEY}, {}])
def test_nothing_secret_goes_in_the_clear_to_another_machine(endpoint, credential):
    token = [] if credential else ["--use-token-credential"]
    sentence = refusal(run("console", "--endpoint", endpoint, *token, **credential))
    assert sentence.startswith(f"{endpoint} is not encrypted")


def test_options_may_stand_before_the_command_and_after_it():
    first = run("--endpoint", "http://name.example", "--api-key", KEY, "console")
    after = run("console", "--endpoint", "http://name.example", "--api-key", KEY)
    mixed = run("--api-key", KEY, "--endpoint", "https://other", "console", "--endpoint", "http://name.example")
    assert refusal(first) == refusal(after) == refusal(mixed)
    assert "name.example is not encrypted" in refusal(mixed)


# --- the dashboard and the console, as programs


def test_the_dashboard_needs_a_terminal():
    done = program("--demo")
    assert (done.returncode, done.stdout) == (2, "")
    sentence = "the dashboard needs a terminal, and standard input is none; use: voicelive-tui console"
    assert done.stderr == f"voicelive-tui: {sentence}\n"


DEAD = ["--endpoint", "http://127.0.0.1:1", "--input-device", "none", "--output-device", "none"]


def test_the_console_without_a_service():
    done = program("console", *DEAD, AZURE_VOICELIVE_API_KEY=KEY)
    assert (done.returncode, done.stderr) == (1, "")
    *lines, summary = done.stdout.splitlines()  # among them what the devices are, which may come later
    failed = "failed: no connection to http://127.0.0.1:1 (connection refused): check the endpoint"
    assert failed in [line[10:] for line in lines]
    assert summary.startswith("voicelive-tui: no session; no connection to")
    assert KEY not in done.stdout


def test_a_key_on_the_command_line_works_and_warns(tmp_path):
    done = program("console", *DEAD, "--api-key", KEY, "--json", "--verbose")
    assert done.returncode == 1
    assert done.stderr == (
        "voicelive-tui: a key on the command line can be seen by other users of this machine; "
        "AZURE_VOICELIVE_API_KEY is safer\n"
    )
    assert json.loads(done.stdout.splitlines()[-1])["event"]["type"] == "failed"
    log = (tmp_path / "state" / "voicelive-tui" / "voicelive-tui.log").read_text()
    assert "127.0.0.1" in log
    assert KEY not in log + done.stdout


def test_the_console_without_sound_says_what_to_do():
    done = program("console", "--demo", "--no-caller")
    assert done.returncode == 1
    failed = next(line for line in done.stdout.splitlines() if "failed: " in line)
    assert re.search(r"install|choose|\"none\"|none", failed)
    assert "Traceback" not in done.stdout + done.stderr


def test_an_output_that_knows_no_arrows():
    done = program("console", *DEAD, AZURE_VOICELIVE_API_KEY=KEY, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, "")


# --- check and devices


def test_a_folder_for_recordings_that_cannot_be_made_is_refused_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "folder"
    done = program("console", "--demo", "--record", str(folder))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"voicelive-tui: recording.folder: '{folder}' cannot be made: Not a directory\n"


def test_check_of_the_demo():
    done = program("check", "--input-device", "none", "--output-device", "none")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=2)[:2] for line in done.stdout.splitlines()]
    assert lines == [
        ["config", "ok"],
        ["terminal", "warning"],
        ["input", "ok"],
        ["output", "ok"],
        ["credential", "ok"],
        ["endpoint", "ok"],
    ]


def test_check_without_sound_is_a_warning():
    done = program("check", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    results = {result["check"]: result for result in json.loads(done.stdout)}
    assert list(results) == ["config", "terminal", "input", "output", "credential", "endpoint"]
    assert all(set(result) == {"check", "ok", "warning", "text"} for result in results.values())
    assert all(result["ok"] for result in results.values())
    assert results["input"]["warning"]
    assert results["output"]["warning"]
    assert not results["endpoint"]["warning"]


async def test_check_of_an_endpoint():
    async with LoopbackService(api_key=KEY) as service:
        arguments = ["check", "--endpoint", service.endpoint, "--json"]
        good = await asyncio.to_thread(program, *arguments, AZURE_VOICELIVE_API_KEY=KEY)
        bad = await asyncio.to_thread(program, *arguments, AZURE_VOICELIVE_API_KEY="wrong")
    assert (good.returncode, good.stderr) == (0, "")
    assert "session created after" in json.loads(good.stdout)[-1]["text"]
    assert (bad.returncode, bad.stderr) == (1, "")
    last = json.loads(bad.stdout)[-1]
    assert (last["check"], last["ok"]) == ("endpoint", False)
    assert "HTTP 401" in last["text"]


def test_check_warns_of_a_key_on_the_command_line():
    done = program("check", *DEAD, "--api-key", KEY, "--input-device", "none", "--output-device", "none")
    assert done.returncode == 1
    assert "can be seen by other users" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_check_of_a_bad_configuration(tmp_path):
    (tmp_path / "bad.toml").write_text("[sesion]\n")
    result = run("check", "--config", "bad.toml")
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    assert line.startswith("config     FAILED   bad.toml: unknown key sesion")


def test_devices_without_any():
    done = program("devices", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    for device in json.loads(done.stdout):  # a machine may have some after all
        assert {"index", "name", "inputs", "outputs", "default_input", "default_output"} <= set(device)
    table = program("devices")
    assert (table.returncode, table.stderr) == (0, "")
    assert "name" in table.stdout


def test_devices_without_the_library(tmp_path):
    """As on a machine without libportaudio2: the import of sounddevice fails as it does there."""
    (tmp_path / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n')
    done = program("devices", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("voicelive-tui: ")
    assert "libportaudio2" in line


# --- surroundings that are not as usual


def test_a_file_for_tls_keys_that_cannot_be_written_is_left_out():
    done = program("check", "--demo", SSLKEYLOGFILE="/nowhere/keys")
    assert done.returncode == 0
    assert done.stderr == (
        "voicelive-tui: SSLKEYLOGFILE: /nowhere/keys cannot be written (No such file or directory): "
        "no TLS keys are logged\n"
    )


def test_no_log_file_is_needed(tmp_path):
    done = program("check", "--demo", "--log-file", "/dev/null")
    assert (done.returncode, done.stderr) == (0, "")
    done = program("check", "--demo", XDG_STATE_HOME="/dev/null")
    assert done.returncode == 0
    assert "nothing is logged" in done.stderr


@pytest.mark.parametrize(
    ("configuration", "arguments", "says"),
    [
        ('[keys]\nnonsense = "q"', [], "keys.nonsense: there is no such binding"),
        ('[ui]\ntheme = "none such"', [], "ui.theme: there is no theme 'none such'"),
        ("", ["--api-key", KEY, "--use-token-credential"], "--api-key and --use-token-credential exclude each other"),
    ],
)
def test_check_refuses_what_the_dashboard_refuses(tmp_path, configuration, arguments, says):
    (tmp_path / "c.toml").write_text(configuration)
    result = run("check", "--demo", "--config", "c.toml", *arguments)
    assert result.exit_code == 1
    assert result.stdout.startswith("config     FAILED   ")
    assert says in result.stdout


def test_adjusted_settings_are_reported(tmp_path):
    result = program("check", "--endpoint", "http://127.0.0.1:1/voice-live/realtime?model=gpt-4.1", "--api-key", KEY)
    assert "voicelive-tui: session.model = 'gpt-4.1' is taken from the endpoint's query" in result.stderr.splitlines()


def test_several_inputs_must_be_files():
    sentence = refusal(run("console", "--demo", "--input-device", "none", "--input-device", "file:a.wav"))
    assert sentence == "--input-device: 'none' cannot be one of several, they must all be file:PATH"
    assert "cannot read" in refusal(run("console", "--demo", "--say", "x", "--input-device", "file:gone.wav"))
    assert refusal(run("console", "--demo", "--say", " ")) == "--say: the text is empty"


def test_names_of_files_do_not_move_the_terminal():
    sentence = refusal(run("--config", "no\x1b[2Jwhere.toml", "console", "--demo"))
    assert sentence.isprintable()


@pytest.mark.parametrize(("arguments", "reconnect"), [([], None), (["--no-reconnect"], False)])
def test_an_option_that_switches_something_off_reaches_the_settings(monkeypatch, arguments, reconnect):
    seen = []
    monkeypatch.setattr("voicelive_tui.commands.check.run", lambda options, **_: seen.append(options) or 0)
    run(*arguments, "check")
    run("check", *arguments)
    assert [options.flags.get("service.reconnect") for options in seen] == [reconnect] * 2
    assert not any(options.demo or options.verbose for options in seen)
    assert all(options.caller for options in seen)


def test_the_name_of_a_script_does_not_move_the_terminal(tmp_path):
    (tmp_path / "a\x1b[2J.toml").write_text("")
    result = run("serve", "--script", "a\x1b[2J.toml", "--check")
    assert result.exit_code == 0
    assert result.stdout.rstrip("\n").isprintable()
