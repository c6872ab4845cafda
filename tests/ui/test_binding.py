from textual.binding import Binding

from voicelive_tui.ui.binding import has_key, keymap_of


def test_a_binding_that_the_configuration_gives_no_key_has_none():
    keymap = keymap_of({"mute": "f2", "talk": ""})
    binding = Binding("m", "mute", "Mute")
    assert has_key(binding.with_key(keymap["mute"]))
    assert not has_key(binding.with_key(keymap["talk"]))
