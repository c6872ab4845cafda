"""The dashboard screen: its layout, its keys, the tick, and the one worker that holds the conversation.

The tick is the only crossing from the shell to the screen: it copies `live.state` into `session`, from where panes get
it by `data_bind`, and gives them `live.reading()` itself (`hear`): ten times a second a binding would cost as much as
what is drawn. Keys become inputs, given to `live.apply`.
"""

from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import reactive
from textual.widgets import Static

from voicelive_tui.session.inputs import (
    Input,
    InterruptPressed,
    Key,
    MutePressed,
    ProblemsSeen,
    ResetPressed,
    TalkPressed,
    TextTyped,
)
from voicelive_tui.session.state import Link, SessionState
from voicelive_tui.text import visible
from voicelive_tui.ui.arrangement import CLASSES, LEAST, PANES, arrange
from voicelive_tui.ui.canvas import HorizontalGround, TonedScreen, VerticalGround
from voicelive_tui.ui.footer import Keys
from voicelive_tui.ui.help import HelpScreen
from voicelive_tui.ui.hints import with_keys
from voicelive_tui.ui.pace import Pacing
from voicelive_tui.ui.panes import Pane
from voicelive_tui.ui.panes.events import EventsPane
from voicelive_tui.ui.panes.meters import MetersPane
from voicelive_tui.ui.panes.session import SessionPane
from voicelive_tui.ui.panes.status import Clock, ProblemLine, StatusLine, elapsed, remaining
from voicelive_tui.ui.panes.transcript import TranscriptPane
from voicelive_tui.ui.picker import DevicePicker
from voicelive_tui.ui.prompt import Prompt
from voicelive_tui.ui.scroll_list import ScrollList

if TYPE_CHECKING:
    from voicelive_tui.client.shell import Shell
    from voicelive_tui.config import Ui


ARRANGED = CLASSES | {"levels"}
"""Classes of the screen that `lay_out` sets."""


class DashboardScreen(TonedScreen):
    """See the head of the file."""

    CSS_PATH = "dashboard.tcss"
    AUTO_FOCUS = "#transcript-view"
    # What opens the prompt has priority, so that it is open before the next key is looked at: a paste, or a line that
    # came in one piece, belongs into it as a whole. `check_action` leaves both keys to the prompt while that is open.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mute", "Mute", tooltip="Send silence in place of the microphone, or end that", id="mute"),
        Binding("space", "talk", "Talk", tooltip="Begin a turn, and again to send it", id="talk"),
        Binding("i", "interrupt", "Interrupt", tooltip="Stop the assistant now", id="interrupt"),
        Binding("t", "type", "Type", tooltip="Type a message to the assistant", priority=True, id="type"),
        Binding("r", "reset", "Reset", tooltip="A new session with the same settings", id="reset"),
        Binding(
            "slash",
            "query",
            "Find",
            key_display="/",
            tooltip="Filter events, search the transcript",
            priority=True,
            id="query",
        ),
        Binding("E", "errors", "Errors", tooltip="Only events that are errors", id="errors"),
        Binding("d", "debug", "Deltas", show=False, tooltip="Show every delta, and log records", id="debug"),
        Binding("1", "go('session')", "Session", show=False, id="pane.session"),
        Binding("2", "go('transcript')", "Transcript", show=False, id="pane.transcript"),
        Binding("3", "go('events')", "Events", show=False, id="pane.events"),
        Binding("4", "go('meters')", "Levels", show=False, id="pane.meters"),
        Binding("z", "zoom", "Zoom", show=False, tooltip="Give the focused pane all the room, or end that", id="zoom"),
        Binding("f", "follow", "Follow", show=False, tooltip="Stay at the end, or stop that", id="follow"),
        Binding("y", "copy", "Copy", show=False, tooltip="Copy the selection or the line", id="copy"),
        Binding("e", "cross", "Event ↔ words", show=False, tooltip="From an event to its words and back", id="cross"),
        Binding(
            "s", "same('item')", "Same item", show=False, tooltip="Only events of this line's item", id="same_item"
        ),
        Binding(
            "S", "same('response')", "Same response", show=False, tooltip="Only of its response", id="same_response"
        ),
        Binding("n", "match(1)", "Next match", show=False, id="match.next"),
        Binding("N", "match(-1)", "Previous match", show=False, id="match.previous"),
        Binding("o", "devices", "Sound devices", show=False, tooltip="Choose input and output", id="devices"),
        Binding("escape", "back", "Back", show=False, id="back"),
        Binding("question_mark,f1", "help", "Help", key_display="?", tooltip="Keys and numbers explained", id="help"),
        Binding("colon", "app.command_palette", "Commands", show=False, id="palette"),
    ]

    session: reactive[SessionState] = reactive(SessionState, init=False, repaint=False)
    logged: reactive[SessionState] = reactive(SessionState, init=False, repaint=False)
    """What the events pane shows: as `session`, but a line that only counts up may wait."""
    elapsed: reactive[str] = reactive("", init=False, repaint=False)

    def __init__(self, live: "Shell", ui: "Ui", size: Size) -> None:
        self.current = self.words = "transcript"
        self.zoomed = False
        # Classes that change after mounting cost a look at every style of every widget once more.
        super().__init__(classes=" ".join(arrange(size, self.current, self.words, zoomed=False, lean=ui.lean).classes))
        self.live = live
        self.lean = ui.lean
        self.pacing = Pacing(monotonic(), lean=ui.lean)
        self._ticks = 0
        self._slow = False

    def compose(self) -> ComposeResult:
        """Status, panes, levels, prompt, keys."""
        cls = DashboardScreen
        yield Static(f"The dashboard needs at least {LEAST.width}x{LEAST.height} characters.", id="tiny", markup=False)
        with HorizontalGround(id="top"):
            yield StatusLine(id="status").data_bind(cls.session, cls.elapsed)
            yield Clock(id="clock").data_bind(cls.elapsed)
        yield ProblemLine(id="problem").data_bind(cls.session)
        with VerticalGround(id="main"):
            with VerticalGround(id="talk"):
                yield SessionPane(id="session").data_bind(cls.session, cls.elapsed)
                yield TranscriptPane(id="transcript").data_bind(cls.session)
            yield EventsPane(id="events").data_bind(session=cls.logged)
        yield MetersPane(id="meters").data_bind(cls.session)
        yield Prompt(id="prompt")
        yield Keys()

    def on_mount(self) -> None:
        """Begin to tick, and the conversation once the first screen is painted."""
        if self.lean:
            for view in self.query(ScrollList):
                view.step = 0.9
            self.query_one(MetersPane).be_lean()
        self.lay_out()
        query = self.query_one
        self._hearing = (query(StatusLine), query(SessionPane), query(TranscriptPane), query(MetersPane))
        self.live.observe(self.toast)
        self.tick()
        self._timer = self.set_interval(0.6 if self.lean else 0.05, self.tick)
        self._slow_timer = self.set_interval(0.08, self.tick, pause=True)
        self.call_after_refresh(self.converse)

    def converse(self) -> None:
        """Hold the conversation, as the one worker of the screen."""
        self.run_worker(self.live.run(), name="conversation")

    # The tick

    def tick(self) -> None:
        """Copy what changed from the shell to the panes."""
        now, state = monotonic(), self.live.state
        self._ticks += 1
        idles = self._slow and state.microphone.capturing  # where every tick is as far from the next as two usually are
        if self._ticks % 2 or idles or self.live.activity_changed():
            reading = self.live.reading()
            for pane in self._hearing:
                pane.hear(reading)
        show, log = self.pacing.decide(self.session, self.logged, state, now)
        if show:
            self.take(state)
        if log:
            self.logged = state
        if not self._ticks % (2 if self.lean else 10):
            self.show_elapsed(now)
            self.pace(self.pacing.quiet(self.session, now))
        elif self._slow and not self.pacing.quiet(self.session, now):
            self.pace(False)

    def pace(self, quiet: bool) -> None:
        """Tick less often while nothing is going on: an idle screen is to cost next to nothing."""
        if self.lean or quiet is self._slow:
            return
        self._slow = quiet
        running, waiting = (self._slow_timer, self._timer) if quiet else (self._timer, self._slow_timer)
        waiting.pause()
        running.resume()

    def take(self, state: SessionState) -> None:
        """Give a state to the panes."""
        push_to_talk = state.microphone.push_to_talk is not self.session.microphone.push_to_talk
        self.session = state
        if push_to_talk:
            self.refresh_bindings()

    def show_elapsed(self, now: float) -> None:
        """How long the session has been going."""
        connection = self.session.connection
        if connection.started_at:
            until = now if connection.ended_at is None else connection.ended_at
            still = self.lean or self.pacing.quiet(self.session, now)
            self.elapsed = elapsed(until - connection.started_at, still and remaining(self.session) is None)

    # Layout

    def on_resize(self, event: events.Resize) -> None:
        """Another size may want another layout; the screen itself learns of its size after this."""
        self.lay_out(event.size)
        self.call_after_refresh(self.keep_focus)

    def keep_focus(self) -> None:
        """Where there was no room for the widget with the focus, its pane has it again."""
        if self.focused is None and self.pane.display:
            self.set_focus(self.pane.target)

    def lay_out(self, size: Size | None = None) -> None:
        """Show the panes that there is room for."""
        size = self.size if size is None else size
        classes, shown = arrange(size, self.current, self.words, zoomed=self.zoomed, lean=self.lean)
        if self.zoomed and self.meters_focused:
            classes |= {"levels"}
        if classes != self.classes & ARRANGED:
            self.set_classes(self.classes - ARRANGED | classes)
        panes = [self.query_one(f"#{name}", Pane) for name in PANES]
        hidden = tuple(f"{pane.go_key} {pane.NAME}" for pane in panes if pane.id not in shown)
        for pane in panes:
            pane.display = pane.id in shown
            pane.others = hidden if shown[:1] == (pane.id,) else ()
        self.query_one("#talk").display = bool({"session", "transcript"}.intersection(shown))

    @property
    def meters_focused(self) -> bool:
        """Whether the levels have the focus."""
        return self.query_one(MetersPane).has_focus_within

    @property
    def pane(self) -> Pane:
        """The pane that has the focus, or had it last."""
        return self.query_one(f"#{self.current}", Pane)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember which pane is used."""
        pane = next((node for node in event.widget.ancestors if isinstance(node, Pane)), None)
        if pane is not None and not isinstance(pane, MetersPane) and pane.id:
            self.use(pane.id)

    def use(self, name: str) -> None:
        """Remember which pane is in use."""
        self.current = name
        if name != "events":
            self.words = name

    def action_go(self, name: str) -> None:
        """Go to a pane."""
        if name != "meters":
            self.use(name)
        self.lay_out()
        self.set_focus(self.query_one(f"#{name}", Pane).target)
        self.lay_out()

    def action_zoom(self) -> None:
        """One pane alone, or all of them."""
        self.zoomed = not self.zoomed
        self.lay_out()

    # The conversation

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Push-to-talk has its key only where the service detects no turns; what is typed is the prompt's."""
        if action in ("type", "query"):
            return not (self.is_mounted and self.query_one(Prompt).has_focus_within)
        return self.session.microphone.push_to_talk if action == "talk" else True

    def apply(self, input_: Input) -> None:
        """Give an input to the session, and show what it did without waiting for the tick."""
        self.live.apply(input_)
        self.take(self.live.state)
        self.logged = self.live.state

    def toast(self, event: Input, before: SessionState, after: SessionState, now: float) -> None:
        """Tell why a key could do nothing; an observer of the session."""
        if isinstance(event, Key):
            for row in after.log.since(before.log.next_seq):
                if row.severity == "warning":
                    self.notify(row.text, severity="warning", markup=False)

    def action_mute(self) -> None:
        """`m`."""
        self.apply(MutePressed())

    def action_talk(self) -> None:
        """`space`."""
        self.apply(TalkPressed())

    def action_interrupt(self) -> None:
        """`i`."""
        self.apply(InterruptPressed())

    def action_reset(self) -> None:
        """`r`: a new session is looked at from its beginning on."""
        self.apply(ResetPressed())
        for view in (self.query_one(EventsPane).view, self.query_one(TranscriptPane).view):
            view.follow(True)

    def action_type(self) -> None:
        """`t`: a prompt for a message."""
        self.query_one(Prompt).ask("say")

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        """A message was typed, or a filter is as it should be."""
        if message.purpose == "say":
            if message.text.strip():
                self.apply(TextTyped(message.text.strip()))
            if self.session.connection.link is not Link.READY:  # nothing that was typed is lost
                self.query_one(Prompt).ask("say", message.text)
                return
        else:
            self.query_pane(message.text)
        self.set_focus(self.pane.target)

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """A filter works while it is typed."""
        if message.purpose != "say":
            self.query_pane(message.text)

    def on_prompt_left(self, message: Prompt.Left) -> None:
        """Escape: what was in force before is again."""
        if message.purpose == "filter":
            self.query_pane(message.before)
        elif message.purpose == "search":
            self.query_one(TranscriptPane).search_is_left()
        self.set_focus(self.pane.target)

    # Panes

    def query_pane(self, text: str) -> None:
        """Filter or search the pane in use."""
        self.query_one(Prompt).problem = ""
        if isinstance(self.pane, EventsPane | TranscriptPane):
            self.pane.query_changed(text)

    def on_pane_query_refused(self, message: Pane.QueryRefused) -> None:
        """Say it beside what was typed."""
        prompt = self.query_one(Prompt)
        if prompt.display:
            if prompt.text == message.text:  # else more has been typed since
                prompt.problem = message.problem
        else:
            self.notify(message.problem, severity="warning", markup=False)

    def action_query(self) -> None:
        """`/`: filter the events, or search the transcript."""
        if isinstance(self.pane, EventsPane):
            self.query_one(Prompt).ask("filter", self.pane.query_text)
        else:
            self.action_go("transcript")
            self.query_one(TranscriptPane).search_begins()
            self.query_one(Prompt).ask("search")

    def action_debug(self) -> None:
        """`d`."""
        events_pane = self.query_one(EventsPane)
        events_pane.toggle_unfolded()
        if self.pane is not events_pane:  # which may not even be in view
            every = events_pane.view.rows.unfolded
            self.notify(
                f"Events: {'every delta and log record' if every else 'runs of deltas as one line'}.", timeout=3
            )

    def action_follow(self) -> None:
        """`f`."""
        if isinstance(self.pane, EventsPane | TranscriptPane):
            self.pane.view.follow(not self.pane.view.following)

    def action_match(self, step: int) -> None:
        """`n` and `N`."""
        self.query_one(TranscriptPane).next_match(step)

    def action_errors(self) -> None:
        """`E`: only errors, or what was before."""
        events_pane = self.query_one(EventsPane)
        self.action_go("events")
        events_pane.query_changed("" if events_pane.query_text == "is:error" else "is:error")

    def action_same(self, what: Literal["item", "response"]) -> None:
        """`s` and `S`: only the events of this line's item or response, or everything again."""
        events_pane = self.query_one(EventsPane)
        if self.pane is events_pane and events_pane.query_text.startswith(f"{what}:"):
            events_pane.query_changed("")
            return
        line = self.pane.selected() if isinstance(self.pane, EventsPane | TranscriptPane) else None
        identifier = getattr(line, f"{what}_id", "")
        if not identifier:
            self.notify(f"This line belongs to no {what}.", timeout=3)
            return
        if visible(identifier) != identifier or len(identifier.split()) != 1:  # what is typed can be edited, and drawn
            self.notify(f"The id of this {what} holds characters that no filter has.", timeout=3)
            return
        self.action_go("events")
        events_pane.query_changed(f"{what}:{identifier}")

    def action_cross(self) -> None:
        """`e`: from words to their events, from an event to its words, from a problem to its event."""
        events_pane, transcript = self.query_one(EventsPane), self.query_one(TranscriptPane)
        if self.session.problems:
            found = events_pane.select(self.session.problems[-1].seq)
            target = "events"
            self.apply(ProblemsSeen())
            if found and (row := events_pane.selected()):
                events_pane.open(row)
        elif isinstance(self.pane, EventsPane):
            row = self.pane.selected()
            item = row.item_id if row is not None else ""
            if row is not None and not item and row.response_id:
                item = next((x.item_id for x in self.session.transcript if x.response_id == row.response_id), "")
            found, target = bool(item) and transcript.select(item), "transcript"
        else:
            entry = transcript.selected()
            seq = None if entry is None else first_row(self.session, entry.item_id)
            found, target = seq is not None and events_pane.select(seq), "events"
        if found:
            self.action_go(target)
        else:
            self.notify("There is no line for this on the other side.", timeout=3)

    def action_copy(self) -> None:
        """`y`: what the mouse selected, else the line under the cursor."""
        if selected := self.get_selected_text():
            self.on_pane_copied(Pane.Copied(selected, "the selection"))
        elif isinstance(self.pane, EventsPane | TranscriptPane):
            self.pane.copy()

    def on_pane_copied(self, message: Pane.Copied) -> None:
        """Into the clipboard, through SSH too where the terminal allows it (OSC 52)."""
        self.app.copy_to_clipboard(message.text)
        self.notify(f"Copied {message.what}: {len(message.text):,} characters.", timeout=2)

    def action_back(self) -> None:
        """Escape: close what is open, one thing at a time."""
        if self.query_one(Prompt).display:
            self.query_one(Prompt).action_leave()
            return
        events_pane = self.query_one(EventsPane)
        if events_pane.display and events_pane.close():
            return
        if self.session.problems:
            self.apply(ProblemsSeen())
        elif self.zoomed:
            self.action_zoom()
        elif self.get_selected_text():
            self.clear_selection()
        else:
            self.query_pane("")

    # Other screens

    def action_help(self) -> None:
        """`?`: for the focused pane."""
        pane = self.query_one(MetersPane) if self.meters_focused else self.pane
        self.app.push_screen(HelpScreen(pane.NAME, with_keys(self, pane.HELP_TEXT), self.active_bindings))

    async def action_devices(self) -> None:
        """`o`: choose sound devices."""
        self.app.push_screen(DevicePicker(self.live))


def first_row(session: SessionState, item_id: str) -> int | None:
    """The first row of the log that belongs to an item."""
    return next((row.seq for row in session.log.since(session.log.first_seq) if row.item_id == item_id), None)
