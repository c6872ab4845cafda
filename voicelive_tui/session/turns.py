"""Recording the moments of each turn, from which every latency figure is computed.

A turn needs no response id: full-duplex models have no responses, and their answers belong to the latest turn.
"""

from collections.abc import Callable
from typing import Any, Literal

from msgspec.structs import replace

from voicelive_tui.session.latency import Turn
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import EntryStatus, remove

LIMIT = 1_000


def begin(state: SessionState, began_by: Literal["speech", "talk", "text", "service"], **marks: Any) -> SessionState:
    """The state with a new turn, which replaces a latest turn that was never committed (noise).

    A typed message does not end an utterance in progress: that turn stays open beside it.
    """
    turns, last, transcript = state.turns, state.turn, state.transcript
    came_to_nothing = last and last.committed_at is None and not last.response_id and last.asked_at is None
    if last and came_to_nothing and not (began_by == "text" and last.began_by == "speech"):
        turns = turns[:-1]
        if (entry := state.entry(last.item_id)) and entry.status is EntryStatus.LISTENING:
            transcript = remove(transcript, last.item_id)
    turn = Turn(last.number + 1 if last and turns is state.turns else last.number if last else 1, began_by, **marks)
    return replace(state, turns=(*turns[-LIMIT + 1 :], turn), transcript=transcript)


def continue_turn(state: SessionState, response_id: str) -> SessionState:
    """The state with the latest turn answered by another response, after one that only called a tool."""
    turn = replace(state.turns[-1], response_id=response_id, done_at=None)
    return replace(state, turns=(*state.turns[:-1], turn))


def take_back(state: SessionState, response_id: str) -> SessionState:
    """The state with the turn that a response was to answer unanswered again."""
    turns = tuple(
        replace(turn, response_id="", created_at=None) if response_id and turn.response_id == response_id else turn
        for turn in state.turns
    )
    return replace(state, turns=turns)


def abandon(state: SessionState) -> SessionState:
    """The state without the utterance in progress: it will not be committed."""
    turn = state.turn
    if turn is None or not being_spoken(turn) or turn.speech_stopped_at is not None:
        return state
    entry, transcript = state.entry(turn.item_id), state.transcript
    if entry is not None and entry.status is EntryStatus.LISTENING:
        transcript = remove(transcript, turn.item_id)
    return replace(state, turns=state.turns[:-1], transcript=transcript)


def mark(state: SessionState, which: Callable[[Turn], bool], *, again: bool = False, **marks: Any) -> SessionState:
    """The state with moments set in the latest turn that `which` accepts; a moment is set once, unless `again`."""
    for index in range(len(state.turns) - 1, -1, -1):
        turn = state.turns[index]
        if which(turn):
            new = {name: value for name, value in marks.items() if again or getattr(turn, name) in (None, "")}
            turns = (*state.turns[:index], replace(turn, **new), *state.turns[index + 1 :])
            return replace(state, turns=turns) if new else state
    return state


def of_item(item_id: str) -> Callable[[Turn], bool]:
    """Accepts the turn of a user's item."""
    return lambda turn: bool(item_id) and turn.item_id == item_id


def of_response(response_id: str) -> Callable[[Turn], bool]:
    """Accepts the turn that a response answers; without an id, a turn without a response whose speech has ended."""
    if response_id:
        return lambda turn: turn.response_id == response_id
    return lambda turn: not turn.response_id and turn.ended_speaking_at is not None


def being_spoken(turn: Turn) -> bool:
    """Accepts a turn of the user's voice that is not committed yet."""
    return turn.began_by in ("speech", "talk") and turn.committed_at is None


def unanswered(state: SessionState) -> Turn | None:
    """The turn that the next response answers: the latest, or the utterance during which that one was typed."""
    spoken = (turn for turn in state.turns[-2:-1] if turn.committed_at is not None)
    return next((turn for turn in (*state.turns[-1:], *spoken) if not turn.response_id), None)


def latest(_: Turn) -> bool:
    """Accepts the latest turn."""
    return True
