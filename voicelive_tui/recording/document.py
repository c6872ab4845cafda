"""The conversation as documents, made from a state: to read, as subtitles, as numbers."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from textwrap import wrap
from typing import Any, NamedTuple

import msgspec

from voicelive_tui.session import code
from voicelive_tui.session.history import heard_characters, spoken
from voicelive_tui.session.latency import STAGES, stages
from voicelive_tui.session.reading import Reading
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.transcript import Entry, EntryStatus
from voicelive_tui.text import clock, encodable, in_markdown, masked, visible

CUE = 84
"""Characters of one subtitle: two lines."""
_NAMES = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool", "session": "Session"}


def markdown(state: SessionState) -> str:
    """The transcript in Markdown; words that were generated and not heard are struck through."""
    lines = [f"# Conversation with {in_markdown(state.connection.model) or 'an unknown model'}", ""]
    for entry in state.transcript:
        at = clock(entry.at - state.log.origin)
        lines += [f"**{at} {in_markdown(_name(entry))}:** {_markdown_words(entry)}{_remark(entry)}", ""]
    return "\n".join(lines)


def _name(entry: Entry) -> str:
    return visible(entry.call.name) if entry.call and entry.call.name else _NAMES[entry.role]


def _markdown_words(entry: Entry) -> str:
    if entry.call:
        return f"{in_markdown(entry.call.arguments)} → {in_markdown(entry.call.output)}"
    heard = _heard(entry)
    unheard = in_markdown(entry.text[heard:])
    return f"{in_markdown(entry.text[:heard])}{f' ~~{unheard}~~' if unheard else ''}"


def _heard(entry: Entry) -> int:
    """How many characters of an entry were heard."""
    heard = heard_characters(entry, Reading()) if entry.status is EntryStatus.INTERRUPTED else None
    return len(entry.text) if heard is None else heard


def _remark(entry: Entry) -> str:
    said = {EntryStatus.INTERRUPTED: "interrupted", EntryStatus.FAILED: "failed"}.get(entry.status, "")
    remark = "; ".join(part for part in (said, entry.note) if part)
    return f" *({in_markdown(remark)})*" if remark else ""


# --- subtitles -----------------------------------------------------------------------------------------------------


class Cue(NamedTuple):
    """A subtitle; seconds since the beginning."""

    start: float
    end: float
    name: str
    text: str


def cues(state: SessionState) -> list[Cue]:
    """What was said and heard, as subtitles of both sides."""
    turns = {key: turn for turn in state.turns for key in (turn.item_id, turn.response_id) if key}
    found: list[Cue] = []
    for entry in state.transcript:
        text = " ".join(visible(entry.text[: _heard(entry)]).split())
        if entry.role in ("user", "assistant") and text:
            turn = turns.get(entry.item_id if entry.role == "user" else entry.response_id)
            start, end = (moment - state.log.origin for moment in spoken(entry, turn))
            found += _cut(max(start, 0.0), end, _NAMES[entry.role], text)
    return sorted(found)


def _cut(start: float, end: float, name: str, text: str) -> Iterator[Cue]:
    pieces, done = wrap(text, CUE), 0
    total = sum(map(len, pieces))
    for piece in pieces:
        begins, done = done, done + len(piece)
        yield Cue(start + (end - start) * begins / total, start + (end - start) * done / total, name, piece)


def srt(state: SessionState) -> str:
    """SubRip subtitles."""
    blocks = (
        f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{cue.name}: {cue.text.replace('-->', '→')}\n"
        for number, cue in enumerate(cues(state), 1)
    )
    return "\n".join(blocks)


def vtt(state: SessionState) -> str:
    """WebVTT subtitles."""
    lines = ["WEBVTT", ""]
    for cue in cues(state):
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        lines += [f"{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}", f"<v {cue.name}>{text}", ""]
    return "\n".join(lines)


def _stamp(seconds: float, point: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


# --- numbers -------------------------------------------------------------------------------------------------------


def latencies(state: SessionState) -> list[dict[str, Any]]:
    """A row for each turn: number, how it began, seconds since the beginning, and milliseconds of each part."""
    rows = []
    for turn in state.turns:
        parts = {part.name: round(part.milliseconds, 1) for part in stages(turn)}
        began = turn.ended_speaking_at
        rows.append({
            "turn": turn.number,
            "began_by": turn.began_by,
            "at": None if began is None else round(began - state.log.origin, 3),
            "delay_ms": None if turn.latency is None else round(turn.latency * 1000, 1),
            **{f"{name.replace(' ', '_')}_ms": parts.get(name) for name, _, _ in STAGES},
            "interrupted": turn.interrupted_at is not None,
            "unheard_ms": None if turn.unheard_ms is None else round(turn.unheard_ms, 1),
        })  # fmt: skip
    return rows


def latency_csv(state: SessionState) -> str:
    """`latencies` as CSV with a header."""
    rows, out = latencies(state), io.StringIO()
    names = list(rows[0]) if rows else ["turn"]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def latency_json(state: SessionState) -> str:
    """`latencies` as JSON."""
    return json.dumps(latencies(state), indent=2)


def conversation_json(state: SessionState) -> str:
    """Session, transcript, turns and the tokens of each response as JSON; times in seconds since the beginning."""
    origin = state.log.origin
    entries = [_relative(msgspec.to_builtins(entry), origin) for entry in state.transcript]
    for entry in entries:
        for name in _OF_THE_PROGRAM & entry.keys():
            del entry[name]
    turns = [_relative(msgspec.to_builtins(turn), origin) for turn in state.turns]
    usage = [record._asdict() | {"tokens": record.tokens._asdict()} for record in state.usage.records]
    document = {"session": dict(state.in_force), "transcript": entries, "turns": turns, "usage": usage}
    return encodable(json.dumps(masked(document), indent=2, ensure_ascii=False))


_OF_THE_PROGRAM = {"settled", "follows", "behind", "audio_done"}
"""Fields of an entry that serve its own order and state."""


def _relative(fields: Mapping[str, Any], origin: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found[name] = _relative(value, origin)
        elif isinstance(value, float) and (name == "at" or name.endswith("_at")):
            found[name] = round(value - origin, 3)
        elif isinstance(value, float):
            found[name] = round(value, 3)
        else:
            found[name] = value
    return found


DOCUMENTS: Mapping[str, Callable[[SessionState], str]] = {
    "md": markdown,
    "srt": srt,
    "vtt": vtt,
    "json": conversation_json,
    "latency-csv": latency_csv,
    "latency-json": latency_json,
    "session-json": code.as_json,
    "session-python": code.as_python,
    "session-toml": code.as_toml,
}
"""Documents by the name of their format."""
