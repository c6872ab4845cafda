"""The dashboard screen: its layout, its keys, and the worker that runs the conversation.

Keys become inputs for the shell; `live_screen.py` draws what they and the service change.
"""

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size

from voicelive_tui.client.profiles import Profiles
from voicelive_tui.client.shell import Shell
from voicelive_tui.config import Ui
from voicelive_tui.session import inputs
from voicelive_tui.session.edits import other_detection
from voicelive_tui.session.state import Stage
from voicelive_tui.ui.arranged import ArrangedScreen
from voicelive_tui.ui.canvas import HorizontalGround, VerticalGround
from voicelive_tui.ui.delays import Scale
from voicelive_tui.ui.footer import Keys
from voicelive_tui.ui.hints import Hint, with_keys
from voicelive_tui.ui.pace import LEAN, NORMAL
from voicelive_tui.ui.panes import ListPane, Pane, Place
from voicelive_tui.ui.panes.delay import DelayPane
from voicelive_tui.ui.panes.events import EventsPane
from voicelive_tui.ui.panes.meters import MetersPane
from voicelive_tui.ui.panes.session import SessionPane
from voicelive_tui.ui.panes.status import Clock, ProblemLine, StatusLine, TooSmall
from voicelive_tui.ui.panes.timeline import TimelinePane
from voicelive_tui.ui.panes.tools import ToolsPane
from voicelive_tui.ui.panes.transcript import TranscriptPane
from voicelive_tui.ui.prompt import Prompt

PANE_CLASSES: tuple[type[Pane], ...] = (
    SessionPane, TranscriptPane, EventsPane, MetersPane, ToolsPane, TimelinePane, DelayPane,
)  # fmt: skip


class DashboardScreen(ArrangedScreen):
    """Shows the state of `live` in a terminal of `size`, and passes keys on."""

    AUTO_FOCUS = "#transcript-view"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "apply('MutePressed')", "Mute", tooltip="Send silence", id="mute"),
        Binding("space", "apply('TalkPressed')", "Talk", tooltip="Begin a turn", id="talk"),
        Binding("i", "apply('InterruptPressed')", "Interrupt", tooltip="Stop the assistant now", id="interrupt"),
        Binding("b", "detection", "Detection", show=False, tooltip="Push-to-talk", id="detection"),
        Binding("t", "type", "Type", tooltip="Type a message to the assistant", id="type"),
        Binding("r", "reset", "Reset", tooltip="A new session with the same settings", id="reset"),
        Binding(
            "w", "apply('KeepPressed')", "Keep recording", tooltip="Keep the last minutes, and record on", id="keep"
        ),
        Binding("slash", "query", "Find", key_display="/", tooltip="Filter or search", id="query"),
        Binding("E", "errors", "Errors", show=False, tooltip="Only events that are errors", id="errors"),
        Binding("d", "debug", "Deltas", show=False, tooltip="Show every delta, and log records", id="debug"),
        *(
            Binding(pane.NUMBER, f"go('{pane.ID}')", pane.NAME, show=False, id=f"pane.{pane.ID}")
            for pane in PANE_CLASSES
        ),
        Binding("tab", "app.focus_next", show=False, id="pane.next"),
        Binding("shift+tab", "app.focus_previous", show=False, id="pane.previous"),
        Binding("l", "locate", "Locate", show=False, tooltip="This line's moment in the timeline", id="locate"),
        Binding("ctrl+y", "decide(True)", "Approve", show=False, tooltip="Approve the call that waits", id="approve"),
        Binding("ctrl+n", "decide(False)", "Refuse", show=False, tooltip="Refuse the call that waits", id="refuse"),
        Binding("z", "zoom", "Zoom", show=False, tooltip="All the room for this pane", id="zoom"),
        Binding("f", "follow", "Follow", show=False, tooltip="Stay at the end", id="follow"),
        Binding("y", "copy", "Copy", show=False, tooltip="Copy the selection or the line", id="copy"),
        Binding("e", "cross", "Event ↔ words", show=False, tooltip="From an event to its words and back", id="cross"),
        Binding("s", "same('item')", "Same item", show=False, tooltip="Events of this line's item", id="same_item"),
        Binding(
            "S", "same('response')", "Same response", show=False, tooltip="Events of its response", id="same_response"
        ),
        Binding("n", "match(1)", "Next match", show=False, id="match.next"),
        Binding("N", "match(-1)", "Previous match", show=False, id="match.previous"),
        Binding("c", "edit", "Settings", tooltip="Edit voice, instructions and more", id="edit"),
        Binding("o", "devices", "Sound devices", tooltip="Choose input and output", id="devices"),
        Binding("escape", "back", "Back", show=False, id="back"),
        Binding("question_mark,f1", "help", "Help", tooltip="Keys and numbers explained", id="help"),
        Binding("colon", "app.command_palette", "Commands", id="palette"),
    ]

    def __init__(self, live: Shell, ui: Ui, size: Size, profiles: Profiles | None = None) -> None:
        super().__init__(live, LEAN if ui.lean else NORMAL, size, profiles)
        self._slow_delays = ui.slow_delays

    def compose(self) -> ComposeResult:
        cls = DashboardScreen
        tools, timeline = ToolsPane(), TimelinePane(self.rates)
        tools.display = timeline.display = False  # until `lay_out` shows them
        yield TooSmall(id="tiny").data_bind(cls.session)
        with HorizontalGround(id="top"):
            yield StatusLine(id="status").data_bind(cls.session, cls.elapsed, cls.in_front)
            yield Clock(id="clock").data_bind(cls.elapsed)
        yield ProblemLine(id="problem").data_bind(cls.session, cls.in_front)
        with VerticalGround(id="main"):
            with VerticalGround(id="talk"):
                yield TranscriptPane().data_bind(cls.session)
                with VerticalGround(id="side"):
                    yield DelayPane().data_bind(cls.session)
                    yield SessionPane().data_bind(cls.session, cls.elapsed)
            yield EventsPane().data_bind(session=cls.logged)
            yield tools.data_bind(cls.session)
        yield timeline.data_bind(cls.session)
        yield MetersPane(self.rates).data_bind(cls.session)
        yield Prompt(id="prompt")
        yield Keys()

    def on_mount(self) -> None:
        for pane in self.query(ListPane):
            pane.view.step = self.rates.scroll_step
        self.events_pane, self.transcript = self.query_one(EventsPane), self.query_one(TranscriptPane)
        self.meters, self.prompt = self.query_one(MetersPane), self.query_one(Prompt)
        self.tools, self.timeline = self.query_one(ToolsPane), self.query_one(TimelinePane)
        self.transcript.view.scale = self.query_one(DelayPane).view.scale = Scale(slow=self._slow_delays)
        self.lay_out()
        self.draw_from_now_on(*self.query(StatusLine), *self.query(Pane))
        self.call_later(self.run_worker, self.live.run(), name="conversation")

    # The conversation

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("type", "query"):
            return not (self.is_mounted and self.query_one(Prompt).has_focus_within)
        return self.session.microphone.push_to_talk or parameters != ("TalkPressed",)

    def action_detection(self) -> None:
        self.apply(inputs.SessionEdited(other_detection(self.session)))

    def action_reset(self, keep: bool = False) -> None:
        self.apply(inputs.ResetPressed(keep))
        for pane in (self.events_pane, self.transcript):  # a new session is shown from its beginning
            pane.follow(True)

    def action_type(self) -> None:
        if self.session.connection.stage in (Stage.CLOSED, Stage.FAILED):
            self.notify(with_keys(self, Hint("not connected: press {reset} to connect")), severity="warning", timeout=3)
        else:
            self.prompt.ask("say")
            self.apply(inputs.TypingBegan())

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        if message.purpose == "say":
            if message.text.strip():
                self.apply(inputs.TextTyped(message.text.strip()))
            if not self.session.ready and not self.session.resuming:  # the text is kept
                self.prompt.ask("say", message.text)
                return
        else:
            self.query_pane(message.purpose, message.text)
        self.set_focus(self.pane.target)

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        if message.purpose != "say":
            self.query_pane(message.purpose, message.text)

    def on_prompt_left(self, message: Prompt.Left) -> None:
        if message.purpose == "filter":
            self.events_pane.query_changed(message.before)
        elif message.purpose == "search":
            self.transcript.search_left()
        self.set_focus(self.pane.target)

    def action_decide(self, approve: bool) -> None:
        self.tools.decide(approve)

    # Panes

    def query_pane(self, purpose: Literal["filter", "search"], text: str) -> None:
        """Filter the events, or search the transcript."""
        self.prompt.problem = ""
        (self.events_pane if purpose == "filter" else self.transcript).query_changed(text)

    def on_pane_query_refused(self, message: Pane.QueryRefused) -> None:
        if not self.prompt.display:
            self.notify(message.problem, severity="warning")
        elif self.prompt.text == message.text:  # else more has been typed since
            self.prompt.problem = message.problem

    def action_query(self) -> None:
        pane = self.pane if self.pane.QUERY else self.transcript
        self.action_go(pane.ID)
        if pane.QUERY:
            self.prompt.ask(pane.QUERY, pane.query_begins())

    def action_debug(self) -> None:
        unfolded = self.events_pane.toggle_unfolded()
        self.refresh_bindings()
        if self.pane is not self.events_pane:  # which may be hidden
            shown = "every delta and log record" if unfolded else "runs of deltas as one line"
            self.notify(f"Events: {shown}.", timeout=3)

    @property
    def switched_on(self) -> frozenset[str]:
        unfolded = self.is_mounted and self.events_pane.view.rows.unfolded
        return super().switched_on | ({"debug"} if unfolded else set())

    def action_follow(self) -> None:
        self.pane.follow()

    def action_match(self, step: int) -> None:
        (self.timeline if self.pane is self.timeline else self.transcript).next_match(step)

    def action_errors(self) -> None:
        self.action_go("events")
        self.events_pane.toggle_filter("is:error")

    def action_same(self, what: Literal["item", "response"]) -> None:
        if problem := self.events_pane.toggle_same(what, self.pane.place() or Place(), self.pane is self.events_pane):
            self.notify(problem, timeout=3)
        else:
            self.action_go("events")

    def action_cross(self) -> None:
        place: Place | None
        if self.session.problems:
            place, target = Place(seq=self.session.problems[-1].seq, opened=True), "events"
            self.apply(inputs.ProblemsSeen())
        else:
            pane = self.pane if self.pane.CROSSES_TO else self.transcript
            place, target = pane.place(), pane.CROSSES_TO
        if place is not None and self.query_one(f"#{target}", Pane).go_to(place):
            self.action_go(target)
        else:
            self.notify("There is no line for this on the other side.", timeout=3)

    def action_locate(self) -> None:
        place = self.pane.place()
        if place is not None and self.timeline.go_to(place):
            self.action_go("timeline")
        else:
            self.notify("The timeline has no moment for this.", timeout=3)

    def action_copy(self) -> None:
        selected = self.get_selected_text()
        if chosen := (selected, "the selection") if selected else self.pane.to_copy():
            text, what = chosen
            self.app.copy_to_clipboard(text)  # through SSH too, where the terminal allows OSC 52
            self.notify(f"Copied {what}: {len(text):,} characters.", timeout=2)

    def action_back(self) -> None:
        if self.prompt.display:
            self.prompt.action_leave()
        elif self.session.microphone.talking:
            self.apply(inputs.TalkCancelled())
        elif any(pane.display and pane.close() for pane in (self.events_pane, self.tools, self.timeline)):
            pass
        elif self.session.retry is not None:
            self.apply(inputs.StopPressed())
        elif self.session.problems:
            self.apply(inputs.ProblemsSeen())
        elif self.zoomed:
            self.action_zoom()
        elif self.get_selected_text():
            self.clear_selection()
        else:
            self.pane.query_changed("")

    # Other screens, loaded when they are opened

    def action_help(self) -> None:
        from voicelive_tui.ui.help import HelpScreen  # noqa: PLC0415

        pane = self.meters if self.meters.has_focus_within else self.pane
        self.app.push_screen(HelpScreen(pane.NAME, with_keys(pane, pane.HELP_TEXT), self.active_bindings))

    def action_edit(self) -> None:
        from voicelive_tui.ui.editor import EditorScreen  # noqa: PLC0415

        self.app.push_screen(EditorScreen(self))

    def action_devices(self) -> None:
        from voicelive_tui.ui.picker import DevicePicker  # noqa: PLC0415

        self.app.push_screen(DevicePicker(self.live))
