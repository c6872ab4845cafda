"""How delays are drawn, the same on every pane: bars on one scale, amounts by how slow they are, a sparkline."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from voicelive_tui.config import Ui
from voicelive_tui.session import latency
from voicelive_tui.session.latency import Turn
from voicelive_tui.text import duration
from voicelive_tui.ui.text import Line, Span, measured

BAR = 13
"""Cells of the longest delay on the screen, everywhere; they leave room for a part and its length in 120 columns."""
_SPARKS = "▁▂▃▄▅▆▇█"
_BESIDE = len("  ▃ p50  █ p95")


class Scale(NamedTuple):
    """What the delays of a session are measured by."""

    full_ms: float = 0.0
    """Milliseconds of a full bar."""
    slow: tuple[float, float] = Ui().slow_delays
    """See `Ui.slow_delays`."""

    def of(self, turns: Sequence[Turn]) -> Self:
        """The same limits, with bars for the turns of a session."""
        return self._replace(full_ms=latency.scale(turns))

    def tone(self, milliseconds: float) -> str:
        """The tone of a delay."""
        warn, bad = self.slow
        return "bad" if milliseconds >= bad * 1000 else "warn" if milliseconds >= warn * 1000 else "text"

    def amount(self, milliseconds: float, width: int = 0) -> Line:
        """A delay with its unit, at the right end of `width` cells."""
        return measured(duration(milliseconds).rjust(width), self.tone(milliseconds))


def delay_bar(turn: Turn, scale: Scale) -> Line:
    """The parts of a turn's delay, in `BAR` cells; the longest part stands out."""
    parts, longest = latency.stages(turn), latency.slowest(turn)
    pieces = latency.waterfall(parts, BAR, scale.full_ms)
    tone = scale.tone((turn.latency or 0.0) * 1000)
    striking = "accent" if tone == "text" else tone
    return (
        *(
            (piece, striking if part is longest or part == longest else "dim")
            for part, piece in zip(parts, pieces, strict=bool(pieces))
        ),
        (" " * (BAR - sum(map(len, pieces))), "text"),
    )


def mostly(turn: Turn, room: int, name: str = "") -> str:
    """The longest part of a turn's delay in words, or the one of a name.

    As far as there is room: with its length, or alone.
    """
    part = next((part for part in latency.stages(turn) if part.name == name), None if name else latency.slowest(turn))
    if part is None:
        return ""
    for words in (f"{part.name} {duration(part.milliseconds)}", part.name):
        if len(words) <= room:
            return words
    return ""


def sparkline(turns: Sequence[Turn], width: int) -> Line:
    """The delays of all turns, the worst of those that share a cell, and beside them the heights of p50 and p95.

    It takes at most `width` cells. Above p95 they stand out, up to p50 they are quiet. Of one turn it is empty.
    """
    known = [turn.latency * 1000 for turn in turns if turn.latency is not None]
    all_of_them = latency.summarize(known)
    if all_of_them is None or len(known) < 2 or (room := width - _BESIDE) <= 0:
        return ()

    def spark(delay: float) -> str:
        return _SPARKS[min(int(delay / all_of_them.worst * len(_SPARKS)), len(_SPARKS) - 1) if all_of_them.worst else 0]

    share = -(-len(known) // room)
    spans: list[Span] = []
    for worst in (max(known[at : at + share]) for at in range(0, len(known), share)):
        tone = "dim" if worst <= all_of_them.p50 else "text" if worst <= all_of_them.p95 else "warn"
        spans.append((spark(worst), tone))
    for name, value in (("p50", all_of_them.p50), ("p95", all_of_them.p95)):
        spans += [(f"  {spark(value)}", "text"), (f" {name}", "dim")]
    return tuple(spans)
