"""The dashboard's command, as far as it needs no terminal; the rest is in test_program.py."""

import msgspec
import pytest

from voicelive_tui.commands.dashboard import validate_ui
from voicelive_tui.config import ConfigError, Settings, Ui
from voicelive_tui.ui.app import VoiceLiveApp


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ui": Ui(theme="mauve")}, "ui.theme: there is no theme 'mauve': .*voicelive-dark"),
        ({"keys": {"mutte": "x"}}, "keys.mutte: there is no such binding .*mute"),
        ({"keys": {"mute": "banana"}}, "keys.mute: there is no key 'banana' .a key is a character .*f2"),
    ],
)
def test_names_that_only_the_dashboard_knows_are_refused_before_it_opens(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        validate_ui(msgspec.structs.replace(Settings(), **changes), VoiceLiveApp)


def test_a_known_theme_and_key_are_accepted():
    validate_ui(Settings(ui=Ui(theme="nord"), keys={"mute": "f2"}), VoiceLiveApp)
