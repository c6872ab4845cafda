"""The delay pane: from the end of your speech to the first sound of the answer, turn by turn."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from voicelive_tui.session import latency
from voicelive_tui.session.headline import first_step
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import SessionState, Stage
from voicelive_tui.text import excerpt
from voicelive_tui.ui.canvas import Lines
from voicelive_tui.ui.delays import BAR, Scale, delay_bar, mostly, sparkline
from voicelive_tui.ui.hints import Hint, replayed, with_keys
from voicelive_tui.ui.panes import ListPane, following_note, joined
from voicelive_tui.ui.scroll_list import ScrollList
from voicelive_tui.ui.text import Line, Span, measured, width_of

COLUMNS = {name: max(len(name) + 2, 11) for name, _, _ in latency.STAGES}
"""The parts, and the cells of their columns."""
TABLE = 13 + BAR + sum(COLUMNS.values())
"""Cells from which on every part has a column."""
ORDERS = ("turn", "delay", *COLUMNS)


def summary_line(session: SessionState, scale: Scale, width: int) -> Line:
    """Percentiles of all turns, as many as there is room for."""
    known = latency.summary(session.turns)
    assert known is not None
    spans: list[Span] = []
    for name, value in (("last", known.last), ("p50", known.p50), ("p95", known.p95), ("worst", known.worst)):
        more = ((f" {name} ", "dim"), *scale.amount(value), (" ", "text"))
        if width_of((*spans, *more)) <= width:
            spans += more
    return tuple(spans)


def legend(width: int) -> list[Line]:
    """The marks of the parts, wrapped between two of them."""
    words = [f"{mark} {name}" for name, mark, _ in latency.STAGES]
    rows = [words[0]]
    for each in words[1:]:
        if len(rows[-1]) + len(each) + 2 < width:
            rows[-1] += "  " + each
        else:
            rows.append(each)
    return [((" " + row, "dim"),) for row in rows]


def table_head(order: str) -> Line:
    """The names of the columns; an arrow marks the one that the turns are sorted by."""
    widths = {"turn": 5, "delay": 8, "": BAR, **COLUMNS}
    names = {name: "↓" + name if name == order else name for name in widths}
    return tuple(
        (f"{names[name]:>{cells - 1}}".ljust(cells), "strong" if name == order else "dim")
        for name, cells in widths.items()
    )


def turn_line(turn: Turn, scale: Scale, width: int, order: str = "turn") -> Line:
    """One turn: number, delay and bar; in a wide pane all parts in milliseconds.

    Else one in words: that which the turns are sorted by, or the longest.
    """
    amount = scale.amount((turn.latency or 0.0) * 1000, 7)
    spans: list[Span] = [(f" {turn.number:>3} ", "dim"), *amount, (" ", "text"), *delay_bar(turn, scale)]
    if width < TABLE:
        return (*spans, (" " + mostly(turn, width - 15 - BAR, order if order in COLUMNS else ""), "dim"))
    parts = {part.name: part for part in latency.stages(turn)}
    longest = latency.slowest(turn)
    for name, cells in COLUMNS.items():
        part = parts.get(name)
        text = "·" if part is None else f"{part.milliseconds:,.0f} ms"
        tone = "text" if part is not None and part == longest else "dim"
        spans += [*measured(text.rjust(cells - 1), tone), (" ", "text")]
    return tuple(spans)


class DelayView(ScrollList):
    """The turns that were answered with sound."""

    items: Sequence[Turn] = ()
    scale = Scale()
    order = "turn"

    def item_line(self, index: int) -> Line:
        return turn_line(self.items[index], self.scale, self.size.width, self.order)


class DelayPane(ListPane):
    """Percentiles, a sparkline of all turns, and the turns; with all the room a table that can be sorted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("O", "order", "Sort", show=False, tooltip="Sort turns by the next part", id="delay.order"),
    ]
    ID = "delay"
    NAME = "Delay"
    NUMBER = "7"
    KEYS = ("list.open", "delay.order", "cross", "zoom")
    CROSSES_TO = "transcript"
    HELP_TEXT = Hint("\n".join((
        "From the last voiced microphone sample (of a typed message: from its sending) to the first sample of the "
        "answer at the speaker. Its parts:",
        *(f"{mark} {name}: {ends}" for name, mark, ends in latency.STAGES),
        "The longest part of each turn stands out. All bars have one scale. slow_delays says what is amber, and red.",
        "p50, p95 and worst are of all turns of this session that were answered with sound (nearest rank). "
        "In the line of all turns, those above p95 stand out, those up to p50 are dim; beside it is how high both are.",
        "{list.open} gives the turns all the room, a column for each part in a wide terminal; {delay.order} sorts by "
        "the next part. {list.open} again goes to the words of the turn, as {cross} does; {cross} there to its events.",
    )))  # fmt: skip
    DEFAULT_CSS = """
    DelayPane {
        & #delay-head { height: 2; }
        & #delay-legend { height: auto; display: none; }
    }
    """

    VIEW = DelayView
    view: DelayView
    _made_of: object = None
    _counted: tuple[tuple[Turn, ...], int] = ((), 0)
    """The turns, and how many of them were answered with sound."""

    def body(self) -> ComposeResult:
        yield Lines(id="delay-head")
        yield self.view
        yield Lines(id="delay-legend")

    def show(self, session: SessionState) -> None:
        view = self.view
        width = view.size.width
        made_of = session.turns, width, view.order, session.connection.stage, session.input
        if made_of == self._made_of or not width:
            return
        self._made_of = made_of
        head = self.query_one("#delay-head", Lines)
        answered = [turn for turn in session.turns if turn.latency is not None]
        view.items, view.scale = self._sorted(answered), view.scale.of(session.turns)
        if answered:
            summary = summary_line(session, view.scale, width)
            if width >= TABLE:
                room = width - width_of(summary) - 4
                head.show((*summary, ("   ", "text"), *sparkline(session.turns, room)), table_head(view.order))
            else:
                head.show(summary, ((" ", "text"), *sparkline(session.turns, width - 2)))
        else:
            head.show()
            begin = "{replay.play} plays on." if replayed(self) else first_step(session)
            hint = Hint(begin + " The delay of each answer is taken apart here.")
            ended = session.connection.stage in (Stage.CLOSED, Stage.FAILED)
            view.instead = "No answer was heard." if ended else with_keys(self, hint)
        view.items_changed()

    def _sorted(self, turns: list[Turn]) -> list[Turn]:
        """The slowest last, where the list is followed."""
        order = self.view.order
        if order == "turn":
            return turns
        if order == "delay":
            return sorted(turns, key=lambda turn: turn.latency or 0.0)
        parts = {turn.number: {part.name: part.milliseconds for part in latency.stages(turn)} for turn in turns}
        return sorted(turns, key=lambda turn: parts[turn.number].get(order, 0.0))

    def on_resize(self) -> None:
        legend_lines = self.query_one("#delay-legend", Lines)
        lines = legend(self.size.width)
        legend_lines.styles.height = len(lines)
        legend_lines.display = self.outer_size.height >= 9 + len(lines)
        legend_lines.show(*lines)

    def count(self) -> Line:
        turns = self.session.turns
        if turns is not self._counted[0]:  # the list itself is not brought up to date while it is hidden
            self._counted = turns, sum(turn.latency is not None for turn in turns)
        return ((f"{self._counted[1]:,}", "dim"),) if self._counted[1] else ()

    def note(self) -> Line:
        """What the turns are sorted by, and whether the end is followed."""
        order = self.view.order
        return joined((f"by {order}" if order != "turn" else "", "accent"), *following_note(self.view))

    def action_order(self) -> None:
        self.view.order = ORDERS[(ORDERS.index(self.view.order) + 1) % len(ORDERS)]
        self.view.follow(True)
        self.show(self.session)
        self.show_head()

    async def on_scroll_list_opened(self) -> None:
        await self.run_action("screen.zoom" if self.outer_size.width < self.screen.size.width else "screen.cross")

    def selected(self) -> Turn | None:
        view = self.view
        return view.items[-1 if view.cursor is None else view.cursor] if view.items else None

    def to_copy(self) -> tuple[str, str] | None:
        turn = self.selected()
        if turn is None:
            return None
        parts = "\n".join(f"{part.name}\t{part.milliseconds:.0f} ms" for part in latency.stages(turn))
        words = next((entry.text for entry in self.session.transcript if entry.item_id == turn.item_id), "")
        return f"turn {turn.number}\t{(turn.latency or 0) * 1000:.0f} ms\t{excerpt(words)}\n{parts}", "this turn"
