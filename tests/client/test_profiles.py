import asyncio
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conversing import Mouth, conversation, until
from voicelive_tui import config_load
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.profiles import Choice, Profiles
from voicelive_tui.config import Audio, BargeIn, ConfigError, Service, Session, Settings
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session import inputs
from voicelive_tui.session.request import session_request
from voicelive_tui.session.state import SessionState, Stage

SECRET = "sk-7f3a-not-for-your-eyes"
FILE = f"""\
[service]
api_key = "{SECRET}"
[session]
voice = "alloy"
[profiles.quiet]
session.turn_detection.silence_duration_ms = 800
session.model = "gpt-4.1"
audio.chunk_ms = 60
ui.theme = "nord"
service.api_key = "another-key-of-mine"
"""


def profiles_of(path: Path, profile: str = "", **flags: Any) -> Profiles:
    given = {key.replace("__", "."): value for key, value in flags.items()}

    def load(name: str) -> Choice:
        loaded = config_load.load(path, given, {}, profile=name)
        return Choice(loaded.settings, False, loaded.overridden)

    return Profiles(path, load, load(profile).settings)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return path


# --- switching


def test_a_switch_lists_the_settings_that_need_a_restart(path):
    profiles = profiles_of(path, session__model="gpt-realtime")
    assert profiles.names() == ["quiet"]
    choice, after_restart = profiles.switch("quiet")
    assert choice.settings.session.turn_detection.silence_duration_ms == 800
    assert choice.overridden == ("session.model",)
    assert after_restart == ["audio.chunk_ms"]
    choice, after_restart = profiles.switch("")
    assert choice.settings.session.turn_detection.silence_duration_ms == 500
    assert after_restart == []  # it has been 40 ms all the time


TOOLS = """
[profiles.tools]
session.modalities = ["text"]
session.input_audio_transcription.phrase_list = ["Contoso"]
tools.functions.add.policy = "ask"
tools.timeout = 5.0
[[profiles.tools.mcp]]
label = "docs"
url = "https://docs.example"
headers = { Authorization = "DOCS_AUTHORIZATION" }
"""


def test_tools_and_servers_of_a_profile_need_no_restart(path):
    path.write_text(TOOLS)
    assert profiles_of(path).switch("tools")[1] == ["tools.timeout"]


def test_a_saved_profile_has_its_lists_and_its_mcp_servers(path):
    path.write_text(TOOLS)
    profiles = profiles_of(path, "tools")
    assert profiles.save("mine", SessionState(wanted=session_request(profiles.settings.session))) == []
    assert profiles_of(path, "mine").settings == profiles.settings


def test_a_list_that_looks_like_a_secret_is_left_out(path):
    path.write_text(TOOLS.replace("Contoso", "Bearer 0123456789abcdef0123"))
    profiles = profiles_of(path, "tools")
    left_out = profiles.save("mine", SessionState(wanted=session_request(profiles.settings.session)))
    assert left_out == ["session.input_audio_transcription.phrase_list"]


def test_a_profile_that_is_gone_or_bad_leaves_the_settings(path):
    profiles = profiles_of(path)
    before = profiles.settings
    path.write_text("")
    with pytest.raises(ConfigError, match="there is no profile 'quiet'"):
        profiles.switch("quiet")
    assert profiles.settings is before
    assert profiles.names() == []


# --- saving


def saved(path: Path, name: str) -> dict[str, Any]:
    return tomllib.loads(path.read_text())["profiles"][name]


def test_a_profile_has_what_differs_from_the_rest_of_the_file_and_never_a_key(path):
    flags = {"service__insecure": True, "logging__level": "debug", "audio__input_device": 3}
    profiles = profiles_of(path, "quiet", **flags)
    wanted = session_request(profiles.settings.session) | {"temperature": 0.7}
    state = SessionState(wanted=wanted, barge_in=BargeIn(clear=True))
    assert profiles.save("mine", state) == []
    assert saved(path, "mine") == {
        "session": {
            "model": "gpt-4.1",
            "temperature": 0.7,
            "turn_detection": {"silence_duration_ms": 800},
            "barge_in": {"clear": True},
        },
        "audio": {"input_device": 3, "chunk_ms": 60},
        "ui": {"theme": "nord"},
    }
    assert path.read_text().startswith(FILE)
    again = config_load.load(path, environment={}, profile="mine").settings
    assert session_request(again.session) == wanted


def test_values_that_look_like_secrets_are_left_out_and_named(path):
    profiles = profiles_of(path, service__endpoint=f"https://x.example?sig={SECRET}x")
    wanted = session_request(profiles.settings.session) | {"instructions": f"api_key: {SECRET}x", "temperature": 0.7}
    assert profiles.save("mine", SessionState(wanted=wanted)) == ["service.endpoint", "session.instructions"]
    assert saved(path, "mine") == {"session": {"temperature": 0.7}}


def test_a_switch_and_a_save_under_the_same_name_change_nothing(path):
    profiles = profiles_of(path)
    profiles.switch("quiet")
    profiles.save("quiet", SessionState(wanted=session_request(profiles.settings.session)))
    assert path.read_text() == FILE.replace('service.api_key = "another-key-of-mine"\n', "")


# --- the session that runs


def with_voice(service: LoopbackService, voice: str, model: str) -> Settings:
    session = Session(voice=voice, model=model)
    return Settings(service=Service(endpoint=service.endpoint, api_key="other"), session=session)


async def test_other_settings_lead_to_another_service_with_the_next_session() -> None:
    async with conversation(temperature=0.7) as (live, _, recorder), LoopbackService(api_key="other") as other:
        await until(lambda: live.state.connection.stage is Stage.READY)
        live.apply(inputs.SessionEdited({"instructions": "an edit"}))
        first = live.state.connection
        await live.change_settings(with_voice(other, "ash", "gpt-realtime-mini"), "profile x", demo=False)
        assert live.state.connection == first  # it goes on until the reset
        live.apply(inputs.ResetPressed())
        await until(lambda: live.state.connection.model == "gpt-realtime-mini")
        await until(lambda: live.state.connection.stage is Stage.READY)
        assert live.state.connection.endpoint == other.endpoint
        assert live.state.in_force["voice"]["name"] == "ash"
        update = recorder.events("session.update")[-1][1]["session"]
        assert update == session_request(Session(voice="ash", model="gpt-realtime-mini"))


@asynccontextmanager
async def a_demo(source: Mouth | None = None):
    audio = Audio(input_device="none", output_device="none")
    live = LiveSession(Settings(audio=audio), demo=True, caller=False, source=source)
    running = asyncio.create_task(live.run())
    await until(lambda: live.state.connection.stage is Stage.READY)
    try:
        yield live
    finally:
        await live.close()
        await running


async def test_a_demo_can_be_left_and_entered_again() -> None:
    async with LoopbackService(api_key="other") as other, a_demo() as live:
        own = live.state.connection.endpoint
        audio = {"audio": live.destination.settings.audio}
        for endpoint, settings, demo in (
            (other.endpoint, msgspec.structs.replace(with_voice(other, "ash", "gpt-realtime"), **audio), False),
            (own, Settings(**audio), True),
        ):
            await live.change_settings(settings, "", demo=demo)
            live.apply(inputs.ResetPressed())
            await until(lambda expected=endpoint: live.state.connection.endpoint == expected)
            await until(lambda: live.state.connection.stage is Stage.READY)
            assert live.state.connection.demo is demo


async def test_a_conversation_can_go_over_to_a_demo_that_never_ran() -> None:
    async with conversation() as (live, _, _):
        await until(lambda: live.state.connection.stage is Stage.READY)
        await live.change_settings(Settings(), "no profile", demo=True)
        live.apply(inputs.ResetPressed())
        await until(lambda: live.state.connection.demo and live.state.connection.stage is Stage.READY)
        assert live.state.connection.credential == "the demo's own key"


async def test_devices_and_half_duplex_change_at_once(tmp_path) -> None:
    async with a_demo(Mouth()) as live:
        await until(lambda: live.state.microphone.capturing)
        audio = Audio(input_device="none", output_device=f"file:{tmp_path / 'out.wav'}", half_duplex=True)
        await live.change_settings(Settings(audio=audio), "profile x", demo=True)
        assert {name: str(device) for name, device in live.sound.devices.items()}["output"] == audio.output_device
        assert live.sound.engine.half_duplex
        assert live.state.microphone.capturing  # the caller stays in the demo


async def test_the_demos_caller_does_not_speak_to_another_service() -> None:
    async with LoopbackService(api_key="other") as other, a_demo(Mouth()) as live:
        await until(lambda: live.state.microphone.capturing)
        settings = with_voice(other, "ash", "gpt-realtime")
        audio = Audio(input_device="none", output_device="none")
        await live.change_settings(msgspec.structs.replace(settings, audio=audio), "profile x", demo=False)
        assert str(live.sound.devices["input"]) == "none"
        live.apply(inputs.ResetPressed())
        await until(lambda: live.state.connection.endpoint == other.endpoint)
        assert not live.state.connection.caller
