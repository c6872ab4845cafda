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


def remark(state: SessionState, now: float, sentence: str, *, rule: bool = False) -> SessionState:
    """The state with a remark on the session at the end of the transcript; a `rule` begins a new conversation."""
    name = f"{_RULE if rule else 'remark-'}{state.log.next_seq}"
    return state.with_entry(name, "session", now, text=sentence, status=EntryStatus.DONE, done_at=now)


def is_rule(entry: Entry) -> bool:
    """Whether an entry is such a rule between two lines of conversation."""
    return entry.role == "session" and entry.item_id.startswith(_RULE)
