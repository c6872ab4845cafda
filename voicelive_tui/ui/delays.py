"""How delays are drawn, the same on every pane: bars on one scale, amounts by how slow they are, a sparkline."""

from collections.abc import Sequence

from voicelive_tui.session import latency
from voicelive_tui.session.state import Turn
from voicelive_tui.text import duration
from voicelive_tui.ui.text import Line, Span

BAR = 18
"""Cells of the longest delay on the screen, everywhere."""
SLOW = (1500.0, 3000.0)
"""Milliseconds from which a delay is a warning, and an alarm."""
_SPARKS = "▁▂▃▄▅▆▇█"


def slowness(milliseconds: float) -> str:
    """The tone of a delay."""
    return "bad" if milliseconds >= SLOW[1] else "warn" if milliseconds >= SLOW[0] else "text"


def delay_bar(turn: Turn, scale_ms: float) -> Line:
    """The parts of a turn's delay in `BAR` cells for `scale_ms` milliseconds; the longest part stands out."""
    parts, longest = latency.stages(turn), latency.slowest(turn)
    pieces = latency.waterfall(parts, BAR, scale_ms)
    tone = slowness((turn.latency or 0.0) * 1000)
    striking = "accent" if tone == "text" else tone
    return tuple(
        (piece, striking if part is longest or part == longest else "dim")
        for part, piece in zip(parts, pieces, strict=bool(pieces))
    )


def mostly(turn: Turn, room: int) -> str:
    """The longest part of a turn's delay in words, as far as there is room: with its length, or alone."""
    part = latency.slowest(turn)
    if part is None:
        return ""
    for words in (f"{part.name} {duration(part.milliseconds)}", part.name):
        if len(words) <= room:
            return words
    return ""


def sparkline(turns: Sequence[Turn], width: int) -> Line:
    """The delays of all turns in at most `width` cells, the worst of those that share one.

    Above p95 they stand out, up to p50 they are quiet.
    """
    known = [turn.latency * 1000 for turn in turns if turn.latency is not None]
    all_of_them = latency.summarize(known)
    if all_of_them is None or width <= 0:
        return ()
    share = -(-len(known) // width)
    worst = [max(known[at : at + share]) for at in range(0, len(known), share)]
    spans: list[Span] = []
    for each in worst:
        height = min(int(each / all_of_them.worst * len(_SPARKS)), len(_SPARKS) - 1) if all_of_them.worst else 0
        tone = "dim" if each <= all_of_them.p50 else "text" if each <= all_of_them.p95 else "warn"
        spans.append((_SPARKS[height], tone))
    return tuple(spans)
