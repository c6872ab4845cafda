"""`Turn`: the moments of one exchange; the parts of its delay, and percentiles over turns.

Each stage runs from one moment to the next known one. `STAGES` names both ends of every number.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

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


class Turn(Struct, frozen=True):
    """The moments of one exchange, from the user's speech to the sound of the answer; None while unknown."""

    number: int
    began_by: Literal["speech", "talk", "text", "service"] = "speech"
    item_id: str = ""
    response_id: str = ""
    speech_started_at: float | None = None
    voiced_at: float | None = None
    """ADC time of the last voiced microphone block of the turn."""
    speech_stopped_at: float | None = None
    committed_at: float | None = None
    asked_at: float | None = None
    """`response.create` sent."""
    created_at: float | None = None
    """`response.created` received."""
    first_text_at: float | None = None
    first_audio_at: float | None = None
    heard_at: float | None = None
    """DAC time of the answer's first sample."""
    called_at: float | None = None
    """The arguments of the first call of a tool were complete."""
    returned_at: float | None = None
    """The outputs of all calls were known, and the response that made them over."""
    done_at: float | None = None
    interrupted_at: float | None = None
    """`speech_started` received, or a key pressed, while the answer was generated or played."""
    silent_at: float | None = None
    """When the speaker was silent after the interruption."""
    unheard_ms: float | None = None
    """Milliseconds generated but never heard."""

    @property
    def ended_speaking_at(self) -> float | None:
        """Start of the user's wait: the last voiced sample, else the first known moment after it.

        Of an answer to calls of tools that the assistant announced before: the calls.
        """
        called_at = self.called_at if self.began_by == "service" else None
        moments = (self.voiced_at, self.speech_stopped_at, self.committed_at, self.asked_at, called_at)
        return next((moment for moment in moments if moment is not None), None)

    @property
    def latency(self) -> float | None:
        """Seconds from the end of the user's speech to the answer at the speaker; None if unknown, or less than 0."""
        start = self.ended_speaking_at
        return None if start is None or self.heard_at is None or self.heard_at < start else self.heard_at - start


class Part(NamedTuple):
    """One part of a turn's delay."""

    name: str
    mark: str
    milliseconds: float


def stages(turn: Turn) -> tuple[Part, ...]:
    """The parts known so far; the time of an unknown moment counts towards the next part.

    Moments can come in another order than they are named in (words after sound): a part is never negative, and what
    came after the answer was heard is not part of the delay.
    """
    start = turn.ended_speaking_at
    if start is None:
        return ()
    heard_at = math.inf if turn.heard_at is None else turn.heard_at
    ends = (
        *(turn.committed_at, turn.created_at, None if turn.began_by == "service" else turn.called_at, turn.returned_at),
        *(turn.first_text_at, turn.first_audio_at, turn.heard_at),
    )
    parts: list[Part] = []
    order = list(zip(STAGES, ends, strict=True))
    if turn.began_by == "service":  # the response is created after the tools
        order.sort(key=lambda stage: stage[1] or 0.0)
    for (name, mark, _), end in order:
        if end is None or not start <= end <= heard_at:
            continue
        parts.append(Part(name, mark, (end - start) * 1000))
        start = end
    return tuple(parts)


def scale(turns: Sequence[Turn]) -> float:
    """The milliseconds of a full bar: one scale for all bars of a session."""
    return max((turn.latency or 0.0 for turn in turns[-SCALE_TURNS:]), default=0.0) * 1000


def waterfall(parts: Sequence[Part], width: int, scale_ms: float) -> tuple[str, ...]:
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


def slowest(turn: Turn) -> Part | None:
    """The longest part of a turn's delay."""
    return max(stages(turn), key=lambda part: part.milliseconds, default=None)
