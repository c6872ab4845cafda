import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voicelive_tui import config, config_load
from voicelive_tui.config import ConfigError, Settings
from voicelive_tui.config_load import Loaded, profile_names
from voicelive_tui.tables import values_of

SECRET = "sk-7f3a-not-for-your-eyes"


@pytest.fixture(autouse=True)
def no_file_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setattr(config_load, "default_path", lambda: tmp_path / "user" / "config.toml")


def written(tmp_path, text: str | bytes) -> Path:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def load(*arguments: Any, **options: Any) -> Settings:
    return config_load.load(*arguments, **options).settings


def refusal(path=None, flags=None, environment=None) -> str:
    """The sentence that a user gets; it is one, and tells no secret."""
    with pytest.raises(ConfigError) as caught:
        load(path, flags, environment or {})
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert SECRET not in sentence
    assert caught.value.__cause__ is None  # nothing that a traceback would show beside it
    return sentence


# --- precedence


def test_nothing_given_gives_the_defaults():
    assert load(environment={}) == Settings()


def test_flags_beat_the_environment_that_beats_the_file_that_beats_the_defaults(tmp_path):
    path = written(
        tmp_path, '[session]\nmodel = "file"\nvoice = "file"\ninstructions = "file"\n[audio]\nchunk_ms = 60\n'
    )
    environment = {"AZURE_VOICELIVE_MODEL": "environment", "AZURE_VOICELIVE_VOICE": "environment"}
    settings = load(path, {"session.model": "flag"}, environment)
    assert settings.session.model == "flag"
    assert settings.session.voice == "environment"
    assert settings.session.instructions == "file"
    assert settings.audio.chunk_ms == 60
    assert settings.audio.output_latency == "low"


@pytest.mark.parametrize(("variable", "key"), config_load.ENVIRONMENT.items())
def test_each_variable_sets_its_key(variable, key):
    value = "https://here.example" if key == "service.endpoint" else "something"
    section, name = key.split(".")
    assert getattr(getattr(load(environment={variable: value}), section), name) == value


def test_an_empty_variable_is_as_good_as_none(tmp_path):
    path = written(tmp_path, '[session]\nmodel = "file"\n')
    assert load(path, environment={"AZURE_VOICELIVE_MODEL": ""}).session.model == "file"


def test_a_flag_reaches_nested_sections_and_leaves_their_siblings():
    settings = load(flags={"session.turn_detection.type": "none"}, environment={})
    assert settings.session.turn_detection.type == "none"
    assert settings.session.turn_detection.threshold == 0.5


A = 'label = "a"\nurl = "https://x"\n'


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ('label = "a"', "mcp[0]: object missing required field url"),
        ('url = "https://x"', "mcp[0]: object missing required field label"),
        ('label = "a"\nurl = "ftp://x"', "mcp: the URL 'ftp://x' of 'a': expected http or https, a host"),
        ('label = "a"\nurl = "https://[x"', "mcp: the URL 'https://[x' of 'a': expected http or https, a host"),
        ('label = "a"\nurl = "https://:80"', "mcp: the URL 'https://:80' of 'a': expected http or https, a host"),
        (f'label = "a"\nurl = "https://me:{SECRET}@x"', "mcp: the URL '...@x' of 'a': expected http or https"),
        (A + 'approve = "yes"', "mcp[0].approve: expected 'always', 'ask', 'never'"),
        (A + 'approve = { s = "yes" }', "mcp[0].approve.s: expected 'always', 'ask', 'never'"),
        (A + 'require_approval = { x = [] }', "mcp[0].require_approval: expected 'always', "),
        (A + 'headers = { A = 1 }', "mcp[0].headers.A: expected str, got int"),
        (A + 'kind = 1', "unknown key mcp[0].kind (known here: label, url, "),
        (A + '[[mcp]]\nlabel = "a"\nurl = "https://y"', "mcp: two servers have the label 'a'"),
    ],
)  # fmt: skip
def test_a_bad_mcp_server(tmp_path, server, says):
    assert says in refusal(written(tmp_path, f"[[mcp]]\n{server}\n"))


def test_the_users_own_file_is_read_if_it_is_there():
    path = config_load.default_path()
    path.parent.mkdir()
    path.write_text('[ui]\ntheme = "nord"\n')
    assert load(environment={}).ui.theme == "nord"


def test_the_users_own_file_must_be_good_if_it_is_there():
    path = config_load.default_path()
    path.parent.mkdir()
    path.write_text("theme = 1\n")
    assert str(path) in refusal()
    path.unlink()
    path.mkdir()
    assert "cannot be read" in refusal()


def test_the_default_path_is_in_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_load.default_path() == tmp_path / "voicelive-tui" / "config.toml"


# --- bad files, keys and values


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = \n", "not valid TOML"),
        (b"\xff\xfe\x00", "not a text file in UTF-8"),
        ("a = " + "9" * 5000, "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
        (
            "[sesion]\n",
            f"unknown key sesion (known here: {', '.join(Settings.__struct_fields__)}, profiles)",
        ),
        ('model = "x"\n', "unknown key model"),
        ('[session]\nmodle = "x"\n', "unknown key session.modle (known here: model, voice, "),
        ("[session.turn_detection]\nsilence = 1\n", "unknown key session.turn_detection.silence (known here: type, "),
        ("[session]\nmodel = 5\n", "session.model: expected str, got int"),
        ('[session]\nmodel = ""\n', "session.model: expected str of length >= 1"),
        ("session = 5\n", "session: expected object, got int"),
        ('[session]\nmodalities = ["smell"]\n', "session.modalities[0]: expected 'audio', 'text'"),
        ("[session]\nmodalities = []\n", "session.modalities: expected array of length >= 1"),
        ('[session.turn_detection]\ntype = "vad"\n', "session.turn_detection.type: expected "),
        ("[session.turn_detection]\nthreshold = 1.5\n", "session.turn_detection.threshold: expected float <= 1.0"),
        ("[session.turn_detection]\nthreshold = nan\n", "session.turn_detection.threshold: expected float"),
        ("[session.turn_detection]\nsilence_duration_ms = -1\n", "silence_duration_ms: expected int >= 0"),
        ('[audio]\noutput_latency = "high"\n', "audio.output_latency: expected 'low' or a number"),
        ("[audio]\noutput_latency = 2\n", "audio.output_latency: expected float <= 1.0"),
        ("[audio]\nchunk_ms = 5\n", "audio.chunk_ms: expected int >= 20"),
        ("[audio]\nhalf_duplex = 1\n", "audio.half_duplex: expected bool, got int"),
        ("[ui]\nslow_delays = [1.5]\n", "ui.slow_delays: expected array of length 2"),
        ("[ui]\nslow_delays = [0, 3]\n", "ui.slow_delays[0]: expected float > 0"),
        ("[ui]\nslow_delays = [3, 1]\n", "ui: expected the shorter one of slow_delays first"),
        ('[logging]\nlevel = "loud"\n', "logging.level: expected 'debug', 'error', 'info', 'warning'"),
        ('[logging.levels]\nazure = "loud"\n', "logging.levels.azure: expected 'debug', "),
        ("[keys]\nmute = 2\n", "keys.mute: expected str, got int"),
        (f"[service]\napi_key = [{SECRET!r}]\n", "service.api_key: expected str, got array"),
        (f'[service]\nendpoint = "ftp://host?key={SECRET}"\n', "service.endpoint: the endpoint 'ftp://host' is not"),
        (f'[service]\nendpoint = "https://me:{SECRET}@host"\n', "must not hold a user name or password"),
    ],
)
def test_a_bad_file_is_reported_with_its_name_the_key_and_the_expected_value(tmp_path, text, says):
    path = written(tmp_path, text)
    sentence = refusal(path)
    assert sentence.startswith(f"{path}: ")
    assert says in sentence


def test_a_file_that_the_user_names_must_exist(tmp_path):
    assert refusal(tmp_path / "nowhere.toml").endswith("nowhere.toml: cannot be read: No such file or directory")
    assert "Is a directory" in refusal(tmp_path)


def test_a_bad_flag_is_told_as_one():
    assert refusal(flags={"session.model": ""}).startswith("command line: session.model: expected")


def test_a_key_is_one_line_of_text():
    assert load(environment={"AZURE_VOICELIVE_API_KEY": f" {SECRET}\n"}).service.api_key == SECRET
    sentence = refusal(environment={"AZURE_VOICELIVE_API_KEY": f"{SECRET}\nand more"})
    assert sentence == "environment: service.api_key: expected printable characters only"


def test_a_bad_variable_is_told_as_one():
    sentence = refusal(environment={"AZURE_VOICELIVE_ENDPOINT": f"https://{SECRET}:{SECRET}"})
    assert sentence.startswith("environment: service.endpoint: ")


# --- instructions from a file


def test_instructions_are_read_from_a_file(tmp_path):
    (tmp_path / "words.txt").write_text("  Sei höflich.\n", encoding="utf-8")
    assert load(flags={"session.instructions": f"@{tmp_path}/words.txt"}, environment={}).session.instructions == (
        "Sei höflich."
    )


def test_instructions_from_a_file_in_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "words.txt").write_text("@home")  # what the file says is not a file's name again
    settings = load(environment={"AZURE_VOICELIVE_INSTRUCTIONS": "@~/words.txt"})
    assert settings.session.instructions == "@home"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("@nowhere.txt", "No such file or directory"),
        ("@", "Is a directory"),
        ("@.", "Is a directory"),
        ("@bad.txt", "not a text file in UTF-8"),
        ("@a\0b", "null"),
        ("@~no-such-user-here/x", "home directory"),
        ("@" + "x" * 5000, "too long"),
    ],
)
def test_instructions_from_a_file_that_cannot_be_read(tmp_path, monkeypatch, name, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_bytes(b"\xff\xff")
    sentence = refusal(flags={"session.instructions": name})
    assert sentence.startswith("session.instructions: ")
    assert says in sentence


# --- anything at all


def outcome(call: Callable[[], Any]) -> tuple[Any, str]:
    """What a call returns, or the sentence of its `ConfigError`; anything else that it raises fails the test."""
    try:
        return call(), ""
    except ConfigError as problem:
        return None, str(problem)


toml_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def known_trees(kind: Any = Settings) -> st.SearchStrategy[Any]:
    """Trees that have the names of the real settings and anything at all as their values."""
    fields = {
        field.name: toml_values
        if not isinstance(field.type, type) or not issubclass(field.type, msgspec.Struct)
        else known_trees(field.type) | toml_values
        for field in msgspec.structs.fields(kind)
    }
    return st.fixed_dictionaries({}, optional=fields)


@given(known_trees() | st.dictionaries(st.text(max_size=8), toml_values, max_size=3))
def test_any_tree_gives_settings_or_a_sentence(tree):
    settings, sentence = outcome(lambda: config_load._convert(tree, "FILE"))
    if sentence:
        assert sentence.startswith("FILE: ")
        assert "`" not in sentence
    else:
        assert isinstance(settings, Settings)
        assert repr(settings)


@given(st.binary(max_size=60) | st.text(alphabet='[]={}"\n.#ab1-: ', max_size=60).map(str.encode))
@example(b"a = 1e999999")
@example(b"a = 9999-99-99")
def test_any_file_gives_settings_or_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.toml"
    path.write_bytes(content)
    settings, sentence = outcome(lambda: load(path, environment={}))
    assert isinstance(settings, Settings) or sentence.startswith((f"{path}: ", "session.instructions: "))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_every_editor_are_read(tmp_path, encoding):
    path = tmp_path / "config.toml"
    path.write_bytes('[session]\r\nmodel = "gpt-4.1"\r\nvoice = "é"\r\n'.encode(encoding))
    settings = load(path, environment={})
    assert (settings.session.model, settings.session.voice) == ("gpt-4.1", "é")


def test_a_pipe_as_the_file_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('[session]\nmodel = "gpt-4.1"\n',))
    writer.start()
    assert load(pipe, environment={}).session.model == "gpt-4.1"
    writer.join()


@pytest.mark.parametrize("around", ["{}\r\n", " {} ", '"{}"', "'{}'\n", '" {} "'])
def test_what_copying_brings_along_is_left_out(around):
    values = {
        "AZURE_VOICELIVE_ENDPOINT": "https://here.example",
        "AZURE_VOICELIVE_API_KEY": SECRET,
        "AZURE_VOICELIVE_MODEL": "gpt-realtime-mini",
        "AZURE_VOICELIVE_VOICE": "alloy",
    }
    settings = load(environment={name: around.format(value) for name, value in values.items()})
    found = (settings.service.endpoint, settings.service.api_key, settings.session.model, settings.session.voice)
    assert found == tuple(values.values())


@pytest.mark.parametrize("name", ["AZURE_VOICELIVE_MODEL", "AZURE_VOICELIVE_VOICE", "AZURE_VOICELIVE_API_KEY"])
def test_control_characters_within_a_value_are_refused(name):
    with pytest.raises(ConfigError, match="expected printable characters only"):
        load(environment={name: "a\rb"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[keys]\ntalk = 't'\nmute = 5\n", "keys.mute: expected str, got int"),
        ("[logging.levels]\nazure = 'info'\nmsal = 'loud'\n", "logging.levels.msal: "),
    ],
)
def test_an_error_in_a_table_names_the_entry(tmp_path, text, says):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, environment={})
    assert says in str(caught.value)
    assert "[...]" not in str(caught.value)


PASTED = "https://here.example/voice-live/realtime?api-version=2025-10-01&model=gpt-4.1&profile=x"


def test_the_query_of_a_pasted_url_is_used_and_reported():
    told = []
    settings = load(flags={"service.endpoint": PASTED}, environment={}, report=told.append)
    assert settings.service.endpoint == "https://here.example?profile=x"
    assert (settings.session.model, settings.service.api_version) == ("gpt-4.1", "2025-10-01")
    assert told == [
        "service.api_version = '2025-10-01' is taken from the endpoint's query",
        "session.model = 'gpt-4.1' is taken from the endpoint's query",
    ]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"session.model": "gpt-5"}, "the endpoint's query says model='gpt-4.1', but session.model is 'gpt-5'"),
        ({"service.api_version": "2026-04-10"}, "the endpoint's query says api-version='2025-10-01'"),
    ],
)
def test_a_pasted_url_that_contradicts_the_settings_is_refused(flags, says):
    with pytest.raises(ConfigError, match=re.escape(says)):
        load(flags={"service.endpoint": PASTED, **flags}, environment={})


def test_a_key_in_the_query_is_refused_without_showing_it():
    with pytest.raises(ConfigError, match="must not hold a key") as caught:
        load(flags={"service.endpoint": f"https://here.example?api-key={SECRET}"}, environment={})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("/api/projects/mine", "/api/projects/mine"),
        ("/api/projects/mine/agents/a", "/api/projects/mine/agents/a"),
        ("/openai/v1/", "/openai/v1"),
        ("/openai/realtime", "/openai/realtime"),
        ("/gateway/openai/v1", "/openai/v1"),
        ("/gateway", ""),
    ],
)
def test_addresses_of_projects_and_of_azure_openai_lead_to_their_resource(path, left_out):
    told = []
    settings = load(flags={"service.endpoint": f"https://here.example{path}"}, environment={}, report=told.append)
    assert settings.service.endpoint == "https://here.example" + ("/gateway" if "gateway" in path else "")
    assert told == ([f"of the endpoint's path only the resource is used; left out: {left_out}"] if left_out else [])


# --- profiles


PROFILES = """
[session]
voice = "file"
[profiles.quiet.session]
voice = "quiet"
turn_detection.silence_duration_ms = 800
[profiles."loud voice"]
keys.mute = "f2"
ui.theme = "nord"
service.endpoint = "https://loud.example?model=gpt-4.1"
"""


def with_profile(tmp_path, name: str, environment=None, **flags: Any) -> Loaded:
    path = written(tmp_path, PROFILES)
    given = {key.replace("__", "."): value for key, value in flags.items()}
    return config_load.load(path, given, environment or {}, profile=name)


def test_a_profile_overrides_any_section_and_leaves_its_siblings(tmp_path):
    quiet = with_profile(tmp_path, "quiet").settings.session
    assert quiet.voice == "quiet"
    assert (quiet.turn_detection.silence_duration_ms, quiet.turn_detection.threshold) == (800, 0.5)
    path = written(tmp_path, "[profiles.loud]\nui.theme = 'nord'\nkeys.mute = 'f2'\naudio.chunk_ms = 60\n")
    loud = config_load.load(path, environment={}, profile="loud").settings
    assert (loud.ui.theme, loud.keys, loud.audio.chunk_ms) == ("nord", {"mute": "f2"}, 60)


def test_without_a_profile_those_in_the_file_change_nothing(tmp_path):
    loaded = with_profile(tmp_path, "")
    assert loaded.settings == Settings(session=config.Session(voice="file"))
    assert (loaded.profiles, loaded.profile) == (("quiet", "loud voice"), "")


def test_the_environment_and_flags_beat_a_profile(tmp_path):
    environment = {"AZURE_VOICELIVE_VOICE": "environment"}
    assert with_profile(tmp_path, "quiet", environment).settings.session.voice == "environment"
    assert with_profile(tmp_path, "quiet", environment, session__voice="flag").settings.session.voice == "flag"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PROFILES, "there is no profile 'x' (known here: quiet, loud voice)"),
        ("", "there is no profile 'x' (known here: none)"),
        ("profiles = 5\n", "profiles: expected tables such as [profiles.NAME]"),
        ("[profiles]\nx = 5\n", "profiles.x: expected a table"),
        ("[profiles.x.session]\nmodle = 'y'\n", "profile 'x': unknown key session.modle (known here: model, "),
        ("[profiles.x.profiles.y]\n", "profile 'x': unknown key profiles (known here: service, "),
        ("[profiles.other.audio]\nchunk_ms = 5\n", "profile 'other': audio.chunk_ms: expected int >= 20"),
        (f"[profiles.x.service]\napi_key = [{SECRET!r}]\n", "profile 'x': service.api_key: expected str, got array"),
    ],
)
def test_a_bad_profile_is_named(tmp_path, text, says):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config_load.load(path, environment={}, profile="x")
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: {says}")
    assert SECRET not in sentence


def test_each_source_is_named(tmp_path):
    environment = {"AZURE_VOICELIVE_INSTRUCTIONS": "hello"}
    loaded = with_profile(tmp_path, "loud voice", environment, audio__chunk_ms=20)
    assert loaded.sources == {
        "session.model": "profile loud voice, in the endpoint's query",
        "session.voice": "file",
        "session.instructions": "environment AZURE_VOICELIVE_INSTRUCTIONS",
        "keys.mute": "profile loud voice",
        "ui.theme": "profile loud voice",
        "service.endpoint": "profile loud voice",
        "audio.chunk_ms": "flag",
    }
    assert set(loaded.sources) <= dict(values_of(msgspec.to_builtins(loaded.settings))).keys()


@pytest.mark.parametrize(
    ("text", "names"), [(PROFILES, ["quiet", "loud voice"]), ("profiles = 5", []), ("not toml", []), (None, [])]
)
def test_the_names_for_the_completion_come_from_any_file(tmp_path, text, names):
    path = tmp_path / "none.toml" if text is None else written(tmp_path, text)
    assert profile_names(path) == names
