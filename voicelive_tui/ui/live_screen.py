"""A screen that draws the state of the shell: changes at once, counters at their own rates.

The screen is the only place where states of the shell reach the widgets: it assigns `live.state` to `session`, from
where the panes get it by `data_bind`. Levels go to the panes by a plain call, `update_levels`: a reactive would cost as
much as what is drawn.
"""

import asyncio
from collections.abc import Collection
from pathlib import Path
from time import monotonic
from typing import ClassVar

from textual import events
from textual.binding import ActiveBinding
from textual.reactive import Reactive, var
from textual.widget import Widget

from voicelive_tui.client.profiles import Profiles
from voicelive_tui.client.shell import Shell
from voicelive_tui.session import inputs
from voicelive_tui.session.inputs import Input, Key
from voicelive_tui.session.keeping import MomentFound, RecordingChanged, SoundSaved
from voicelive_tui.session.state import SessionState, Stage
from voicelive_tui.text import clock
from voicelive_tui.ui.pace import Pacing, Rates, has_news, notable
from voicelive_tui.ui.panes import Pane
from voicelive_tui.ui.panes.status import StatusLine, counts_seconds
from voicelive_tui.ui.switches import named
from voicelive_tui.ui.timed import TimedScreen

PASSING = (Stage.CONNECTING, Stage.CONFIGURING)
PASSING_SECONDS = 0.05
"""A stage of `PASSING` is drawn when it has lasted this long: Textual would draw the next one a frame or two later."""
STILL = 10.0
"""Seconds that the clock moves by where nothing happens."""


class LiveScreen(TimedScreen):
    """Draws the state of `live`, the shell. `profiles` are those of the configuration file, if there is one."""

    REFUSED: ClassVar[Collection[str]] = ()
    """Ids of bindings that only say why they do nothing; the palette leaves them out."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual's own would repaint the whole screen with each change: 20 kB at 120x40."""
    session: var[SessionState] = var(SessionState, init=False)
    logged: var[SessionState] = var(SessionState, init=False)
    """What the events pane shows: as `session`, but a line that only counts up may lag."""
    elapsed: var[str] = var("", init=False)
    in_front: var[bool] = var(True, init=False)
    """No other screen has the keys."""

    def __init__(self, live: Shell, rates: Rates, profiles: Profiles | None, *, classes: str) -> None:
        super().__init__(classes=classes)
        self.live, self.rates, self.profiles = live, rates, profiles
        self.pacing = Pacing(monotonic(), rates)
        self._changed = asyncio.Event()
        self._levels_due = self._clock_due = 0.0
        self._elapsed_s = -STILL

    def on_screen_suspend(self) -> None:
        self.in_front = False

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        self.in_front = True
        if not self.stack_updates:  # its widgets are new, and were styled when they were mounted
            event.refresh_styles = False

    def draw_from_now_on(self, *level_widgets: StatusLine | Pane) -> None:
        """Begin to observe the shell and to draw; levels in these widgets."""
        self.live.observe(self.observe)
        self._changed.set()
        self.run_worker(self.draw_changes(), name="changes")
        self.run_worker(self.draw_what_is_due(level_widgets), name="ticks")

    def observe(self, input_: Input, before: SessionState, after: SessionState, _now: float) -> None:
        """Wake the drawing if there is something new to see, and show why a key did nothing."""
        stage = after.connection.stage
        new_stage = before.connection.stage is not stage and stage not in PASSING
        if new_stage and self.is_running and self.app.is_running:
            self.draw(after, monotonic())  # rare, and what the user waits for
        elif not self._changed.is_set() and (notable(self.session, after) or has_news(before, after)):
            self._changed.set()
        if isinstance(input_, RecordingChanged | SoundSaved | MomentFound) and before.recording and self.is_running:
            for row in after.log.since(before.log.next_seq):
                words = row.text.replace(str(Path.home()) + "/", "~/")  # a long path is broken anywhere
                self.notify(words, severity="warning" if input_.problem else "information")
        if isinstance(input_, Key):
            for row in after.log.since(before.log.next_seq):
                if row.severity == "warning":
                    self.notify(row.text, severity="warning")

    async def draw_changes(self) -> None:
        """Draw a change at once, then nothing until the next frame is due."""
        while self.app.is_running:  # at its end Textual removes the panes before it cancels the workers
            await self._changed.wait()
            if self.live.state.connection.stage in PASSING:
                await asyncio.sleep(PASSING_SECONDS)
            self._changed.clear()
            now = monotonic()
            self.draw(self.live.state, now)
            await asyncio.sleep(self.pacing.pause(self.session, now))

    async def draw_what_is_due(self, level_widgets: tuple[StatusLine | Pane, ...]) -> None:
        """Draw levels, counts and the clock at their own rates."""
        while self.app.is_running:  # at its end Textual removes the panes before it cancels the workers
            now, quiet = monotonic(), self.pacing.quiet(self.session, monotonic())
            if now >= self._levels_due or self.live.activity_changed():
                self._levels_due = now + self.rates.levels
                reading = self.live.reading()
                for widget in level_widgets:
                    widget.update_levels(reading)
            if now >= self.pacing.counts_due:
                self.draw(self.live.state, now)
            if now >= self._clock_due:
                self._clock_due = now + self.rates.clock
                self.show_elapsed(self.now(), still=quiet or not self.rates.spacious)
            await asyncio.sleep(self.rates.quiet_tick if quiet else self.rates.tick)

    def draw(self, state: SessionState, now: float) -> None:
        """Give a state to the panes, as far as the pacing allows."""
        show, log = self.pacing.decide(self.session, self.logged, state, now)
        if show:
            self.show_session(state)
        if log:
            self.logged = state
        if show or log:
            self.show_tabs()

    def show_tabs(self) -> None:
        """Draw the heads that count what hidden panes have, once all panes have the state."""
        for pane in self.query(Pane):
            if len(pane.tabs) > 1:
                pane.show_head()

    def show_session(self, state: SessionState) -> None:
        """Give a state to the panes."""
        before = self.switched_on
        self.session = state
        if self.switched_on != before:
            self.refresh_bindings()

    @property
    def switched_on(self) -> frozenset[str]:
        """Ids of the bindings that would now take back what they did."""
        mic, recording = self.session.microphone, self.session.recording
        kept = recording is not None and recording.since is not None
        on = {"mute": mic.muted, "talk": mic.talking, "detection": mic.push_to_talk, "keep": kept}
        return frozenset(name for name, is_on in on.items() if is_on)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        return named(super().active_bindings, self.switched_on)

    def show_elapsed(self, now: float, *, still: bool) -> None:
        """Show the time since the first connection was begun; every ten seconds where the screen is to stay still."""
        ended_at = self.session.connection.ended_at
        if self.session.began_at:
            until = now if ended_at is None or self.session.resuming else ended_at
            quiet = still and not counts_seconds(self.session, now)
            seconds = until - self.session.began_at
            if not quiet or not 0 <= seconds - self._elapsed_s < STILL - self._elapsed_s % STILL:
                self._elapsed_s = seconds
                self.elapsed = clock(seconds)

    def action_apply(self, name: str) -> None:
        self.apply(getattr(inputs, name)())

    def on_pane_wants(self, message: Pane.Wants) -> None:
        self.apply(message.input)

    def apply(self, input_: Input) -> None:
        """Give an input to the shell, and show the result without waiting for a frame."""
        self.live.apply(input_)
        self.show_all()

    def show_all(self) -> None:
        """Give the state of the shell to the panes, its log included."""
        self.show_session(self.live.state)
        self.logged = self.live.state
        self.show_tabs()
