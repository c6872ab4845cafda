"""The lines of the console: JSON that stays JSON, and text that stays one harmless line, whatever an event holds."""

import asyncio
import json
import unicodedata
from typing import Any

from hypothesis import given, settings

from tests.session.folding import CONNECTING, READY, Fold
from tests.session.test_fold import LOCAL, damaged
from tests.session.test_reconnect import LOST, RESUMING
from tests.session.test_rotation import standby
from voicelive_tui.commands.lines import JsonLines, TextLines, Writer
from voicelive_tui.session import inputs
from voicelive_tui.session.continuation import Retry
from voicelive_tui.text import HIDDEN
from voicelive_tui.wire.events import parse


def is_harmless(line: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in line)


def written(kind: type[Writer], *events: Any) -> list[str]:
    """The lines that a writer makes of inputs, which a fold observes first."""
    lines: list[str] = []
    writer, fold = kind(lines.append), Fold()
    for event in (CONNECTING, *events):
        given = inputs.Received(parse(json.dumps(event))) if isinstance(event, dict) else event
        before = fold.state
        fold.feed(given)
        writer.observe(given, before, fold.state, fold.now)
    asyncio.run(writer.output.close())
    return lines


@settings(max_examples=60)
@given(damaged() | LOCAL)
def test_every_line_is_json_or_one_line_of_harmless_text(event: Any) -> None:
    for line in written(JsonLines, event):
        assert isinstance(json.loads(line, parse_constant=lambda name: 1 / 0), dict)
        assert is_harmless(line)
    assert all(is_harmless(line) for line in written(TextLines, event))


def test_a_credential_in_an_event_is_masked_by_its_value() -> None:
    event = {"type": "error", "error": {"message": "no", "api-key": "k" * 30, "code": None}}
    shown = json.loads(written(JsonLines, event)[-1])["event"]["error"]
    assert shown == {"message": "no", "api-key": HIDDEN, "code": None}


def test_each_step_of_a_reconnect_is_an_object_with_its_figures() -> None:
    item = {"id": "u1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello there"}]}
    created = {"type": "conversation.item.created", "item": item}
    lost = (LOST, inputs.Reconnecting(Retry(1_000.5, 0.5, 1)), RESUMING)
    lines = written(JsonLines, *READY, inputs.TextTyped("hello there"), created, *lost, *READY, created)
    steps = [event for event in (json.loads(line)["event"] for line in lines) if event["type"].startswith("re")]
    assert [{name: step[name] for name in step if name != "seconds"} for step in steps] == [
        {"type": "reconnecting", "number": 1, "tries": 5},
        {"type": "reconnected"},
        {"type": "restored", "turns": 1, "tokens": 3, "wordless": 0, "refused": 0},
    ]
    assert all(isinstance(step["seconds"], float) for step in steps)


def test_the_line_of_an_mcp_call_has_its_result() -> None:
    ids = {"response_id": "resp_1", "output_index": 0}
    item = {"id": "mcp_1", "type": "mcp_call", "server_label": "maps", "name": "route", "arguments": "{}"}
    lines = written(
        TextLines,
        {"type": "response.output_item.added", **ids, "item": item},
        {"type": "response.mcp_call.completed", "item_id": "mcp_1"},
        {"type": "response.output_item.done", **ids, "item": {**item, "output": "98 km"}},
        {"type": "response.created", "response": {"id": "resp_2"}},
    )
    assert [line[10:] for line in lines if "tool: " in line] == ["tool: route {} → 98 km [MCP server maps]"]


def test_a_rotation_is_told_with_its_sessions_and_what_comes_on_its_link_is_marked() -> None:
    created = {"type": "session.created", "session": {"id": "two"}}
    lines = written(
        JsonLines, *READY, inputs.RotatePressed(), *standby(RESUMING, inputs.Connected(), created), inputs.Rotated()
    )
    shown = [json.loads(line) for line in lines]
    marked = [line["event"]["type"] for line in shown if line.get("link") == "standby"]
    assert marked == ["connecting", "connected", "session.created"]
    told = [line["event"] for line in shown if line["event"]["type"] == "rotated"]
    assert told == [{"type": "rotated", "before": "sess_2", "session": "two"}]
