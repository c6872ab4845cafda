import ast
import asyncio
import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.loopback.lab import Lab
from voicelive_tui import config_load
from voicelive_tui.config import Session
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session.code import FORMATS, as_json, as_python, as_toml, settable
from voicelive_tui.session.request import session_request
from voicelive_tui.session.state import Connection, SessionState
from voicelive_tui.text import HIDDEN

SECRET = "sk-7f3a-not-for-your-eyes"


def in_force(model: str = "gpt-realtime", **asked: Any) -> SessionState:
    """A session as the loopback service confirms it."""
    session = next(e["session"] for e in Lab(model, **asked).events if e["type"] == "session.updated")
    return SessionState(Connection(model=model, api_version="2026-07-15", credential="API key"), in_force=session)


STATES = [
    in_force(**session_request(Session())),
    in_force("gpt-4.1", **session_request(Session(model="gpt-4.1", temperature=0.7, tool_choice="get_weather"))),
    in_force(instructions='"""\n\\ {braces} é', turn_detection=None, voice={"type": "openai", "name": "alloy"}),
    in_force("gpt-4.1", turn_detection={"type": "azure_semantic_vad", "languages": ["de"], "silence_duration_ms": 800}),
    in_force(tools=[{"type": "function", "name": "f", "parameters": {"properties": {"a": {"default": None}}}}]),
]


@pytest.mark.parametrize("state", STATES)
def test_json_is_the_update_without_what_the_service_only_reports(state):
    event = json.loads(as_json(state))
    assert event["type"] == "session.update"
    session = event["session"]
    assert not {"id", "object", "model", "expires_at"} & session.keys()
    for name, value in session.items():
        assert value == state.in_force[name] or isinstance(value, dict) or name == "modalities"
    assert session["turn_detection"] is None or None not in session["turn_detection"].values()
    assert session["turn_detection"] or state.in_force["turn_detection"] is None


@pytest.mark.parametrize("state", STATES)
def test_the_service_takes_the_update_and_confirms_the_same_session(state):
    lab = Lab(state.connection.model)
    lab.raw(as_json(state))
    confirmed = [event["session"] for event in lab.events if event["type"] == "session.updated"]
    assert len(confirmed) == 1
    told = SessionState(state.connection, in_force=confirmed[0])
    assert settable(told) == settable(state)


class EnoughError(Exception):
    """The program has printed what the test waited for."""


@pytest.mark.parametrize("state", STATES)
async def test_the_python_program_opens_the_same_session(monkeypatch, state):
    events = []
    async with LoopbackService(api_key=SECRET, on_client_event=lambda _, event: events.append(event)) as service:
        monkeypatch.setenv("AZURE_VOICELIVE_ENDPOINT", service.endpoint)
        monkeypatch.setenv("AZURE_VOICELIVE_API_KEY", SECRET)
        printed = []

        def note(kind: str) -> None:
            printed.append(kind)
            if kind == "session.updated" or len(printed) > 5:
                raise EnoughError

        program = compile(as_python(state), "copied.py", "exec")

        def run() -> None:
            with contextlib.suppress(EnoughError):
                exec(program, {"print": note, "__name__": "__main__"})

        await asyncio.to_thread(run)
    assert printed == ["session.created", "session.updated"]
    (update,) = events
    assert update["session"] == settable(state)


def test_the_python_program_signs_in_as_the_session_did():
    state = SessionState(Connection(credential="Entra ID token"))
    names = {name.id for name in ast.walk(ast.parse(as_python(state))) if isinstance(name, ast.Name)}
    assert "DefaultAzureCredential" in names
    assert "AzureKeyCredential" not in names


def test_a_session_with_an_agent_names_it_and_gives_no_instructions(tmp_path_factory):
    state = SessionState(Connection(agent="helper", credential="Entra ID token"), in_force={"instructions": "its own"})
    program = ast.parse(as_python(state))
    call = next(n for n in ast.walk(program) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "connect")
    arguments = {each.arg: each.value for each in call.keywords}
    assert arguments["agent_name"].value == "helper"
    assert "project_name" in arguments
    assert "model" not in arguments
    assert "its own" not in as_json(state)
    path = tmp_path_factory.getbasetemp() / "agent.toml"
    path.write_text(as_toml(state))
    assert config_load.load(path, environment={}).settings.agent.name == "helper"


def loaded(tmp_path_factory, toml: str) -> Session:
    path = tmp_path_factory.getbasetemp() / "copied.toml"
    path.write_text(toml, encoding="utf-8")
    return config_load.load(path, environment={}).settings.session


@pytest.mark.parametrize("state", STATES)
def test_toml_is_read_as_settings_that_ask_for_the_same_session(tmp_path_factory, state):
    toml = as_toml(state)
    settings = loaded(tmp_path_factory, toml)
    assert settings.model == state.connection.model
    asked = session_request(settings)
    for name, value in settable(state).items():
        if f"# no setting for {name}" not in toml and value:
            assert asked[name] == value


def test_toml_names_what_has_no_setting(tmp_path_factory):
    voice = {"type": "azure-custom", "name": "mine-1", "endpoint_id": "e\x1b[2J" + "x" * 200}
    state = SessionState(Connection(model="gpt-4.1"), in_force={"voice": voice, "metadata": {}, "temperature": 9})
    toml = as_toml(state)
    assert "# no setting for voice.type = " in toml
    assert "# no setting for voice.endpoint_id = " in toml
    assert "# no setting for temperature = 9\n" in toml
    assert "metadata" not in toml
    assert "\x1b" not in toml
    assert max(map(len, toml.splitlines())) < 150
    assert loaded(tmp_path_factory, toml).voice == "mine-1"


def test_instructions_that_begin_like_a_files_name_stay_instructions(tmp_path_factory):
    state = SessionState(in_force={"instructions": "@nowhere.txt"})
    assert loaded(tmp_path_factory, as_toml(state)).instructions == " @nowhere.txt"


def test_before_the_session_is_confirmed_the_wanted_one_is_copied():
    assert json.loads(as_json(SessionState(wanted={"temperature": 0.7})))["session"] == {"temperature": 0.7}


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_shows_a_secret(name):
    server = {"type": "mcp", "server_label": "x", "authorization": SECRET, "headers": {"x-my-key": SECRET}}
    url = {"server_url": f"https://x.example/?sig={SECRET}"}
    state = SessionState(in_force={"tools": [server | url], "client_secret": {"value": SECRET}})
    copied = FORMATS[name](state)
    assert SECRET not in copied
    assert name == "TOML" or HIDDEN in copied


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*session_request(Session()), "tools", "tool_choice", "temperature", "metadata", "audio"])


@given(st.dictionaries(fields | st.text(), json_values, max_size=8))
@example({"voice": "\b"})
@example({"instructions": "@"})
def test_any_session_can_be_copied(tmp_path_factory, session):
    state = SessionState(in_force=session)
    assert json.loads(as_json(state))["session"] == settable(state)
    tree = ast.parse(as_python(state))
    (value,) = (node.value for node in tree.body if isinstance(node, ast.Assign))
    assert ast.literal_eval(value) == settable(state)
    loaded(tmp_path_factory, as_toml(state))
