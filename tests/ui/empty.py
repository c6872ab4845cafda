"""A plain Textual app with one static line, to compare the program's start with: `python -m tests.ui.empty`."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class EmptyApp(App[None]):
    """One line."""

    def compose(self) -> ComposeResult:
        yield Static("nothing")


if __name__ == "__main__":
    EmptyApp().run()
