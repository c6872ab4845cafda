"""The keys at the foot, where the configuration changed them."""

import asyncio

import pytest
from msgspec.structs import replace
from textual.binding import Binding

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.session.inputs import MutePressed
from voicelive_tui.session.state import Microphone
from voicelive_tui.ui.footer import SHORT
from voicelive_tui.ui.keymap import OWNERS
from voicelive_tui.ui.switches import BACK


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"mute": "u"}, ("? Help", "q Quit")),
        ({"help": "f1", "quit": "Q", "errors": "!"}, ("f1 Help", "Q Quit")),
    ],
)
async def test_help_and_the_way_out_are_at_a_narrow_foot_by_whatever_key(keys, named):
    app = app_of(states.IDLE, keys=keys)
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot)
        foot = screen_text(app).splitlines()[-1]
        for key in named:
            assert key in foot


@pytest.mark.parametrize("push_to_talk", [False, True])
async def test_the_ways_to_speak_and_out_are_at_the_foot_however_narrow_it_is(push_to_talk):
    app = app_of(replace(states.IDLE, microphone=Microphone(capturing=True, push_to_talk=push_to_talk)))
    async with app.run_test(size=(60, 16)) as pilot:
        await settled(pilot)
        foot = screen_text(app).splitlines()[-1]
        assert foot.startswith(" / Find  ")
        assert ("m Mute  space Talk  w Keep  " if push_to_talk else "m Mute  w Keep  c Settings  ") in foot
        assert foot.endswith("? Help  q Quit")
        await pilot.resize_terminal(160, 24)
        await settled(pilot)
        assert (
            screen_text(app)
            .splitlines()[-1]
            .endswith("r Reset  w Keep  c Settings  o Sound devices  : Commands  ? Help  q Quit")
        )


async def test_the_keys_of_the_focused_pane_come_first_and_a_changed_key_keeps_its_place():
    app = app_of(states.SPEAKING, keys={"mute": "u", "cross": "ctrl+e", "reset": ""})
    async with app.run_test(size=(140, 40)) as pilot:
        await settled(pilot)
        foot = screen_text(app).splitlines()[-1]
        assert foot.split()[:8] == ["/", "Find", "^e", "Events", "f", "Pause", "z", "Zoom"]
        assert "u Mute  i Interrupt  t Type  w Keep" in foot
        assert "Reset" not in foot  # unbound
        await pilot.press("3")
        await pilot.pause()
        assert screen_text(app).splitlines()[-1].startswith(" ⏎ Open  / Find")
        await pilot.press("r")
        assert app.live.applied == []


async def test_in_80_columns_a_pane_has_its_keys_at_the_foot_and_the_session_those_that_are_asked_for():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for pane, keys in (
            ("1", "+ Step up  - Step down  m Mute  t Type  "),
            ("2", "/ Find  e Events  f Pause  m Mute  t Type  "),
            ("3", "⏎ Open  / Find  e Words  f Pause  m Mute  "),
            ("5", "⏎ Open  v Edit  p Policy  e Words  m Mute  "),
            ("6", "⏎ Play  [ Longer  ] Shorter  m Mute  t Type  "),
            ("7", "⏎ Open  O Sort  e Words  m Mute  t Type  "),
        ):
            await pilot.press(pane)
            await pilot.pause()
            assert screen_text(app).splitlines()[-1] == f" {keys}w Keep  c Settings  ? Help  q Quit"


async def test_while_something_is_typed_the_foot_names_the_key_that_still_opens_the_help():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 24)) as pilot:
        await settled(pilot)
        assert screen_text(app).splitlines()[-1].endswith("? Help  q Quit")
        await pilot.press("slash", "q")
        async with asyncio.timeout(60):
            while "f1 Help" not in screen_text(app).splitlines()[-1]:
                await pilot.pause(0.02)


async def test_a_click_on_a_key_presses_it():
    app = app_of(states.SPEAKING)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        at = screen_text(app).splitlines()[-1].index("m Mute")
        await pilot.click("Keys", offset=(at + 3, 0))
        assert app.live.applied == [MutePressed()]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize(
    "keys", ["E", "3 slash i s : e r r o r enter", "3 enter", "2 slash s e c o n d enter", "6 left"]
)
async def test_the_way_back_is_at_the_foot_while_there_is_something_to_leave(keys, size):
    app = app_of(states.SPEAKING, keys={"back": "f12"})
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        assert "Back" not in screen_text(app)
        await pilot.press(*keys.split())
        await pilot.pause()
        assert screen_text(app).splitlines()[-1].startswith(" f12 Back  ")
        await pilot.press("f12")
        await pilot.pause()
        assert "Back" not in screen_text(app)


async def test_changed_and_unbound_keys_of_the_whole_screen_keep_their_places():
    app = app_of(states.SPEAKING, keys={"reset": "f9", "keep": "f10,w", "quit": "", "devices": "D"})
    async with app.run_test(size=(180, 40)) as pilot:
        await settled(pilot)
        foot = screen_text(app).splitlines()[-1]
        assert foot.endswith("t Type  f9 Reset  f10 Keep  c Settings  D Sound devices  : Commands  ? Help")


def test_each_short_word_stands_for_the_description_of_a_key():
    bindings = (binding for owner in OWNERS for binding in owner.BINDINGS if isinstance(binding, Binding))
    descriptions = {binding.description for binding in bindings} | {description for description, _ in BACK.values()}
    assert descriptions >= SHORT.keys()
