"""What this program writes itself: rows of the event log, pinned problems, and remarks in the transcript."""

from typing import Literal

from msgspec.structs import replace

from voicelive_tui.session.state import Problem, SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.wire.log import Severity

NOT_CONNECTED = "not connected: reset for a new session"
PINNED = 100
"""Problems kept; a service may report them without end."""
_RULE = "rule-"


def note(state: SessionState, now: float, kind: str, sentence: str, severity: Severity = "info") -> SessionState:
    """The state with a `local` row in the event log."""
    log = state.log.append(now, "local", kind, sentence, severity=severity)
    return replace(state, log=log, counts=state.counts.plus(errors=severity == "error"))


def pin(state: SessionState, sentence: str, severity: Literal["warning", "error"] = "error") -> SessionState:
    """The state with a problem pinned; the latest row of the event log has the details."""
    problem = Problem(severity, sentence, state.log.next_seq - 1)
    return replace(state, problems=(*state.problems, problem)[-PINNED:])


def remark(state: SessionState, now: float, sentence: str) -> SessionState:
    """The state with a remark on the session at the end of the transcript."""
    return _remark(state, now, f"remark-{state.log.next_seq}", sentence)


def rule(state: SessionState, now: float, sentence: str) -> SessionState:
    """The state with a remark between two lines of conversation: what follows knows nothing of what is above."""
    return _remark(state, now, f"{_RULE}{state.log.next_seq}", sentence)


def is_rule(entry: Entry) -> bool:
    """Whether an entry is such a remark."""
    return entry.role == "session" and entry.item_id.startswith(_RULE)


def _remark(state: SessionState, now: float, name: str, sentence: str) -> SessionState:
    return state.with_entry(name, "session", now, text=sentence, status=EntryStatus.DONE, done_at=now)
