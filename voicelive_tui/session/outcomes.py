"""How each setting in the editor stands: derived from the texts, the session object and the service's answers."""

from collections.abc import Collection
from typing import Literal, NamedTuple

from voicelive_tui.session.fields import BY_KEY, Field, Texts
from voicelive_tui.session.state import Edit, SessionState
from voicelive_tui.session.typed import ours, texts_of, value_of, wanted_texts
from voicelive_tui.wire.events import error_text, text

Word = Literal[
    "", "invalid", "not used", "locked", "changed", "sent", "next session", "in force", "refused", "not applied",
    "ignored",
]  # fmt: skip
"""What became of a setting; "" where nothing is to be said."""

NOTHING = "the service's default"


class Outcome(NamedTuple):
    """How a setting stands."""

    word: Word
    sentence: str = ""
    """The reason, or the value in force."""


def voice_locked(state: SessionState) -> bool:
    """Whether the service refuses another voice: it does once this session has spoken (protocol, section 3.4a)."""
    since = state.connection.started_at
    return any(entry.audio_ms > 0 and entry.at >= since for entry in reversed(state.transcript))


class Outcomes:
    """The outcomes of one state, for the texts in the editor, of which the keys in `sent` were sent from there."""

    def __init__(self, state: SessionState, typed: Texts, sent: Collection[str]) -> None:
        self.wanted = wanted_texts(state)
        self._ours = ours(state)
        self.in_force = texts_of(state.in_force, defaults=False) | self._ours
        self.locked = voice_locked(state)
        self._ready = state.ready
        self._model = state.connection.model
        self._typed, self._sent = typed, sent
        self._edits = [(edit, _changed(edit)) for edit in reversed(state.edits)]

    def of(self, field: Field) -> Outcome:
        """How a field stands."""
        typed, wanted, in_force = self._typed[field.key], self.wanted[field.key], self.in_force.get(field.key)
        if reason := field.lacking(self._typed, self._model):
            return Outcome("not used", reason)
        try:
            value_of(field, typed)
        except ValueError as problem:
            return Outcome("invalid", str(problem))
        if answer := self._answer(field):
            return answer
        if typed != wanted:
            doubt = field.doubt(self._typed, self._model)
            if self.locked and field.path[0] == "voice":
                return Outcome("locked", "; ".join(filter(None, ("the assistant has spoken in this session", doubt))))
            return Outcome("changed", doubt or (f"now {in_force}" if in_force is not None else ""))
        if field.key in self._sent:
            if not self._ready and field.key not in self._ours:
                return Outcome("next session")
            accepted = in_force == typed or (in_force is None and typed in ("", "off", "none"))
            kept = f"in force: {in_force or NOTHING}"
            return Outcome("in force") if accepted else Outcome("ignored", kept)
        differs = in_force is not None and in_force != wanted
        return Outcome("", f"in force: {in_force}" if differs else "")

    def _answer(self, field: Field) -> Outcome | None:
        """The service's answer to the latest edit of a field, unless it was typed over since."""
        for edit, changed in self._edits:
            if field.key not in changed:
                continue
            if changed[field.key] != self._typed[field.key]:
                return None
            if not edit.answered:
                return Outcome("sent")
            return _refusal(edit, field, changed) if edit.refusal else None
        return None


def _changed(edit: Edit) -> Texts:
    """The texts after an edit, of the fields that it changed or that were not asked for before."""
    before, after = texts_of(edit.before), texts_of({**edit.before, **edit.changes})
    added = texts_of(edit.changes, defaults=False).keys() - texts_of(edit.before, defaults=False).keys()
    return {key: text for key, text in after.items() if text != before[key] or key in added}


def _refusal(edit: Edit, field: Field, changed: Texts) -> Outcome | None:
    """The service's sentence for the field that its refusal names, or for all that it may mean."""
    param = text(edit.refusal.get("param")).removeprefix("session.")
    named = [BY_KEY[key] for key in changed if _names(param, BY_KEY[key])]
    if edit.whole and field not in named:  # the problem line has the sentence
        return None
    named = named or [BY_KEY[key] for key in changed]
    if field in named:
        return Outcome("refused", error_text(edit.refusal))
    return Outcome("not applied", f"the same update had {', '.join(each.label for each in named)}, which was refused")


def _names(param: str, field: Field) -> bool:
    path = ".".join(field.path)
    return param == path or f"{path}.".startswith(f"{param}.") or param.startswith(f"{path}.")
