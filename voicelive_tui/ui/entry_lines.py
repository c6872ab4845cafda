"""An entry of the transcript as lines: its text, the part of it that was heard, and remarks.

Words that were generated and not heard (yet) are in another tone and in italics. The place is the
estimate of `heard_characters`.
"""

from rich.cells import cell_len

from voicelive_tui.session.calls import Call, CallState
from voicelive_tui.session.latency import Turn
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.text import clock, duration, excerpt, visible
from voicelive_tui.ui.delays import Scale, delay_bar, mostly
from voicelive_tui.ui.text import Line, Span, Wrapping, clip, clip_words, fit, width_of, wrap

INDENT = 18
GUTTER = "▎"
"""In the colour of who speaks, along all lines of an entry."""
LONGEST = 20_000
"""Characters of one entry that are drawn."""
_FINE = frozenset((CallState.ANSWERED, CallState.PENDING, CallState.SPOKEN))
_LOST = frozenset((CallState.FAILED, CallState.TIMED_OUT))
_NAMES = {"user": "You", "assistant": "Assistant", "system": "System", "tool": "Tool"}


def room_for_words(width: int) -> int:
    """Cells beside the names."""
    return max(width - INDENT - 1, 10)


def entry_lines(
    entry: Entry, heard: int | None, wrapping: Wrapping, *, origin: float, turn: Turn | None, scale: Scale
) -> list[Line]:
    """The lines of one entry, as wide as its wrapping says."""
    room = wrapping.width
    speaker = entry.role if entry.role in ("user", "assistant") else "dim"
    gutter = (GUTTER, speaker)
    time = (f"{clock(entry.at - origin):>5} ", "dim")
    head: Line = (gutter, time, (fit(_NAMES.get(entry.role, ""), 10) + " ", speaker))
    margin: Line = (gutter, (" " * (INDENT - 1), "text"))
    text, drawn_heard = _drawn_text(entry, heard)
    lines: list[Line] = []
    if entry.role == "session":
        for ruled in _rule(text, room + INDENT - 7, "dim"):
            lines.append(((" " * 7, "text"), *ruled) if lines else (("─", "faint"), time, *ruled))
    elif entry.call:
        lines.append((*head, *_call_line(entry.call, room)))
    elif not text:
        lines.append((*head, (_waiting(entry), "dim")))
    else:
        for at, piece in wrapping.rows(text):
            lines.append((*(margin if lines else head), *_heard_spans(piece, drawn_heard - at)))
    if entry.typed:
        typed = (" (typed)", "dim")
        if width_of((*lines[-1], typed)) <= width_of(margin) + room:
            lines[-1] = (*lines[-1], typed)
        else:
            lines.append((*margin, (typed[0].lstrip(), "dim")))
    if entry.status is EntryStatus.INTERRUPTED:
        lines += [(*margin, *line) for line in _rule(_interruption(entry), room, "warn")]
    for mark, remark, tone in _remarks(entry):
        for index, piece in enumerate(wrap(remark, room - len(mark))):
            lines.append((*margin, (mark if index == 0 else " " * len(mark), tone), (piece, tone)))
    grows = entry.status is EntryStatus.PARTIAL  # the line would be written again below each new one
    if turn is not None and entry.role == "assistant" and turn.latency is not None and not grows:
        lines.append((*margin, *_delay(turn, room, scale)))
    return lines


def _drawn_text(entry: Entry, heard: int | None) -> tuple[str, int]:
    """The text as drawn, and how many of its characters come before the unheard part."""
    text = entry.text[:LONGEST]
    lines = "\n".join(visible(line) for line in text.split("\n"))
    if heard is None or heard >= len(entry.text):
        return lines, len(lines)
    drawn_heard = len("\n".join(visible(line) for line in text[:heard].split("\n")))
    if entry.status is EntryStatus.INTERRUPTED:
        lines = lines[:drawn_heard] + "╎" + lines[drawn_heard:]
    return lines, drawn_heard


def _heard_spans(piece: str, heard: int) -> Line:
    heard = max(heard, 0)
    return tuple(span for span in ((piece[:heard], "text"), (piece[heard:], "unheard")) if span[0])


def _waiting(entry: Entry) -> str:
    if entry.status is EntryStatus.LISTENING:
        return "…"
    if entry.status is EntryStatus.FAILED:
        return "(no transcript)"
    return "…" if entry.status is EntryStatus.PARTIAL else "(no words)"


def _call_line(call: Call, room: int) -> Line:
    """A call, folded: the tools pane has all of it."""
    name, arguments, output = (excerpt(" ".join(text.split())) for text in (call.title, call.arguments, call.output))
    began, became = call.started_at or call.complete_at, "" if call.state in _FINE else f"  {call.state.value}"
    if began is not None and call.ended_at is not None:
        late = "; late: the user had gone on" if call.state is CallState.STALE else ""
        became += f"  {duration((call.ended_at - began) * 1000)}{late}"
    room -= len(became)
    name = clip(name, room)
    room -= cell_len(name)
    output = f" → {output}" if output else ""
    if arguments:
        arguments = f"({clip(arguments, max(room // 2, room - cell_len(output)) - 2)})"
    output = clip_words(output, room - cell_len(arguments))
    tone = "warn" if call.waits else "bad" if call.state in _LOST else "dim"
    return ((name, "strong"), (arguments, "dim"), (output, "text"), (became, tone))


def _remarks(entry: Entry) -> list[tuple[str, str, str]]:
    """Mark, sentence and tone of each remark below the text."""
    remarks: list[tuple[str, str, str]] = []
    failed = entry.status is EntryStatus.FAILED
    if len(entry.text) > LONGEST:
        remarks.append(("… ", f"and {len(entry.text) - LONGEST:,} characters more; copy has all", "dim"))
    if entry.note or failed:
        note = excerpt(entry.note) or "failed, no reason given"
        remarks.append(("✗ ", note, "bad") if failed else ("· ", note, "dim"))
    return remarks


def _interruption(entry: Entry) -> str:
    heard_ms, sent = entry.heard_ms, entry.truncated_ms
    heard = "" if heard_ms is None else f": heard {duration(heard_ms)} of {duration(entry.audio_ms)}"
    if heard.count(" s") == 2:
        heard = heard.replace(" s", "", 1)
    if heard_ms is not None and not entry.audio_ms:
        heard = " before its first sound"
    if sent is None:
        return f"interrupted{heard}"
    there = heard_ms is not None and sent == int(heard_ms)
    return f"interrupted{heard} · truncated" + ("" if there else f" at {sent:,} ms").replace(" ", "\xa0")  # one field


def _rule(text: str, room: int, tone: str) -> list[Line]:
    """A thin rule with words in it, which wrap."""
    pieces = [piece.rstrip() for piece in wrap(text, room - 3)]
    lines: list[Line] = [(("   " if index else "── ", "faint"), (piece, tone)) for index, piece in enumerate(pieces)]
    left = room - 3 - cell_len(pieces[-1])
    return [*lines[:-1], (*lines[-1], (" " * min(left, 1) + "─" * (left - 1), "faint"))]


def _delay(turn: Turn, room: int, scale: Scale) -> Line:
    amount = scale.amount((turn.latency or 0) * 1000, 6)
    begin: Line = ((f"#{turn.number} ".ljust(4), "dim"), *amount, (" ", "text"))
    bar, gap = delay_bar(turn, scale), ("  ", "text")
    if words := mostly(turn, room):
        said: tuple[Span, Span] = (f"mostly {words}", "dim"), (words, "dim")
        for line in (*((*begin, *bar, gap, each) for each in said), *((*begin, each) for each in said)):
            if width_of(line) <= room:  # the words say more than a bar that leaves them no room
                return line
    return (*begin, *bar)
