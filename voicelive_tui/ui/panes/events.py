"""The event pane: every event in both directions, folded, filtered, and opened as a JSON tree beside the list."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Literal

from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import SessionState
from voicelive_tui.text import short_id, size, visible
from voicelive_tui.ui.detail import parsed
from voicelive_tui.ui.hints import Hint, with_keys
from voicelive_tui.ui.panes import Place, following_note, joined
from voicelive_tui.ui.panes.inspecting import InspectingPane
from voicelive_tui.ui.rows import Fold, Rows, foldable
from voicelive_tui.ui.scroll_list import ScrollList, pointed
from voicelive_tui.ui.text import Line, Span, clip_left, clip_words, fit, width_of
from voicelive_tui.wire import filters
from voicelive_tui.wire.log import EventLog, LogRow
from voicelive_tui.wire.summary import summarize

NONE = "The events of the connection appear here, both ways."
KEPT = 200
"""Lines kept at most: those of a tall screen, as it scrolls."""

LEAST_SUMMARY = 4
"""Cells; with less room than that a line has no summary."""

_ARROWS = {"in": ("←", "good"), "out": ("→", "user"), "local": ("•", "accent"), "log": ("≡", "dim")}
FAMILIES = {
    "session": "accent",
    "input_audio": "input",
    "input_audio_buffer": "input",
    "conversation": "item",
    "response": "good",
}
"""Tones of event types by their first part; what belongs together is seen at a glance."""
_MARKS = {"error": ("✗", "bad"), "warning": ("!", "warn")}


def moment(seconds: float) -> str:
    """Time since the first session began, to the millisecond: `0:12.345`, `61:02.345`."""
    return f"{int(seconds // 60)}:{seconds % 60:06.3f}"


def gap(seconds: float) -> str:
    """Time since the line before, short."""
    if seconds < 0.0005:
        return ""
    return f"+{seconds:.3f}" if seconds < 10 else f"+{seconds:.0f}" if seconds < 10_000 else "+++"


def event_line(row: LogRow, fold: Fold, since: float, origin: float, width: int) -> Line:
    """One line of the list, in `width` cells."""
    arrow, arrow_tone = _ARROWS[row.direction]
    mark, tone = _MARKS.get(row.severity, ("", ""))
    quiet = foldable(row) or row.severity == "debug"
    tone = tone or ("dim" if quiet else "text")
    spans: list[Span] = [
        (f" {moment(max(row.at - origin, 0.0)):>9} ", "dim"),
        (f"{gap(since):>7} ", "dim"),
        (f"{arrow}{mark or ' '} ", tone if mark else arrow_tone),
    ]
    room = width - width_of(spans)  # beside the inspector not always enough for the type
    id_width = 9 if width >= 100 else 0
    type_width = 53 if width >= 150 else 36 if width >= 100 else min(28, max(room, 1))
    if fold.rows > 1:
        count = f" ×{fold.rows:,}"
        name = clip_left(visible(row.type), type_width - len(count))
        spans.append((fit(name + count, type_width) + "  ", tone))
        spans.append((" " * id_width + (size(fold.size) if fold.size else ""), tone))
        return tuple(spans)
    if row.direction == "local":
        spans.append((clip_words(summarize(row), room), tone))
        return tuple(spans)
    family = FAMILIES.get(row.type.partition(".")[0], "text") if tone == "text" else tone
    spans.append((fit(clip_left(visible(row.type), type_width), type_width) + "  ", family))
    spans.append((fit(visible(short_id(row.item_id or row.response_id)), id_width), "dim"))
    room = width - width_of(spans)
    spans.append((clip_words(summarize(row), room if room >= LEAST_SUMMARY else 0), "dim" if tone == "text" else tone))
    return tuple(spans)


def began_at(turn: Turn) -> float | None:
    """The first moment known of a turn."""
    known = (turn.speech_started_at, turn.asked_at, turn.committed_at, turn.created_at)
    return min((at for at in known if at is not None), default=None)


class EventsView(ScrollList):
    """The lines of the list, one for each fold."""

    def __init__(self, id: str) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.instead = NONE
        self.rows = Rows()
        self.log_shown = EventLog()
        self._turns: Sequence[Turn] = ()
        self._rules: list[tuple[int, int]] = []
        """The first line of each turn, and the turn's number: a rule is drawn above it."""
        self._ruled: list[int] = []
        """The lines of the rules."""
        self._hidden: LogRow | None = None
        """The row under the cursor, while a filter hides it."""
        self._made: dict[tuple[Fold, Fold | None, float, int], Line] = {}
        """Lines by what they were made of."""

    @property
    def count(self) -> int:
        return len(self.rows)

    def top_of(self, index: int) -> int:
        return index + bisect_right(self._rules, (index, math.inf))

    def item_at(self, y: int) -> int | None:
        before = bisect_right(self._ruled, y)
        is_rule = before and self._ruled[before - 1] == y
        return None if is_rule or not 0 <= y - before < len(self.rows) else y - before

    def line(self, y: int) -> Line:
        index = self.item_at(y)
        if index is not None:
            return self._event(index)
        if y in self._ruled:
            number = self._rules[self._ruled.index(y)][1]
            rule: Line = ((" ── ", "faint"), (f"turn {number} ", "dim"))
            return (*rule, ("─" * (self.size.width - width_of(rule) - 1), "faint"))
        return () if self.rows else self.empty_line(y)

    def _event(self, y: int) -> Line:
        made_of = (self.rows[y], self.rows[y - 1] if y else None, self.log_shown.origin, self.size.width)
        line = self._made.get(made_of)
        if line is None:
            line = self._made[made_of] = self._make(y)
            if len(self._made) > KEPT:
                del self._made[next(iter(self._made))]
        if not line:
            return ()
        return pointed(line) if y == self.cursor else line

    def _make(self, y: int) -> Line:
        fold = self.rows[y]
        row = self._row_of(fold)
        if row is None:
            return ()
        before = self.row_before(y, row)
        since = row.at - before.at if before is not None else 0.0
        return event_line(row, fold, since, self.log_shown.origin, self.size.width - 1)

    def row_before(self, index: int, row: LogRow) -> LogRow | None:
        """The last row of the line above; of a run that continued after `row`, the first."""
        if not index:
            return None
        above = self.rows[index - 1]
        return self.log_shown.row(above.last if above.last < row.seq else above.first)

    def row_at(self, index: int | None) -> LogRow | None:
        """The row of a line."""
        return None if index is None or not 0 <= index < len(self.rows) else self._row_of(self.rows[index])

    def _row_of(self, fold: Fold) -> LogRow | None:
        """The row that stands for a line: of a run of deltas the first one kept."""
        return self.log_shown.row(fold.first) or self.log_shown.row(fold.last)

    def show(self, log: EventLog, turns: Sequence[Turn] = ()) -> int:
        """Bring the list up to date with the log; how many lines were dropped at its front."""
        self.log_shown, self._turns = log, turns
        dropped = self.rows.update(log)
        self._rule(dropped)
        if dropped:
            self._made.clear()  # runs lost their beginnings
            self.cursor = None if self.cursor is None else max(self.cursor - dropped, 0)
            self.scroll_to(y=max(self.scroll_offset.y - dropped, 0), animate=False)
        self.items_changed()
        return dropped

    def _rule(self, dropped: int = 0) -> None:
        """Place the rules of turns that have none, each above the first line since the turn began."""
        self._rules = [(index - dropped, number) for index, number in self._rules if index >= dropped]
        first, last = self._rules[-1] if self._rules else (0, 0)
        for turn in takewhile(lambda turn: turn.number > last, reversed(self._turns)):
            began = began_at(turn)
            index = len(self.rows) if began is None else bisect_left(self.rows, began, first, key=self._begins)
            if index < len(self.rows):
                self._rules.append((index, turn.number))
        self._rules = sorted(dict(sorted(self._rules)).items())
        self._ruled = [index + above for above, (index, _) in enumerate(self._rules)]

    def _begins(self, fold: Fold) -> float:
        row = self._row_of(fold)
        return 0.0 if row is None else row.at

    def restart(self) -> None:
        """Rebuild the list after a change of the filter; the cursor stays on its row if that is still shown."""
        row = self._hidden if self.cursor is None else self.row_at(self.cursor)
        self.cursor = None
        self.rows.restart()
        self.rows.update(self.log_shown)
        self._rules = []
        self._rule()
        index = self.rows.find(row, self.log_shown) if row is not None else None
        if index is None:
            self.follow(True)
            self._hidden = row
        else:
            self.go_to(index)

    def follow(self, following: bool) -> None:
        self._hidden = None
        super().follow(following)


class EventsPane(InspectingPane):
    """The list of events, and an opened event beside it."""

    ID = "events"
    NAME = "Events"
    NUMBER = "3"
    QUERY = "filter"
    KEYS = ("list.open", "query", "cross", "follow", "debug", "zoom")
    CROSSES_TO = "transcript"
    HELP_TEXT = Hint("""\
Time since the start, gap since the line before, → sent, ← received, • local, ≡ log record.
Runs of deltas are one line that counts up; {debug} shows every one of them, and log records.
{list.open} opens the event beside the list; tab goes there, \
{copy} copies it or the value under the cursor, {back} closes it.
{query} filters: word "two words" /regex/ !not dir:in dir:out dir:local dir:log is:error is:warning \
type: item: response: gap:>0.5 time:1:20-1:45
All terms must hold; an empty filter shows everything.
{same_item} shows only what belongs to the item of this line, {same_response} to its response, {errors} only errors; \
once more shows everything.
{cross} goes to the transcript line that the event belongs to.""")

    VIEW = EventsView
    view: EventsView
    query_text = ""
    _seen = 0
    """Number of lines when following ended."""

    def show(self, session: SessionState) -> None:
        try:
            dropped = self.view.show(session.log, session.turns)
        except ValueError as problem:  # a filter that was fast enough for earlier rows
            dropped = 0
            self.post_message(self.QueryRefused(self.query_text, str(problem)))
            self._filter("", filters.everything)
        self._seen = len(self.view.rows) if self.view.following else max(self._seen - dropped, 0)

    def count(self) -> Line:
        """How many rows match the filter; all rows and those kept."""
        view, log = self.view, self.view.log_shown
        matching: Span = (f"{view.rows.matching:,} of {len(log):,}", "text")
        shown = matching if self.query_text else (f"{log.next_seq:,}", "dim")
        kept = " kept" if self.query_text else f", {len(log):,} kept"
        return (shown, (kept, "warn")) if log.first_seq else (shown,)

    def note(self) -> Line:
        """The filter; following, or how much is new."""
        view = self.view
        new = 0 if view.following else len(view.rows) - self._seen
        return joined(
            (f"/{visible(self.query_text)}" if self.query_text else "", "accent"),
            (with_keys(self, Hint("{back} shows all")) if self.query_text else "", "dim"),
            ("unfolded" if view.rows.unfolded else "", "accent"),
            (f"↓ {new:,} new" if new > 0 else "", "warn"),
            *following_note(view),
        )

    def query_changed(self, text: str) -> None:
        """Filter by a text; an invalid one changes nothing, and `QueryRefused` is posted."""
        try:
            choose = filters.parse(text, lambda: self.view.log_shown.origin)
        except ValueError as problem:
            self.post_message(self.QueryRefused(text, str(problem)))
            return
        before = self.query_text, self.view.rows.choose
        try:
            self._filter(text.strip(), choose)
        except ValueError as problem:  # it takes too long
            self._filter(*before)
            self.post_message(self.QueryRefused(text, str(problem)))

    @property
    def leaves(self) -> bool:
        return bool(self.query_text) or super().leaves

    def query_begins(self) -> str:
        return self.query_text

    def toggle_filter(self, text: str) -> None:
        """Filter by a text, or end that filter."""
        self.query_changed("" if self.query_text == text else text)

    def _filter(self, text: str, choose: filters.Filter) -> None:
        self.query_text = text
        self.view.rows.choose = choose
        self.view.rows.records_wanted = "dir:log" in text.split()
        self._build()

    def toggle_same(self, what: Literal["item", "response"], place: Place, here: bool) -> str:
        """Filter by the item or the response of a place, or end such a filter from here; why that is impossible."""
        if here and self.query_text.startswith(f"{what}:"):
            self.query_changed("")
            return ""
        identifier = place.item_id if what == "item" else place.response_id
        if not identifier:
            return f"This line belongs to no {what}."
        if visible(identifier) != identifier or len(identifier.split()) != 1:  # a filter can be edited, and is drawn
            return f"The id of this {what} holds characters that no filter has."
        self.query_changed(f"{what}:{identifier}")
        return ""

    def toggle_unfolded(self) -> bool:
        """Show a line for every row, and log records; or fold runs. Whether there is a line for every row now."""
        self.view.rows.unfolded = not self.view.rows.unfolded
        self._build()
        return self.view.rows.unfolded

    def _build(self) -> None:
        self.view.instead = (
            with_keys(self, Hint("No event matches; {back} shows all of them.")) if self.query_text else NONE
        )
        self.view.restart()
        self._seen = len(self.view.rows)
        self.show_head()

    def on_scroll_list_moved(self) -> None:
        if self.view.cursor == len(self.view.rows) - 1:
            self._seen = len(self.view.rows)
        super().on_scroll_list_moved()

    def inspected(self, index: int) -> tuple[object, float, str, Any] | None:
        row = self.view.row_at(index)
        if row is None:
            return None
        return row.seq, row.at, row.type, row.text if row.direction in ("local", "log") else parsed(row.text)

    def selected(self) -> LogRow | None:
        view = self.view
        return view.row_at(len(view.rows) - 1 if view.cursor is None else view.cursor)

    def place(self) -> Place | None:
        row = self.selected()
        return None if row is None else Place(row.item_id, row.response_id, row.seq)

    def go_to(self, place: Place) -> bool:
        """Move the cursor to the row of a place, without the filter if that hides it; False if the row is gone."""
        log = self.view.log_shown
        if place.seq is None:
            row = next((row for row in log.since(log.first_seq) if row.item_id == place.item_id), None)
        else:
            row = log.row(place.seq)
        if row is None:
            return False
        index = self.view.rows.find(row, log)
        if index is None:
            self.query_changed("")
            index = self.view.rows.find(row, log)
        if index is None and row.direction == "log":
            self.toggle_unfolded()
            index = self.view.rows.find(row, log)
        if index is None:
            return False
        self.view.go_to(index)
        if place.opened:
            self.open(index)
        return True

    def to_copy(self) -> tuple[str, str] | None:
        row = self.selected()
        return super().to_copy() or ((row.text, "this event") if row else None)
