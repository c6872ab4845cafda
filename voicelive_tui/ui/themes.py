"""The themes of this program, besides those of Textual."""

from typing import Any

from textual.theme import BUILTIN_THEMES, Theme

from voicelive_tui.config import Ui


def _theme(name: str, *, dark: bool, cursor: str, selection: str, scrollbar: str, **colors: Any) -> Theme:
    tracks = ("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active")
    variables = {
        "block-cursor-background": cursor,
        "block-cursor-blurred-background": cursor,
        "block-cursor-foreground": colors["foreground"],
        "input-selection-background": selection,
        "scrollbar": scrollbar,
        **dict.fromkeys(tracks, colors["surface"]),
    }
    return Theme(name=name, dark=dark, variables=variables, **colors)


THEMES = (
    _theme(
        "voicelive-dark", dark=True,
        primary="#7aa8e8", secondary="#8f9bb3", accent="#56c2b6", success="#86c98f", warning="#e3b567", error="#ee7d80",
        background="#101317", surface="#161a20", panel="#1a1f26", foreground="#d4d9e0",
        cursor="#1f3a3a", selection="#30625f", scrollbar="#3d4650",
    ),
    _theme(
        "voicelive-light", dark=False,
        primary="#2f63b0", secondary="#5c6779", accent="#0b7f77", success="#2f7d3b", warning="#94640a", error="#b3323a",
        background="#fafaf7", surface="#f1f1ec", panel="#e8e8e1", foreground="#23272e",
        cursor="#c5dfdb", selection="#8ec3bd", scrollbar="#b9bab4",
    ),
)  # fmt: skip


def theme_of(ui: Ui, color_system: str | None) -> str:
    """The theme that the settings choose; in place of ours, the terminal's own colours if Rich finds but 16."""
    chosen = ui.theme or ("ansi-dark" if ui.lean else THEMES[0].name)
    return chosen.replace("voicelive", "ansi") if color_system == "standard" else chosen


def theme_names() -> frozenset[str]:
    """Every name that `ui.theme` may have."""
    return frozenset((*BUILTIN_THEMES, *(theme.name for theme in THEMES)))
