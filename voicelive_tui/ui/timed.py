"""The time of what a screen shows: now, or in a replay the recording's."""

from time import monotonic, time

from textual.screen import Screen
from textual.widget import Widget


class TimedScreen(Screen[None]):
    """A screen that knows the time of what it shows."""

    BLANK = True  # see `canvas.py`

    def now(self) -> float:
        """The time of what is shown: `time.monotonic()` seconds."""
        return monotonic()

    def unix_time(self, at: float) -> float | None:
        """Unix seconds of a time as of `now`; None where that is unknown."""
        return time() - monotonic() + at


def now_of(widget: Widget) -> float:
    """The time of what the widget's screen shows; in a replay the recording's."""
    return widget.screen.now() if isinstance(widget.screen, TimedScreen) else monotonic()
