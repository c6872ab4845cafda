"""Rows and remarks of this program's own."""

from tests.session.folding import ready
from voicelive_tui.session.notes import note, remark


def test_a_note_is_a_local_row_and_an_error_is_counted() -> None:
    state = ready().state
    after = note(note(state, 5.0, "mute", "muted"), 6.0, "problem", "no sound", "error")
    rows = [(row.direction, row.type, row.text, row.severity) for row in after.log.since(state.log.next_seq)]
    assert rows == [("local", "mute", "muted", "info"), ("local", "problem", "no sound", "error")]
    assert after.counts.errors == state.counts.errors + 1


def test_remarks_are_entries_of_their_own_at_the_end() -> None:
    state = ready().state
    after = remark(note(remark(state, 5.0, "one"), 5.5, "x", "y"), 6.0, "two")
    assert [(entry.role, entry.text, entry.done_at) for entry in after.transcript] == [
        ("session", "one", 5.0),
        ("session", "two", 6.0),
    ]
    assert len({entry.item_id for entry in after.transcript}) == 2
