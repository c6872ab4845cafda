"""The demo's own service, and its caller where there is no microphone."""

from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from voicelive_tui.audio.devices import AudioError
from voicelive_tui.client import demo
from voicelive_tui.config import Audio, Service, Settings
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


@pytest.mark.parametrize(
    ("chosen", "fails", "speaks"),
    [("", True, True), ("", False, False), ("none", True, False), ("file:said.wav", True, False)],
)
async def test_a_caller_speaks_only_without_a_choice_and_without_a_microphone(
    chosen: str, fails: bool, speaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(*_: Any) -> str:
        if fails:
            raise AudioError("no device")
        return "a microphone"

    monkeypatch.setattr(demo, "probe", probe)
    found = await demo.find_caller(Settings(audio=Audio(input_device=chosen)))
    assert isinstance(found, DemoCaller) is speaks
