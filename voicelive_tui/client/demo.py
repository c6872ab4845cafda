"""The demo: a loopback service in this process, and a synthetic caller where there is no microphone."""

import os
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from voicelive_tui.audio.devices import DEFAULT, AudioError, Source
from voicelive_tui.audio.streams import probe
from voicelive_tui.client.blocking import off_loop
from voicelive_tui.config import Settings
from voicelive_tui.loopback.script import load, shipped
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.speech.caller import DemoCaller


async def start_service(settings: Settings, stack: AsyncExitStack) -> Settings:
    """Start the loopback service, to end with the stack; the settings that lead to it.

    Where tools are loaded, its assistant calls the weather and the timer of the README's example.
    """
    key = os.urandom(16).hex()  # keeps other users of this machine out of the conversation
    script = load(shipped()["tools"]) if settings.tools.load else None
    service = await stack.enter_async_context(LoopbackService(api_key=key, script=script))
    changes: dict[str, Any] = {"endpoint": service.endpoint, "api_key": key, "use_token_credential": False}
    return msgspec.structs.replace(settings, service=msgspec.structs.replace(settings.service, **changes))


async def find_caller(settings: Settings) -> Source | None:
    """The synthetic caller, or None where another input was chosen or there is a microphone."""
    if settings.audio.input_device != "":
        return None
    try:
        await off_loop(lambda: probe("input", DEFAULT), "looking for a microphone")
    except AudioError:
        return DemoCaller()
    return None
