"""The parts of a turn's delay, and percentiles over turns.

Each stage runs from one moment to the next known one. `STAGES` names both ends of every number.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from voicelive_tui.session.state import Turn

STAGES = (
    ("end of speech", "▂", "last voiced microphone sample → turn committed"),
    ("start", "▃", "turn committed → response.created received"),
    ("arguments", "▖", "response.created → arguments of the first call of a tool complete"),
    ("tools", "▞", "arguments complete → outputs of all calls known, response over"),
    ("first words", "▅", "response.created, or the outputs → first transcript or text delta"),
    ("first sound", "▆", "first words → first response.audio.delta"),
    ("speaker", "▄", "first audio delta → first sample at the speaker (prebuffer and device)"),
)
"""Name, mark in the waterfall, and both ends. No mark fills its cell: bars of turns one under another stay apart."""
SCALE_TURNS = 50
"""Turns whose longest delay fills a bar."""


class Stage(NamedTuple):
    """One part of a turn's delay."""

    name: str
    mark: str
    milliseconds: float


def stages(turn: Turn) -> tuple[Stage, ...]:
    """The parts known so far; the time of an unknown moment counts towards the next part.

    Moments can come in another order than they are named in (words after sound): a part is never negative, and what
    came after the answer was heard is no part of the delay.
    """
    start = turn.ended_speaking_at
    if start is None:
        return ()
    heard_at = math.inf if turn.heard_at is None else turn.heard_at
    ends = (
        *(turn.committed_at, turn.created_at, None if turn.began_by == "service" else turn.called_at, turn.returned_at),
        *(turn.first_text_at, turn.first_audio_at, turn.heard_at),
    )
    parts: list[Stage] = []
    order = list(zip(STAGES, ends, strict=True))
    if turn.began_by == "service":  # the response is created after the tools
        order.sort(key=lambda stage: stage[1] or 0.0)
    for (name, mark, _), end in order:
        if end is None or not start <= end <= heard_at:
            continue
        parts.append(Stage(name, mark, (end - start) * 1000))
        start = end
    return tuple(parts)


def scale(turns: Sequence[Turn]) -> float:
    """The milliseconds of a full bar: one scale for all bars of a session."""
    return max((turn.latency or 0.0 for turn in turns[-SCALE_TURNS:]), default=0.0) * 1000


def waterfall(parts: Sequence[Stage], width: int, scale_ms: float) -> tuple[str, ...]:
    """A piece of a bar for each part: `width` cells for `scale_ms` milliseconds, at least one cell a part.

    If the parts exceed the width, the longest is shortened.
    """
    if not parts or scale_ms <= 0 or width < len(parts):
        return ()
    cells = [max(round(part.milliseconds / scale_ms * width), 1) for part in parts]
    while sum(cells) > width:
        cells[cells.index(max(cells))] -= 1
    return tuple(part.mark * count for part, count in zip(parts, cells, strict=True))


class Summary(NamedTuple):
    """Latencies of a session in milliseconds."""

    turns: int
    last: float
    p50: float
    p95: float
    worst: float


def summary(turns: Sequence[Turn]) -> Summary | None:
    """Percentiles over the turns answered with sound; None without such a turn."""
    return summarize([turn.latency * 1000 for turn in turns if turn.latency is not None])


def summarize(known: Sequence[float]) -> Summary | None:
    """Percentiles (nearest rank) of delays in milliseconds; None without any."""
    if not known:
        return None
    ranked = sorted(known)

    def percentile(percent: int) -> float:
        return ranked[-(-percent * len(ranked) // 100) - 1]

    return Summary(len(known), known[-1], percentile(50), percentile(95), ranked[-1])


def slowest(turn: Turn) -> Stage | None:
    """The longest part of a turn's delay."""
    return max(stages(turn), key=lambda part: part.milliseconds, default=None)
