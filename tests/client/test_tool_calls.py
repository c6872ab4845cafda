"""Functions that the model calls, through the real SDK on a real socket: each is answered once, and spoken once."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.conversing import LIMIT, Mouth, speech, until
from voicelive_tui.client.live import LiveSession
from voicelive_tui.config import Audio, Function, Service, Settings, Tools
from voicelive_tui.loopback.script import Call as ScriptedCall
from voicelive_tui.loopback.script import Reply, Script
from voicelive_tui.loopback.service import LoopbackService
from voicelive_tui.session import inputs, rotation, tools
from voicelive_tui.session.calls import Call, CallState
from voicelive_tui.session.state import Activity, Stage
from voicelive_tui.tools.run import LONGEST_OUTPUT, Toolbox

SOURCE = '''
import asyncio, threading
released = threading.Event()

def add(a: int, b: int = 0) -> int:
    """Add."""
    return a + b

async def wait(seconds: float) -> str:
    """Wait."""
    await asyncio.sleep(seconds)
    return f"{seconds:g} s"

def raises() -> str:
    """Raise."""
    raise RuntimeError("no luck")

def hangs() -> str:
    """Hang."""
    released.wait(30)

def megabyte() -> str:
    """Much."""
    return "x" * 1_000_000

def raw() -> bytes:
    """Bytes."""
    return b"\\xff\\x00"
'''


def reply(match: str, *calls: tuple[str, Any], faults: tuple[str, ...] = ()) -> Reply:
    made = tuple(ScriptedCall(name, arguments) for name, arguments in calls)
    return Reply(on="text", match=f"^{match}$", calls=made, faults=faults)


ANSWER = "Done."
SCRIPT = Script(
    delay_ms=20,
    speed=50,
    reply=(
        reply("one", ("add", {"a": 1, "b": 2})),
        reply("three", ("wait", {"seconds": 0.3}), ("wait", {"seconds": 0.05}), ("add", {"a": 1})),
        reply("raises", ("raises", {})),
        reply("hangs", ("hangs", {})),
        reply("megabyte", ("megabyte", {})),
        reply("raw", ("raw", {})),
        reply("broken", ("add", "{a: 1")),
        reply("unfit", ("add", {"a": "x"})),
        reply("slow", ("wait", {"seconds": 1.5})),
        reply("slower", ("wait", {"seconds": 2.5})),
        reply(
            "twice", ("add", {"a": 1, "b": 2}), faults=("duplicate-done@response.output_item.done", "duplicate-done")
        ),
        reply("endless", ("add", {"a": 1, "b": 2}), faults=("missing-done",)),
        reply("lost", ("wait", {"seconds": 0.5}), faults=("close=1011@response.done",)),
        Reply(on="tool", say=ANSWER),
        Reply(on="text", match="history", say="{history}"),
        Reply(say="Yes."),
    ),
)


class Talk(NamedTuple):
    """A running session, and the client events that the service got."""

    live: LiveSession
    mouth: Mouth
    got: list[tuple[str, dict[str, Any]]]

    @property
    def calls(self) -> list[Call]:
        return [call for _, call in self.live.state.calls]

    @property
    def answers(self) -> list[str]:
        """What the assistant said to outputs."""
        return [entry.text for entry in self.live.state.transcript if entry.text == ANSWER]

    def say(self, words: str) -> None:
        self.live.apply(inputs.TextTyped(words))

    async def settle(self) -> None:
        """Wait until nothing goes on any more."""
        state = self.live.state
        await until(lambda: self.live.state.activity is Activity.READY and not self.live.state.awaiting, "the end")
        await asyncio.sleep(0.2)
        assert self.live.state.activity is Activity.READY, state.activity

    def outputs(self) -> list[dict[str, Any]]:
        items = [event["item"] for _, event in self.got if event["type"] == "conversation.item.create"]
        return [item for item in items if item["type"] == "function_call_output"]

    def requests(self) -> int:
        return sum(event["type"] == "response.create" for _, event in self.got)


@contextlib.asynccontextmanager
async def talking(
    tmp_path: Path, attended: bool = True, timeout: float = 20.0, **rules: Function
) -> AsyncIterator[Talk]:
    path = tmp_path / "functions.py"
    path.write_text(SOURCE)
    got: list[tuple[str, dict[str, Any]]] = []
    async with LoopbackService(
        script=SCRIPT, on_client_event=lambda session, event: got.append((session, event))
    ) as service:
        settings = Settings(
            service=Service(endpoint=service.endpoint, api_key="k3y"),
            audio=Audio(input_device="none", output_device="none"),
            tools=Tools(load=(str(path),), timeout=timeout, functions=rules),
        )
        mouth = Mouth()
        live = LiveSession(settings, source=mouth, toolbox=Toolbox(settings.tools.load), attended=attended)
        running = asyncio.create_task(live.run())
        try:
            await until(lambda: live.state.connection.stage is Stage.READY and live.state.microphone.capturing, "ready")
            yield Talk(live, mouth, got)
        finally:
            sys.modules["voicelive_tools.functions"].released.set()
            await live.close()
            await asyncio.wait_for(running, LIMIT)


INVALID = '{"error":"the arguments are not valid: '
ENDS = [
    ("one", ["3"], ""),
    ("three", ["0.3 s", "0.05 s", "1"], ""),
    ("raises", ['{"error":"RuntimeError: no luck"}'], "failed"),
    ("raw", ['{"error":"ValueError: the result is 2 bytes that are not text"}'], "failed"),
    ("megabyte", ["x" * LONGEST_OUTPUT], ""),
    ("hangs", ['{"error":"timeout after 2 s"}'], "timed out"),
    (
        "broken",
        ['{"error":"the arguments are not valid: JSON is malformed: object keys must be strings (byte 1)"}'],
        "failed",
    ),
    ("unfit", [INVALID + 'Expected `int`, got `str` - at `$.a`"}'], "failed"),
    ("twice", ["3"], ""),
    ("endless", ["3"], ""),
]


@pytest.mark.parametrize(("words", "outputs", "ended"), ENDS, ids=[words for words, *_ in ENDS])
async def test_each_call_has_one_output_and_one_answer_is_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, outputs: list[str], ended: str
) -> None:
    if words == "endless":
        monkeypatch.setattr(tools, "LOST_SECONDS", 1.0)
    async with talking(tmp_path, timeout=2.0) as talk:
        talk.say(words)
        await until(lambda: talk.answers, "the answer")
        await talk.settle()
        assert sorted(item["output"] for item in talk.outputs()) == sorted(outputs)
        assert [call.output for call in talk.calls] == outputs
        assert [call.ended for call in talk.calls] == [ended] * len(outputs)
        assert (len(talk.answers), talk.requests()) == (1, 2)  # of the message, and of the outputs
        assert all(call.spoken_at is not None for call in talk.calls)


async def test_a_barge_in_while_a_function_runs_leaves_its_output_in_the_conversation_unasked(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        talk.say("slow")
        await until(lambda: talk.calls and talk.calls[0].started_at, "the call")
        talk.mouth.say(speech("Stop."))
        await until(lambda: len(talk.outputs()) == 1, "the output")
        await until(lambda: talk.live.state.turn.committed_at is not None, "the turn")
        await talk.settle()
        assert (talk.answers, talk.requests()) == ([], 1)
        assert talk.calls[0].overtaken_at is not None


async def test_a_function_that_outlives_its_connection_is_answered_in_the_next_one(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        talk.say("lost")
        await until(lambda: talk.answers, "the answer")
        await talk.settle()
        first, last = talk.got[0][0], talk.got[-1][0]
        assert first != last
        items = [event["item"] for session, event in talk.got if session == last and "item" in event]
        call, output = (
            next(i for i in items if i["type"] == kind) for kind in ("function_call", "function_call_output")
        )
        assert call["call_id"] == output["call_id"]
        assert len([i for i in items if i["type"] == "function_call_output"]) == len(talk.answers) == 1


async def test_a_rotation_waits_for_the_answer_to_a_function(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        first = talk.live.state.connection.session_id
        talk.say("slow")
        await until(lambda: talk.calls and talk.calls[0].started_at, "the call")
        talk.live.apply(inputs.RotatePressed())
        await until(lambda: talk.live.state.connection.session_id != first, "the next session")
        await talk.settle()
        items = [event["item"]["type"] for session, event in talk.got if session == first and "item" in event]
        assert items == ["message", "function_call_output"]
        assert (len(talk.answers), talk.requests()) == (1, 2)


async def test_a_rotation_that_cannot_wait_takes_a_running_call_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "PATIENCE_SECONDS", 0.2)
    async with talking(tmp_path) as talk:
        first = talk.live.state.connection.session_id
        talk.say("slower")
        await until(lambda: talk.calls and talk.calls[0].started_at, "the call")
        talk.live.apply(inputs.RotatePressed())
        await until(lambda: talk.live.state.connection.session_id != first, "the next session")
        assert talk.calls[0].state is CallState.RUNNING
        await until(lambda: talk.answers, "the answer")
        await talk.settle()
        given = [(session != first, event["item"]) for session, event in talk.got if "item" in event]
        kinds = [(new, item["type"]) for new, item in given if item.get("call_id")]
        assert kinds == [(True, "function_call"), (True, "function_call_output")]
        assert len(talk.answers) == 1


async def test_an_approval_with_edited_arguments_and_a_refusal(tmp_path: Path) -> None:
    async with talking(tmp_path, add=Function(policy="ask")) as talk:
        for decision, output in (
            (lambda item_id: inputs.CallApproved(item_id, '{"a": 40, "b": 2}'), "42"),
            (lambda item_id: inputs.CallRefused(item_id, "not today"), '{"error":"not today"}'),
            (lambda item_id: inputs.CallAnswered(item_id, "seven"), "seven"),
        ):
            before = len(talk.answers)
            talk.say("one")
            await until(lambda: talk.calls and talk.calls[-1].waits, "a call that waits")
            talk.live.apply(decision(talk.live.state.calls[-1][0].item_id))
            await until(lambda before=before: len(talk.answers) > before, "the answer")
            await talk.settle()
            assert (len(talk.answers), talk.outputs()[-1]["output"]) == (before + 1, output)


async def test_a_stub_from_a_file_a_failure_and_a_delay(tmp_path: Path) -> None:
    (tmp_path / "stub.json").write_text('{"sum": 5}\n')
    rules = {
        "add": Function(policy="stub", answer=f"@{tmp_path / 'stub.json'}", delay=0.2),
        "raises": Function(policy="fail", error="no network"),
    }
    async with talking(tmp_path, **rules) as talk:
        for words, output in (("one", '{"sum": 5}'), ("raises", '{"error":"no network"}')):
            before = len(talk.answers)
            talk.say(words)
            await until(lambda before=before: len(talk.answers) > before, "the answer")
            await talk.settle()
            assert talk.outputs()[-1]["output"] == output
        took = (talk.calls[0].ended_at or 0) - (talk.calls[0].started_at or 0)
        assert took >= 0.2


async def test_without_a_user_a_call_that_needs_one_is_refused(tmp_path: Path) -> None:
    async with talking(tmp_path, attended=False, add=Function(policy="ask")) as talk:
        talk.say("one")
        await until(lambda: talk.answers, "the answer")
        assert "no user" in json.loads(talk.outputs()[0]["output"])["error"]


async def test_a_reload_declares_the_functions_again_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        path = tmp_path / "functions.py"
        path.write_text(SOURCE.replace("a + b", "a * b"))
        await talk.live.reload_tools()
        talk.say("one")
        await until(lambda: talk.answers, "the answer")
        assert talk.outputs()[0]["output"] == "2"
        path.write_text("def add(:")
        await talk.live.reload_tools()
        assert "the tools stay as they were" in talk.live.state.problems[-1].text
        path.write_text(SOURCE + '\ndef more() -> int:\n    """More."""\n    return 1\n')
        await talk.live.reload_tools()
        await until(
            lambda: "more" in [tool["name"] for tool in talk.live.state.in_force.get("tools", ())], "the new function"
        )


async def test_a_hung_function_does_not_delay_the_end(tmp_path: Path) -> None:
    async with talking(tmp_path) as talk:
        talk.say("hangs")
        await until(lambda: talk.calls and talk.calls[0].state is CallState.RUNNING, "the call")
        async with asyncio.timeout(20):  # the function takes 30 s
            await talk.live.close()


async def test_in_the_demo_the_assistant_calls_the_tools_of_the_example() -> None:
    settings = Settings(
        audio=Audio(input_device="none", output_device="none"), tools=Tools(load=("voicelive_tui.tools.example",))
    )
    live = LiveSession(settings, demo=True, toolbox=Toolbox(settings.tools.load))
    running = asyncio.create_task(live.run())
    try:
        await until(lambda: live.state.connection.stage is Stage.READY, "ready")
        live.apply(inputs.TextTyped("What is the weather in Oslo?"))
        await until(lambda: live.state.transcript[-1:] and "sunny" in live.state.transcript[-1].text, "the answer")
    finally:
        await live.close()
        await asyncio.wait_for(running, LIMIT)


async def test_the_example_tools_of_the_demo_are_not_declared_to_another_service() -> None:
    settings = Settings(audio=Audio(input_device="none", output_device="none"))
    live = LiveSession(settings, demo=True, toolbox=Toolbox(("voicelive_tui.tools.example",)))
    assert [tool["name"] for tool in live.state.wanted["tools"]] == ["get_weather", "set_timer"]
    away = msgspec.structs.replace(settings, service=Service(endpoint="http://127.0.0.1:9", api_key="any"))
    await live.change_settings(away, "profile away", demo=False)
    assert not live.state.wanted.get("tools")
    await live.change_settings(settings, "defaults", demo=True)
    assert [tool["name"] for tool in live.state.wanted["tools"]] == ["get_weather", "set_timer"]
