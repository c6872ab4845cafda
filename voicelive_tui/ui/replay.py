"""The dashboard of a replay: read-only, with a line that says where the recording is, and keys that play it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size

from voicelive_tui.client.replay import ReplaySession
from voicelive_tui.client.shell import Shell
from voicelive_tui.config import Ui
from voicelive_tui.session.inputs import Input, ProblemsSeen
from voicelive_tui.session.keeping import MomentChosen, SaveSound
from voicelive_tui.text import clock, visible
from voicelive_tui.ui.app import VoiceLiveApp
from voicelive_tui.ui.canvas import HorizontalGround, Lines
from voicelive_tui.ui.dashboard import DashboardScreen
from voicelive_tui.ui.panes.timeline import TimelinePane
from voicelive_tui.ui.prompt import Prompt
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.text import Line, spread

READ_ONLY = "This is a replay: nothing can be sent or changed."
JUMP_SECONDS = 5
LINE_SECONDS = 0.25
"""Between two draws of the line."""


# With priority: some of these are keys of panes and lists too, which do nothing here, or less.
PLAYER = [
    Binding("space", "play", "Play", tooltip="Play on from here", priority=True, id="replay.play"),
    Binding("left", "jump(-1)", "-5 s", key_display="←", priority=True, id="replay.back"),
    Binding("right", "jump(1)", "+5 s", key_display="→", priority=True, id="replay.forward"),
    Binding("comma", "event(-1)", "Event before", key_display=",", show=False, priority=True, id="replay.previous"),
    Binding("full_stop", "event(1)", "Event after", key_display=".", show=False, priority=True, id="replay.next"),
    Binding("less_than_sign", "speed(-1)", "Slower", key_display="<", priority=True, id="replay.slower"),
    Binding("greater_than_sign", "speed(1)", "Faster", key_display=">", priority=True, id="replay.faster"),
    Binding("0", "edge(-1)", "To the start", show=False, priority=True, id="replay.start"),
    Binding("dollar_sign", "edge(1)", "To the end", key_display="$", show=False, priority=True, id="replay.end"),
    Binding("l", "locate", "Go there", tooltip="To the moment of this line", priority=True, id="locate"),
]
_OF_DASHBOARD = [
    replace(binding, show=binding.show and binding.id in ("query", "errors", "help"))
    for binding in DashboardScreen.BINDINGS
    if isinstance(binding, Binding) and binding.id not in ("talk", "locate")
]
REFUSED = (
    *("mute", "interrupt", "detection", "type", "reset", "edit", "devices", "keep", "approve", "refuse"),
    *("item.ask", "item.branch", "item.delete", "item.insert"),
    *("tools.again", "tools.delay", "tools.edit", "tools.fail", "tools.policy", "tools.stub"),
)
"""Ids of the keys of a live session, of the screen and of its panes."""


class ReplayScreen(DashboardScreen):
    """Shows a recording, of that name, in a terminal of `size`."""

    BINDINGS: ClassVar[list[BindingType]] = [*_OF_DASHBOARD, *PLAYER]
    REFUSED = REFUSED
    CSS = """
    #replay { dock: top; height: 1; }
    #replay-time { width: 44; }
    #replay-bar { width: 1fr; }
    """

    live: ReplaySession

    def __init__(self, live: ReplaySession, ui: Ui, size: Size, name: str) -> None:
        super().__init__(live, ui, size)
        self._recording = visible(name)
        self._told, self._playing = "", False
        self._time, self._bar = Lines(id="replay-time"), Lines(id="replay-bar")

    def now(self) -> float:
        return self.live.position

    def unix_time(self, at: float) -> float | None:
        manifest = self.live.player.bundle.manifest
        return (manifest.unix_ns - manifest.t_ns) / 1e9 + at if manifest.unix_ns else None

    def compose(self) -> ComposeResult:
        with HorizontalGround(id="replay"):
            yield self._time
            yield self._bar
        yield from super().compose()

    def on_mount(self) -> None:
        timeline = self.query_one(TimelinePane)
        timeline.levels, timeline.underruns = self.live.levels, self.live.player.underruns
        for flaw in self.live.player.bundle.flaws:
            self.notify(flaw, severity="warning")
        self.set_interval(LINE_SECONDS, self.show_position)

    def show_position(self) -> None:
        live, player = self.live, self.live.player
        state = "▶" if live.playing else "■" if live.ended else "‖"
        passed, length = live.position - player.begin, player.end - player.begin
        times = f"{clock(passed)}.{int(passed * 10) % 10} / {clock(length)}"
        if live.playing is not self._playing:  # it pauses at its end by itself
            self._playing = live.playing
            self.refresh_bindings()
        self._time.show(((" REPLAY ", "chip"), (f" {state} ×{live.speed:g}  {times}", "text")))
        if live.speaker_problem != self._told:
            self._told = live.speaker_problem
            self.notify(f"no sound: {self._told}", severity="warning")
        silent = "silent but for ×1" if live.speed != 1.0 else "no sound" if live.speaker_problem else ""
        note: Line = ((f"  {silent or self._recording} ", "dim"),)
        room = max(self._bar.size.width - len(note[0][0]), 1)
        done = round(passed / length * (room - 1)) if length > 0 else 0
        self._bar.show(
            spread((("━" * done + "●", "accent"), ("─" * (room - done - 1), "faint")), note, room + len(note[0][0]))
        )

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("play", "jump", "event", "speed", "edge", "locate"):
            return not (self.is_mounted and self.query_one(Prompt).has_focus_within)
        return super().check_action(action, parameters)

    def apply(self, input_: Input) -> None:
        if isinstance(input_, ProblemsSeen):
            super().apply(input_)
        elif isinstance(input_, MomentChosen):
            self.live.play_around(input_.at)
            self.jumped()
        elif isinstance(input_, SaveSound):
            self.run_worker(self._save_sound(input_.item_id))
        else:
            self.refuse()

    async def _save_sound(self, item_id: str) -> None:
        self.notify(await self.live.save_sound(item_id))

    def refuse(self) -> None:
        """Say why a key does nothing."""
        self.notify(READ_ONLY, severity="warning", timeout=3)

    action_type = action_edit = action_devices = refuse

    def action_reset(self, keep: bool = False) -> None:
        self.refuse()

    @property
    def switched_on(self) -> frozenset[str]:
        return super().switched_on | ({"replay.play"} if self.live.playing else set())

    def action_play(self) -> None:
        if self.live.playing:
            self.live.pause()
        else:
            self.live.play()
        self.jumped()

    def action_jump(self, direction: int) -> None:
        self.go_to(self.live.position + direction * JUMP_SECONDS)

    def action_edge(self, direction: int) -> None:
        self.go_to(self.live.player.end if direction > 0 else self.live.player.begin)

    def action_event(self, direction: int) -> None:
        self.live.step(direction)
        self.jumped()

    def action_speed(self, direction: int) -> None:
        self.live.faster(direction)
        self.show_position()

    def action_locate(self) -> None:
        place = self.pane.place()
        at = self.timeline.cursor if self.pane is self.timeline else self.timeline.time_of(place) if place else None
        if at is None:
            self.notify("There is no moment for this line.", timeout=3)
        else:
            self.go_to(at)

    def go_to(self, at: float) -> None:
        """Jump to a time of the recording."""
        self.timeline.cursor = None
        self.live.go_to(at)
        self.jumped()

    def jumped(self) -> None:
        """Show the state at once; a list whose line under the cursor is still to come follows its end."""
        self.show_all()
        for view in self.query(ScrollList):
            if view.cursor is not None and view.cursor >= view.count:
                view.follow(True)
        self.timeline.redraw()
        self.show_position()


class ReplayApp(VoiceLiveApp):
    """The application around a recording."""

    def __init__(self, live: ReplaySession, ui: Ui, keys: Mapping[str, str], name: str) -> None:
        super().__init__(lambda: live, ui, keys)
        self._recording = name

    def make_screen(self, live: Shell) -> DashboardScreen:
        assert isinstance(live, ReplaySession)
        return ReplayScreen(live, self.ui, self.size, self._recording)
