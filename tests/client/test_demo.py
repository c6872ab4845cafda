"""The demo's own service, and its caller where there is no microphone."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from tests.conversing import LIMIT, until
from voicelive_tui.client import demo
from voicelive_tui.client.live import LiveSession
from voicelive_tui.client.shell import Observer
from voicelive_tui.config import Audio, Service, Settings, Tools
from voicelive_tui.errors import AudioError
from voicelive_tui.loopback.script import Script, load, shipped
from voicelive_tui.session import inputs
from voicelive_tui.session.state import SessionState
from voicelive_tui.speech.caller import DemoCaller


async def test_the_settings_lead_to_a_service_that_ends_with_the_stack() -> None:
    given = Settings(service=Service(endpoint="https://elsewhere", api_key="mine", use_token_credential=True))
    async with aiohttp.ClientSession() as http:
        async with AsyncExitStack() as stack:
            service = (await demo.start_service(given, stack)).service
            assert service.endpoint.startswith("http://127.0.0.1:")
            assert service.api_key not in ("", "mine")
            assert not service.use_token_credential
            assert (await http.get(service.endpoint)).status == 404
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(service.endpoint)


def without_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(*_: Any) -> str:
        raise AudioError("no device")

    monkeypatch.setattr(demo, "probe", probe)


@pytest.mark.parametrize(
    ("chosen", "fails", "speaks"),
    [("", True, True), ("", False, False), ("none", True, False), ("file:said.wav", True, False)],
)
async def test_a_caller_plays_the_tour_only_without_a_choice_and_without_a_microphone(
    chosen: str, fails: bool, speaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_microphone(monkeypatch)
    if not fails:
        monkeypatch.setattr(demo, "probe", lambda *_: "a microphone")
    settings = Settings(audio=Audio(input_device=chosen))
    found, script = await demo.find_caller(settings, None, lambda _: None)
    assert isinstance(found, DemoCaller) is speaks
    assert script == (load(shipped()["tour"]) if speaks else None)  # None: the line check


async def test_a_script_with_lines_of_its_caller_has_it_say_them_though_there_is_a_microphone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, "probe", lambda *_: "a microphone")
    for name, speaks in (("tour", True), ("line-check", True), ("tool_call", False)):
        script = load(shipped()[name])
        found, played = await demo.find_caller(Settings(), script, lambda _: None)
        assert (isinstance(found, DemoCaller), played) == (speaks, script)
    assert await demo.find_caller(Settings(audio=Audio(input_device="none")), script, lambda _: None) == (None, script)


async def test_another_script_and_the_users_tools_come_before_the_tour(monkeypatch: pytest.MonkeyPatch) -> None:
    without_microphone(monkeypatch)
    mine = Script(title="mine")
    found, script = await demo.find_caller(Settings(), mine, lambda _: None)
    assert found
    assert script is mine
    found, script = await demo.find_caller(Settings(tools=Tools(load=("mine.py",))), None, lambda _: None)
    assert found
    assert script is None


@pytest.mark.parametrize(
    ("event", "gives"),
    [
        (inputs.TypingBegan(), True),
        (inputs.TextTyped("hello"), True),
        (inputs.TalkPressed(), True),
        (inputs.MutePressed(), False),
    ],
)
async def test_the_caller_gives_way_when_the_user_types_or_talks(
    event: inputs.Input, gives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_microphone(monkeypatch)
    observers: list[Observer] = []
    caller, _ = await demo.find_caller(Settings(), None, observers.append)
    assert caller
    gave: list[bool] = []
    monkeypatch.setattr(caller, "give_way", lambda: gave.append(True))
    state = SessionState()
    observers[0](event, state, state, 0.0)
    assert gave == [True] * gives


async def test_the_tour_is_heard_and_answered_through_the_whole_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    without_microphone(monkeypatch)
    live = LiveSession(Settings(audio=Audio(output_device="none")), demo=True)
    running = asyncio.create_task(live.run())
    try:
        await until(lambda: len(live.state.transcript) > 1, "an answer")
        await until(
            lambda: "Hello! I am the assistant of a demo" in live.state.transcript[1].text, "the script's answer"
        )
        await until(lambda: live.state.transcript[0].text, "the transcript")
        assert live.state.transcript[0].text == load(shipped()["tour"]).caller[0].say
    finally:
        await live.close()
        await asyncio.wait_for(running, LIMIT)
