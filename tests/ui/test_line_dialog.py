"""A line typed over the dashboard."""

from typing import Any

from textual.app import App

from tests.ui.screens import screen_text
from voicelive_tui.ui.line_dialog import LineDialog


async def asked(*keys: str, size: tuple[int, int] = (80, 24), **options: Any) -> tuple[Any, str]:
    """The result of a dialog after some keys ("open" while there is none), and what was on the screen before them."""
    results: list[Any] = []
    app: App[None] = App()
    async with app.run_test(size=size) as pilot:
        app.push_screen(LineDialog("Insert [b]after[/b] “\x1b[2J”", **options), results.append)
        await pilot.pause()
        shown = screen_text(app)
        await pilot.press(*keys)
        await pilot.pause()
        return (results[0] if results else "open"), shown


async def test_a_line_is_returned_with_the_kind_that_tab_chose():
    kinds = ("user", "system", "assistant")
    assert (await asked(*"hi there", "enter", kinds=kinds))[0] == ("hi there", "user")
    assert (await asked("tab", *"hi", "enter", kinds=kinds))[0] == ("hi", "system")
    assert (await asked("shift+tab", *"hi", "enter", kinds=kinds))[0] == ("hi", "assistant")


async def test_an_empty_line_is_returned_only_where_it_means_something():
    assert (await asked("enter"))[0] == "open"
    assert (await asked("enter", optional=True))[0] == ("", "")
    assert (await asked("x", "escape"))[0] is None


async def test_what_was_typed_before_is_there_again_and_foreign_text_is_harmless():
    result, shown = await asked("enter", size=(60, 16), text="kept", kinds=("user", "system"))
    assert result == ("kept", "user")
    assert "kept" in shown
    assert "Insert [b]after[/b] “␛[2J” as user" in shown
