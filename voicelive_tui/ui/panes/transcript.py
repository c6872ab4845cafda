"""The transcript pane: both sides of the conversation in its own order, partial text growing in place."""

from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType

from voicelive_tui.session.calls import Call
from voicelive_tui.session.headline import first_step
from voicelive_tui.session.history import heard_characters
from voicelive_tui.session.keeping import SaveSound
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState, Stage
from voicelive_tui.session.transcript import Entry
from voicelive_tui.text import excerpt, visible
from voicelive_tui.ui.delays import Scale
from voicelive_tui.ui.entry_lines import entry_lines, room_for_words
from voicelive_tui.ui.hints import Hint, replayed, with_keys
from voicelive_tui.ui.panes import Place, following_note, joined
from voicelive_tui.ui.panes.status import silent_devices
from voicelive_tui.ui.panes.surgery import SurgeryPane
from voicelive_tui.ui.scroll_list import ScrollList, pointed
from voicelive_tui.ui.text import Line, Wrapping, centred, marked, wrap

MARGIN = ("   ", "text")
KEPT = 2_000
"""Lines kept at most: those of the entries drawn last."""


def after_lines(session: SessionState, width: int, named: Callable[[str], str], replayed: bool) -> list[Line]:
    """Lines below the last entry: what to do first, or why the session ended; `named` puts keys into hints."""
    connection = session.connection
    said: list[tuple[str, str, str]] = []
    if connection.stage in (Stage.FAILED, Stage.CLOSED) and connection.problem and not session.resuming:
        said.append(("✗ ", connection.problem, "bad"))
        again = "a new session" if connection.stage is Stage.CLOSED else "another try"
        said.append(("", Hint(f"Press {{reset}} for {again}."), "dim"))
    if not session.transcript and replayed:
        said.append(("", Hint("Nothing has been said so far: {replay.play} plays on."), "dim"))
    elif not session.transcript:
        said += [("! ", f"{name}: {problem}", "warn") for name, problem in silent_devices(session)]
        if connection.stage is Stage.READY:
            said.append(("", Hint(first_step(session)), "dim"))
        elif connection.stage in (Stage.CONNECTING, Stage.CONFIGURING):
            said.append(("", f"Connecting to {connection.endpoint} …", "dim"))
    lines: list[Line] = []
    for mark, text, tone in said:
        lines.append(())
        for index, piece in enumerate(wrap(excerpt(named(text)), max(width - 6, 10))):
            lines.append((MARGIN, (mark if index == 0 else " " * len(mark), tone), (piece, tone)))
    return lines


def call_text(call: Call | None) -> str:
    """A call and its output as text, as they came."""
    return "\n".join(filter(None, (f"{call.name}({call.arguments})", call.output))) if call else ""


class _Placed(NamedTuple):
    """An entry with what decides about its lines, and how many these are."""

    entry: Entry
    heard: int | None
    turn: Turn | None
    height: int


class _Drawn(NamedTuple):
    """The lines of one entry, and what they were made of."""

    made_of: tuple[object, ...]
    wrapping: Wrapping
    lines: list[Line]


class TranscriptView(ScrollList):
    """The entries, each with a blank line before a new exchange.

    The first line of every entry is known; lines are kept for the entries drawn last.
    """

    items: tuple[Entry, ...] = ()
    left_out = 0
    """See `SessionState.left_out`."""
    wanted = ""
    """The text searched for, in lower case."""
    scale = Scale()

    def __init__(self, id: str) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self.matches: list[int] = []
        self._placed: list[_Placed] = []
        self._tops: list[int] = [0]
        self._drawn_last: dict[str, _Drawn] = {}
        self._after: list[Line] = []
        """Lines below the last entry."""
        self._turn_of: dict[str, Turn] = {}
        self._placed_for: tuple[int, float, int, tuple[Turn, ...]] = (0, 0.0, 0, ())
        """Entries keep their lines while these stay the same: width, origin of times, entries left out, turns."""

    @property
    def height(self) -> int:
        return self._tops[-1] + len(self._after)

    def top_of(self, index: int) -> int:
        return self._tops[min(index, len(self._tops) - 1)]

    def item_at(self, y: int) -> int | None:
        return bisect_right(self._tops, y) - 1 if 0 <= y < self._tops[-1] else None

    def line(self, y: int) -> Line:
        index = self.item_at(y)
        if index is None:
            return self._after[y - self._tops[-1]] if self._tops[-1] <= y < self.height else ()
        entry, heard, turn, _ = self._placed[index]
        lines, at = self._lines_of(entry, heard, turn), y - self._tops[index]
        line = lines[at] if at < len(lines) else ()
        if self.wanted and index in self.matches:
            line = marked(line, self.wanted, "select")
        if index == self.cursor and at == 0 and line:
            return pointed(line)
        return line

    def show(self, session: SessionState, reading: Reading) -> None:
        """Bring the places of the entries up to date; those before the first that changed keep theirs."""
        moved, self.left_out = session.left_out - self.left_out, session.left_out
        gone = self.top_of(moved) if moved > 0 else 0
        self.matches = [at - moved for at in self.matches if 0 <= moved <= at]
        before, self.items = self.items, session.transcript
        self._keep_cursor(before, moved)
        if session.turns is not self._placed_for[-1]:
            self._turn_of = {turn.response_id: turn for turn in session.turns if turn.response_id}
            self.scale = self.scale.of(session.turns)
        placed_for = (self.size.width, session.log.origin, self.left_out, session.turns)
        start = self._unchanged(before) if placed_for == self._placed_for else 0
        if placed_for[:2] != self._placed_for[:2]:
            self._placed.clear()
        self._placed_for = placed_for
        self._place(start, reading)
        self._after = after_lines(session, self.size.width, partial(with_keys, self), replayed(self))
        if not self.items:
            self._after = centred(self._after[1:], *self.size)
        if gone and not self.following:
            self.scroll_to(y=max(self.scroll_offset.y - gone, 0), animate=False)
        self.items_changed()

    def hears_more(self, reading: Reading) -> bool:
        """Whether more words were heard than are shown as heard."""
        placed = next((each for each in reversed(self._placed) if each.entry.item_id == reading.heard_item), None)
        return placed is not None and heard_characters(placed.entry, reading) != placed.heard

    def _keep_cursor(self, before: tuple[Entry, ...], moved: int) -> None:
        """Keep the cursor on its entry when others are inserted above it."""
        if self.cursor is None or self.cursor >= len(before):
            return
        at, item_id = max(self.cursor - moved, 0), before[self.cursor].item_id
        if at < len(self.items) and self.items[at].item_id == item_id:
            self.cursor = at
        else:
            found = next((i for i, entry in enumerate(self.items) if entry.item_id == item_id), at)
            self.cursor = min(found, len(self.items) - 1) if self.items else None

    def _unchanged(self, before: tuple[Entry, ...]) -> int:
        """The number of leading entries that did not change and whose playback has ended."""
        for index, (entry, old) in enumerate(zip(self.items, before, strict=False)):
            if entry is not old or (entry.audio_ms and entry.heard_ms is None):
                return index
        return min(len(self.items), len(before))

    def _place(self, start: int, reading: Reading) -> None:
        """Compute the first line of each entry from `start` on."""
        known = {placed.entry.item_id: placed for placed in self._placed[start:]}
        del self._placed[start:], self._tops[start:]
        answered = {entry.response_id for entry in self.items[:start]}
        top = self._tops[start - 1] + self._placed[start - 1].height if start else 0
        for index in range(start, len(self.items)):
            entry = self.items[index]
            turn = None if entry.response_id in answered else self._turn_of.get(entry.response_id)
            answered.add(entry.response_id)
            heard, before = heard_characters(entry, reading), known.get(entry.item_id)
            if before is not None and before[:3] == (entry, heard, turn):
                height = before.height
            else:
                height = len(self._lines_of(entry, heard, turn))
            self._placed.append(_Placed(entry, heard, turn, height))
            top += index > 0 and entry.role == "user"  # a blank line before a new exchange
            self._tops.append(top)
            top += height
        self._tops.append(top)

    def _lines_of(self, entry: Entry, heard: int | None, turn: Turn | None) -> list[Line]:
        width, origin, *_ = self._placed_for
        made_of = (entry, heard, turn, self.scale if turn else None, width, origin)
        drawn = self._drawn_last.pop(entry.item_id, None)
        if drawn is None or drawn.made_of != made_of:
            room = room_for_words(width)
            wrapping = Wrapping(room) if drawn is None or drawn.wrapping.width != room else drawn.wrapping
            lines = entry_lines(entry, heard, wrapping, origin=origin, turn=turn, scale=self.scale)
            drawn = _Drawn(made_of, wrapping, lines)
            self._make_room(len(lines))
        self._drawn_last[entry.item_id] = drawn
        return drawn.lines

    def _make_room(self, lines: int) -> None:
        """Drop the lines drawn longest ago, which come first."""
        kept = sum(len(drawn.lines) for drawn in self._drawn_last.values())
        while kept + lines > KEPT and self._drawn_last:
            kept -= len(self._drawn_last.pop(next(iter(self._drawn_last))).lines)


class TranscriptPane(SurgeryPane):
    """The entries, a search through them, and what is new below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "W", "save_sound", "Save its sound", show=False, tooltip="Save its sound as a WAV file", id="item.sound"
        ),
    ]
    ID = "transcript"
    NAME = "Transcript"
    NUMBER = "2"
    QUERY = "search"
    KEYS = ("query", "cross", "follow", "zoom")
    CROSSES_TO = "events"
    HELP_TEXT = Hint("""\
Both sides in the order of the conversation, which is not always the order of arrival.
Words in italics were not heard (yet); where they begin is estimated from the share of the sound that was heard.
╎ marks where you interrupted: what follows it was never heard. \
“truncated”: the service knows up to where you heard it; “at” is another place, which it guessed.
Under each answer: the number of its turn, the time from your last word to its first sound, and its parts; \
{pane.delay} and {help} explain them.
{cross} shows the events of the line under the cursor. {query} searches, \
{match.next} and {match.previous} go to the next and the previous match, {locate} to the moment of the word found.
{item.delete} deletes the item under the cursor on the service, {item.insert} inserts a message after it, \
{item.ask} asks for another answer, and {item.branch} starts a new session that knows the conversation up to here.""")

    VIEW = TranscriptView
    view: TranscriptView
    _query = ""
    _before_search: tuple[str, int | None, bool, int] = ("", None, True, 0)
    _seen = 0
    """Number of entries when following ended."""

    def show(self, session: SessionState) -> None:
        self.view.show(session, self.reading)
        if self.view.following:
            self._seen = session.left_out + len(session.transcript)

    def update_levels(self, reading: Reading) -> None:
        """Change the tone of words that were heard."""
        old = self.reading
        super().update_levels(reading)
        if old.heard_item != reading.heard_item or self.view.hears_more(reading):
            self.show(self.session)

    def note(self) -> Line:
        """Matches, and what is new below."""
        view = self.view
        at = view.matches.index(view.cursor) + 1 if view.cursor in view.matches else 0
        new = 0 if view.following else view.left_out + len(view.items) - self._seen
        return joined(
            (f"“{visible(self._query)}” {at} of {len(view.matches)}" if self._query else "", "accent"),
            (f"{view.left_out:,} older ones are gone" if view.left_out else "", "dim"),
            (f"↓ {new} new below" if new > 0 else "", "warn"),
            *following_note(view),
        )

    def query_changed(self, text: str) -> None:
        """Search for a text, from the end backwards; "" ends the search."""
        self._query = text
        self.view.matches = self._found()
        if self.view.matches:
            self.view.go_to(self.view.matches[-1])
        self.view.repaint()
        self.show_head()

    def on_scroll_list_moved(self) -> None:
        if self.view.cursor == self.view.count - 1:
            self._seen = self.view.left_out + self.view.count
        super().on_scroll_list_moved()

    @property
    def leaves(self) -> bool:
        return bool(self._query)

    def query_begins(self) -> str:
        self._before_search = self._query, self.view.cursor, self.view.following, self.view.scroll_offset.y
        return ""

    def search_left(self) -> None:
        """Restore the position and the query from before the search."""
        self._query, cursor, following, top = self._before_search
        self.view.matches = self._found()
        self.view.follow(following)
        if not following:
            self.view.cursor = cursor
            self.view.scroll_to(y=top, animate=False)
        self.show_head()

    def _found(self) -> list[int]:
        """Indexes of the entries whose text, tool call or note contains the query."""
        wanted = self.view.wanted = self._query.lower()
        if not wanted:
            return []
        texts = enumerate((e.text, call_text(e.call), e.note) for e in self.view.items)
        return [index for index, parts in texts if any(wanted in part.lower() for part in parts)]

    def next_match(self, step: int) -> None:
        """Go to the next match (1) or the previous one (-1), round the end."""
        self.view.matches = self._found()
        matches, cursor = self.view.matches, self.view.cursor
        if not matches:
            return
        at = bisect_right(matches, -1 if cursor is None else cursor)
        if step < 0:
            at -= 2 if cursor in matches else 1
        self.view.go_to(matches[at % len(matches)])

    def selected(self) -> Entry | None:
        view = self.view
        if not view.items:
            return None
        return view.items[-1 if view.cursor is None else view.cursor]

    def place(self) -> Place | None:
        """With a search: of the first match in the line."""
        place, entry = super().place(), self.selected()
        at = entry.text.lower().find(self.view.wanted) if entry and self.view.wanted else -1
        return place._replace(share=at / len(entry.text)) if place and entry and at >= 0 else place

    def action_save_sound(self) -> None:
        if entry := self.selected():
            self.post_message(self.Wants(SaveSound(entry.item_id)))

    def go_to(self, place: Place) -> bool:
        for index, entry in enumerate(self.view.items):
            if entry.item_id == place.item_id or (not place.item_id and entry.response_id == place.response_id != ""):
                self.view.go_to(index)
                return True
        return False

    def to_copy(self) -> tuple[str, str] | None:
        entry = self.selected()
        parts = (entry.text, call_text(entry.call), "" if entry.text else entry.note) if entry else ()
        return ("\n".join(filter(None, parts)), "this line") if entry else None
