"""The conversation as documents to read, made from a state."""

from voicelive_tui.session.history import heard_characters
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.text import clock, visible, visible_lines

_NAMES = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool", "session": "Session"}


def markdown(state: SessionState) -> str:
    """The transcript in Markdown; words that were generated and not heard are struck through."""
    connection = state.connection
    lines = [f"# Conversation with {visible(connection.model) or 'an unknown model'}", ""]
    for entry in state.transcript:
        at = clock(entry.at - state.log.origin)
        name = visible(entry.call.name) if entry.call and entry.call.name else _NAMES[entry.role]
        lines.append(f"**{at} {name}:** {words(entry)}{_remark(entry)}")
        lines.append("")
    return "\n".join(lines)


def words(entry: Entry) -> str:
    """What an entry says, as Markdown that has no effect beyond the text."""
    if entry.call:
        return f"{_plain(entry.call.arguments)} → {_plain(entry.call.output)}"
    heard = heard_characters(entry, Reading()) if entry.status is EntryStatus.INTERRUPTED else None
    if heard is None or heard >= len(entry.text):
        return _plain(entry.text)
    return f"{_plain(entry.text[:heard])}~~{_plain(entry.text[heard:])}~~"


def _plain(text: str) -> str:
    return "".join(f"\\{each}" if each in "\\`*_{}[]<>#|~" else each for each in visible_lines(text)).strip()


def _remark(entry: Entry) -> str:
    said = {EntryStatus.INTERRUPTED: "interrupted", EntryStatus.FAILED: "failed"}.get(entry.status, "")
    remark = "; ".join(part for part in (said, visible(entry.note)) if part)
    return f" *({_plain(remark)})*" if remark else ""
