"""A row of the editor, by itself."""

import pytest
from textual.app import App

from tests.ui.screens import screen_text
from voicelive_tui.session.fields import BY_KEY
from voicelive_tui.session.outcomes import Outcome
from voicelive_tui.ui.editor_row import Choice, Row


class RowApp(App[None]):
    def __init__(self, key, text):
        super().__init__()
        self.key, self.text = key, text

    def compose(self):
        self.row = Row(BY_KEY[self.key], self.text)
        yield self.row


@pytest.mark.parametrize(
    ("key", "text", "shown"),
    [
        ("voice", "en-US-AvaNeural", "en-US-AvaNeural"),
        ("turn_detection.threshold", "0.5", "0.5"),
        ("turn_detection.create_response", "on", "● on"),
        ("turn_detection.type", "server_vad", "server_vad ▾"),
        ("instructions", "Be \x1b[31mbrief.", "Be ␛[31mbrief."),
    ],
)
async def test_a_text_is_drawn_by_the_widget_of_its_type_and_given_back_as_it_was(key, text, shown):
    app = RowApp(key, text)
    async with app.run_test(size=(100, 6)):
        assert shown in screen_text(app)
        assert app.row.text == text
        app.row.text = text
        assert app.row.text == text


async def test_keys_step_through_the_values_of_a_choice():
    app = RowApp("turn_detection.create_response", "on")
    async with app.run_test(size=(100, 6)) as pilot:
        app.row.query_one(Choice).focus()
        await pilot.press("space")
        assert app.row.text == "off"
        await pilot.press("left")
        assert app.row.text == "on"


async def test_an_outcome_is_one_line_whose_foreign_words_are_harmless():
    app = RowApp("voice", "alloy")
    async with app.run_test(size=(100, 6)) as pilot:
        app.row.show(Outcome("refused", "no [b]such[/b]\x1b[31m voice\nhere"))
        await pilot.pause()
        assert "refused: no [b]such[/b]␛[31m voice␊here" in screen_text(app)
        app.row.show(Outcome("not used", "of Azure voices only"))
        await pilot.pause()
        assert "not used" not in screen_text(app)
        assert "of Azure voices only" in screen_text(app)
