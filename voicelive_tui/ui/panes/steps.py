"""Lines of the session pane whose numbers keys change by steps: threshold and silence of the turn detection."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from voicelive_tui.session.state import SessionState
from voicelive_tui.ui.text import Line, measured
from voicelive_tui.wire.events import mapping

DIFFERS = " ≠ asked "
PAUSE = 0.5
"""Seconds without a step after which the steps are sent."""


class Step(NamedTuple):
    """A number, and by how much a key changes it."""

    label: str
    name: str
    """Of the field in `turn_detection`."""
    by: float
    highest: float
    unit: str = ""

    def words(self, value: Any) -> str:
        """A value with its unit; "" where there is none."""
        return f"{value:g}{self.unit}" if isinstance(value, int | float) else ""


STEPS = (
    Step("  threshold", "threshold", 0.05, 1.0),
    Step("  silence", "silence_duration_ms", 50, 60_000, " ms"),
)


def step_lines(session: SessionState, pending: Mapping[str, float], width: int) -> list[Line]:
    """A line for each number in force; `pending` has the values not sent yet."""
    asked, in_force = mapping(session.asked.get("turn_detection")), mapping(session.in_force.get("turn_detection"))
    lines: list[Line] = []
    for step in STEPS:
        want, have = step.words(asked.get(step.name)), step.words(in_force.get(step.name))
        if not have:
            continue
        differs = want not in ("", have)
        line: Line = ((f" {step.label}".ljust(width), "dim"), *measured(have, "warn" if differs else "text"))
        if step.name in pending:
            line = (*line, (" → ", "dim"), (step.words(pending[step.name]), "accent"))
        elif differs:
            line = (*line, (DIFFERS, "dim"), (want, "text"))
        lines.append(line)
    return lines


def step_of(line: Line) -> Step | None:
    """The number on a line of the pane."""
    return next((step for step in STEPS if line and line[0][0].rstrip() == f" {step.label}"), None)


def stepped(session: SessionState, step: Step, pending: Mapping[str, float], times: int) -> float:
    """The number after some steps up or down, within its range."""
    blocks = mapping(session.wanted.get("turn_detection")), mapping(session.in_force.get("turn_detection"))
    known = (pending.get(step.name), *(block.get(step.name) for block in blocks))
    value = next((value for value in known if isinstance(value, int | float)), 0.0)
    return min(max(round(value + times * step.by, 2), 0), step.highest)
