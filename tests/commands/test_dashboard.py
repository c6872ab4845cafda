"""The dashboard's command, as far as it needs no terminal; the rest is in test_program.py."""

import gc
import os

import msgspec
import pytest

from voicelive_tui import runtime
from voicelive_tui.commands.dashboard import show, validate_ui, with_profile
from voicelive_tui.commands.setup import Options
from voicelive_tui.config import Settings, Ui
from voicelive_tui.errors import UserError


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ui": Ui(theme="mauve")}, "ui.theme: there is no theme 'mauve': .*voicelive-dark"),
        ({"keys": {"mutte": "x"}}, "keys.mutte: there is no such binding .*mute"),
        ({"keys": {"mute": "banana"}}, "keys.mute: there is no key 'banana' .a key is a character .*f2"),
    ],
)
def test_names_that_only_the_dashboard_knows_are_refused_before_it_opens(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        validate_ui(msgspec.structs.replace(Settings(), **changes))


def test_a_known_theme_and_key_are_accepted():
    validate_ui(Settings(ui=Ui(theme="nord"), keys={"mute": "f2"}))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("ui.theme = 'mauve'", "ui.theme: there is no theme 'mauve'"),
        ("audio.input_device = 'file:nowhere.wav'", "cannot read nowhere.wav"),
        ("service.endpoint = 'https://here.example'", "an endpoint needs a credential"),
        ("audio.chunk_ms = 5", "profile 'x': audio.chunk_ms: expected int >= 20"),
    ],
)
def test_a_profile_is_checked_like_the_settings_at_the_start(tmp_path, values, sentence):
    path = tmp_path / "config.toml"
    path.write_text(f"[profiles.x]\n{values}\n")
    with pytest.raises(UserError, match=sentence):
        with_profile(Options(config_path=path), "x")


def test_the_flags_are_stronger_than_a_profile_that_is_chosen_later(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[profiles.x.session]\nvoice = 'ash'\nmodel = 'gpt-4.1'\n")
    choice = with_profile(Options({"session.voice": "alloy"}, path, demo=True), "x")
    assert (choice.settings.session.voice, choice.settings.session.model) == ("alloy", "gpt-4.1")
    assert (choice.demo, choice.overridden) == (True, ("session.voice",))


class App:
    """Notes what it runs with."""

    live, return_code = None, 3

    def __init__(self):
        self.seen = []

    def end_on_signal(self, status):
        raise AssertionError(status)

    async def run_async(self, *, mouse):
        self.seen.append((gc.isenabled(), mouse, os.environ.get("TEXTUAL_COLOR_SYSTEM")))


@pytest.mark.parametrize(("lean", "colours"), [(True, "256"), (False, None)])
async def test_an_application_runs_without_the_automatic_collector_and_with_few_colours_on_a_slow_line(
    lean, colours, monkeypatch
):
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TEXTUAL_COLOR_SYSTEM", "")
    monkeypatch.delenv("TEXTUAL_COLOR_SYSTEM")
    ends = []
    monkeypatch.setattr(runtime, "end_on_signals", ends.append)
    app = App()
    assert await show(Settings(ui=Ui(lean=lean, mouse=False)), lambda: app) is app
    gc.freeze()  # again, for the tests after this one
    assert app.seen == [(False, False, colours)]
    assert ends == [app.end_on_signal]
    assert gc.isenabled()
