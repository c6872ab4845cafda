import pytest

from voicelive_tui.config import Ui
from voicelive_tui.ui.themes import theme_names, theme_of


@pytest.mark.parametrize(
    ("ui", "theme"),
    [(Ui(), "voicelive-dark"), (Ui(lean=True), "ansi-dark"), (Ui(lean=True, theme="nord"), "nord")],
)
def test_the_theme_is_the_chosen_one_or_depends_on_the_line(ui, theme):
    assert theme_of(ui) == theme
    assert theme in theme_names()
