"""What the dashboard is compared with: two meters at 20 fps and a log of a line an event, as Textual's own widgets.

    python -m tests.ui.plain

No conversation, no sound, no network: levels that move as speech does, and as many events as a conversation has.
"""

import math
import time

from textual.app import App, ComposeResult
from textual.widgets import ProgressBar, RichLog

FRAMES_PER_SECOND = 20
EVENTS_PER_SECOND = 30
"""25 chunks of the microphone and what comes of an answer."""


class PlainApp(App[None]):
    """Two meters and a log."""

    CSS = "ProgressBar Bar { width: 60; } RichLog { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield RichLog()
        yield ProgressBar(total=60, show_eta=False, id="microphone")
        yield ProgressBar(total=60, show_eta=False, id="speaker")

    def on_mount(self) -> None:
        self.events = 0
        self.set_interval(1 / FRAMES_PER_SECOND, self.show_levels)
        self.set_interval(1 / EVENTS_PER_SECOND, self.show_event)

    def show_levels(self) -> None:
        now = time.monotonic()
        self.query_one("#microphone", ProgressBar).progress = 36 + 9 * math.sin(now * 25)
        self.query_one("#speaker", ProgressBar).progress = 36 + 9 * math.sin(now * 21)

    def show_event(self) -> None:
        self.events += 1
        kind = "input_audio_buffer.append" if self.events % 6 else "response.audio_transcript.delta"
        line = f"{time.monotonic():9.3f} {kind} item_{self.events // 100} word number {self.events}"
        self.query_one(RichLog).write(line)


if __name__ == "__main__":
    PlainApp().run()
