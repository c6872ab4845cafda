"""The demo: a loopback service in this process, and a synthetic caller where there is no microphone."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from voicelive_tui.audio.devices import DEFAULT
from voicelive_tui.audio.streams import probe
from voicelive_tui.client.blocking import off_loop
from voicelive_tui.client.shell import Observer
from voicelive_tui.config import Settings
from voicelive_tui.errors import AudioError
from voicelive_tui.loopback.script import Script, named
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session import inputs
from voicelive_tui.speech.caller import DemoCaller


async def start_service(settings: Settings, stack: AsyncExitStack, script: Script | None = None) -> Settings:
    """Start the loopback service, to end with the stack; the settings that lead to it.

    Where the user's tools are loaded, it plays by default the script that calls those of the README's example.
    """
    key = os.urandom(16).hex()  # keeps other users of this machine out of the conversation
    script = script or (named("tools") if settings.tools.load else None)
    service = await stack.enter_async_context(LoopbackService(api_key=key, script=script))
    changes: dict[str, Any] = {"endpoint": service.endpoint, "api_key": key, "use_token_credential": False}
    return msgspec.structs.replace(settings, service=msgspec.structs.replace(settings.service, **changes))


async def find_caller(
    settings: Settings, script: Script | None, observe: Callable[[Observer], object]
) -> tuple[DemoCaller | None, Script | None]:
    """The synthetic caller, or None where another input was chosen or there is a microphone; the service's script.

    A script with lines of its caller has one in spite of the microphone. With a caller the service plays the tour,
    unless it has another script; the caller says the lines of the script, or else those of the line check, and gives
    way to the user.
    """
    if settings.audio.input_device != "" or (not (script and script.caller) and await _has_microphone()):
        return None, script
    if script is None and not settings.tools.load:
        script = named("tour")
    caller = DemoCaller((script and script.caller) or named("line-check").caller)

    def give_way(event: inputs.Input, *_: object) -> None:
        if isinstance(event, inputs.TypingBegan | inputs.TextTyped | inputs.TalkPressed):
            caller.give_way()

    observe(give_way)
    return caller, script


async def _has_microphone() -> bool:
    try:
        await off_loop(lambda: probe("input", DEFAULT), "looking for a microphone")
    except AudioError:
        return False
    return True
