import pytest

from tests import states
from tests.ui.fake import app_of, settled
from tests.ui.screens import screen_text
from voicelive_tui.config import ConfigError
from voicelive_tui.ui import keymap


def test_binding_ids_name_every_key():
    ids = keymap.binding_ids()
    assert {"mute", "talk", "interrupt", "reset", "type", "query", "help", "quit", "zoom", "list.down"} <= ids


def test_a_binding_may_have_no_key():
    keymap.validate_keys({"reset": "", "mute": "r"})


async def test_every_key_can_be_unbound_those_of_textual_too():
    keys = dict.fromkeys(keymap.binding_ids(), "")
    keymap.validate_keys(keys)
    app = app_of(states.SPEAKING, keys=keys)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        before = screen_text(app).split("\n")[3:]  # below the clock
        for name in keymap.binding_ids():
            await pilot.press(*(b.key for o in keymap.OWNERS for b in o.BINDINGS if b.id == name and "," not in b.key))
        assert app.screen is app.screen_stack[1]
        assert app.live.applied == []
        assert app.return_code is None
        assert screen_text(app).split("\n")[3:] == before


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"mutte": "x"}, "keys.mutte: there is no such binding .*mute"),
        ({"mute": "banana"}, "keys.mute: there is no key 'banana' .a key is a character .*f2"),
        ({"mute": "u,"}, "keys.mute: there is no key ''"),
        ({"mute": "F2"}, "keys.mute: there is no key 'F2'"),
        ({"mute": "shift+m"}, "keys.mute: there is no key 'shift.m'"),
        ({"mute": "ctrl+alt+m"}, "keys.mute: there is no key 'ctrl.alt.m'"),  # sent as alt+ctrl+m
        ({"mute": "<any>"}, "keys.mute: there is no key '<any>'"),
        ({"mute": "q"}, "keys.mute: 'q' is the key of quit too, which works at the same time"),
        ({"mute": "?"}, "keys.mute: '.' is the key of help too"),
        ({"mute": "f2, i"}, "keys.mute: 'i' is the key of interrupt too"),
        ({"mute": "u", "reset": "u"}, "keys.mute: 'u' is the key of reset too"),
        ({"list.down": "n"}, "keys.list.down: 'n' is the key of match.next too"),
        ({"detail.down": "m"}, "keys.detail.down: 'm' is the key of mute too"),
        ({"mute": "space"}, "keys.mute: 'space' is the key of talk too"),
        ({"help.down": "k"}, "keys.help.down: 'k' is the key of help.up too"),
        ({"mute": "ctrl+q"}, "keys.mute: 'ctrl.q' is the key of quit.everywhere too"),
        ({"mute": "tab"}, "keys.mute: 'tab' is the key of pane.next too"),
    ],
)
def test_keys_that_cannot_work_are_refused_in_one_sentence(keys, says):
    with pytest.raises(ConfigError, match=says) as refused:
        keymap.validate_keys(keys)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"mute": "f2"},
        {"mute": "M, ctrl+x,é,§,comma"},
        {"mute": "alt+ctrl+m,shift+f3,ctrl+space,ctrl+slash"},
        {"mute": "i", "interrupt": "m"},
        {"help": "f1", "mute": "?"},
        {"palette": "ctrl+p", "quit": "ctrl+q"},  # as Textual has it
        {"help.close": "m", "devices.close": "t"},  # not at the same time
        {"detail.down": "ctrl+j", "list.down": "ctrl+j"},
        {"prompt.leave": "ctrl+g", "back": "ctrl+g"},
    ],
)
def test_keys_that_can_be_pressed_and_do_one_thing_at_a_time_are_taken(keys):
    keymap.validate_keys(keys)


def test_every_binding_may_be_given_the_keys_that_it_has():
    keys = {binding.id: binding.key for owner in keymap.OWNERS for binding in owner.BINDINGS if binding.id}
    assert keys.keys() == keymap.binding_ids()
    keymap.validate_keys(keys)
