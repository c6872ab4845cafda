"""Choosing sound devices during a conversation."""

import asyncio

from msgspec.structs import replace

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.client.shell import DeviceChoice
from voicelive_tui.errors import AudioError
from voicelive_tui.session.state import Device
from voicelive_tui.ui.picker import DevicePicker


async def test_the_picker_explains_an_empty_list_and_reports_the_result_of_a_choice():
    told = []
    app = app_of(replace(states.IDLE, input=Device("Headset, 24000 Hz"), output=Device("", "it is [busy]")))
    app.notify = lambda message, **_: told.append(message)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("o")
        await pilot.pause()
        await pilot.press("enter", "j", "j", "enter")
        await pilot.pause()
        assert told == ["Microphone: Headset, 24000 Hz", "Speaker: it is [busy]"]
        await pilot.press("escape")

        async def none():
            raise AudioError("the PortAudio library is [missing]")

        app.live.devices = none
        await pilot.press("o")
        await pilot.pause()
        assert "the PortAudio library is [missing]" in screen_text(app)


async def in_use():
    return [DeviceChoice("input", spec, f"device {spec}", spec == "2") for spec in ("0", "1", "2", "none")]


async def test_devices_are_listed_and_chosen():
    app = app_of(states.IDLE)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("o")
        await pilot.pause()
        assert isinstance(app.screen, DevicePicker)
        shown = screen_text(app)
        assert "● USB microphone [front]" in shown
        assert "Speaker" in shown
        await pilot.press("j", "enter")
        await pilot.pause()
        await pilot.press("p")
        assert app.live.calls[1:] == [("choose", "input", "2"), "test_tone"]
        await pilot.press("escape")
        app.live.devices = in_use
        await pilot.press("o")
        await pilot.pause()
        await pilot.press("enter")
        assert app.live.calls[-1] == ("choose", "input", "2")  # the cursor begins on what is in use
        await pilot.press("escape")
        assert not isinstance(app.screen, DevicePicker)


async def test_the_list_answers_and_closes_while_a_device_takes_long_to_open():
    told, opened = [], asyncio.Event()
    app = app_of(replace(states.IDLE, input=Device("Headset, 24000 Hz")))
    app.notify = lambda message, **_: told.append(message)

    async def hang(direction, spec):
        await opened.wait()
        app.live.calls.append(("opened", spec))

    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.live.choose_device = hang
        await pilot.press("o")
        await pilot.pause()
        try:
            async with asyncio.timeout(30):
                await pilot.press("j", "enter", "p", "escape")
                while isinstance(app.screen, DevicePicker):
                    await pilot.pause()
            assert app.live.calls[1:] == ["test_tone"]
            assert told == []
        finally:
            opened.set()
        async with asyncio.timeout(30):
            while not told:
                await pilot.pause()
        assert told == ["Microphone: Headset, 24000 Hz"]
        assert app.live.calls[-1] == ("opened", "2")
