import pytest

from voicelive_tui.config import Ui
from voicelive_tui.ui.themes import theme_names, theme_of


@pytest.mark.parametrize(
    ("ui", "color_system", "theme"),
    [
        (Ui(), "truecolor", "voicelive-dark"),
        (Ui(), None, "voicelive-dark"),
        (Ui(), "standard", "ansi-dark"),
        (Ui(theme="voicelive-light"), "standard", "ansi-light"),
        (Ui(theme="nord"), "standard", "nord"),
        (Ui(lean=True), "truecolor", "ansi-dark"),
        (Ui(lean=True, theme="nord"), "truecolor", "nord"),
    ],
)
def test_the_theme_is_the_chosen_one_or_depends_on_line_and_terminal(ui, color_system, theme):
    assert theme_of(ui, color_system) == theme
    assert theme in theme_names()
