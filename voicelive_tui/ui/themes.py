"""The themes of this program, beside those of Textual."""

from textual.theme import BUILTIN_THEMES, Theme

from voicelive_tui.config import Ui

_CURSOR = ("block-cursor-background", "block-cursor-blurred-background")
_TRACK = ("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active")

THEMES = (
    Theme(
        name="voicelive-dark",
        primary="#7aa8e8",
        secondary="#8f9bb3",
        accent="#56c2b6",
        success="#86c98f",
        warning="#e3b567",
        error="#ee7d80",
        background="#101317",
        surface="#161a20",
        panel="#1a1f26",
        foreground="#d4d9e0",
        dark=True,
        variables={
            **dict.fromkeys(_CURSOR, "#1f3a3a"),
            "block-cursor-foreground": "#d4d9e0",
            "input-selection-background": "#30625f",
            **dict.fromkeys(_TRACK, "#161a20"),
            "scrollbar": "#3d4650",
        },
    ),
    Theme(
        name="voicelive-light",
        primary="#2f63b0",
        secondary="#5c6779",
        accent="#0b7f77",
        success="#2f7d3b",
        warning="#94640a",
        error="#b3323a",
        background="#fafaf7",
        surface="#f1f1ec",
        panel="#e8e8e1",
        foreground="#23272e",
        dark=False,
        variables={
            **dict.fromkeys(_CURSOR, "#c5dfdb"),
            "block-cursor-foreground": "#23272e",
            "input-selection-background": "#8ec3bd",
            **dict.fromkeys(_TRACK, "#f1f1ec"),
            "scrollbar": "#b9bab4",
        },
    ),
)


def theme_of(ui: Ui, color_system: str | None) -> str:
    """The name of the theme that the settings choose, in place of ours the terminal's own colours if it has but 16.

    Args:
        ui: The settings.
        color_system: As Rich calls it.
    """
    chosen = ui.theme or ("ansi-dark" if ui.lean else THEMES[0].name)
    return chosen.replace("voicelive", "ansi") if color_system == "standard" else chosen


def theme_names() -> frozenset[str]:
    """Every name that `ui.theme` may have."""
    return frozenset((*BUILTIN_THEMES, *(theme.name for theme in THEMES)))
