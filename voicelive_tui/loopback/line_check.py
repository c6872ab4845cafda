"""The content of an answer: the line check, or a reply of the script.

`plan` is a pure function of the user's turn and the script.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from voicelive_tui.loopback.conversation import read_item
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.input_buffer import Measurement
from voicelive_tui.loopback.protocol import JsonObject, Refusal, ResponseParams, missing
from voicelive_tui.loopback.script import Call, Kind, Reply, Script, render
from voicelive_tui.loopback.settings import Interim
from voicelive_tui.text import counted

MAX_CHARACTERS = 10_000
"""The longest answer: about ten minutes of speech."""

INTERIM = "One moment, please."
"""The interim response where the client names no texts."""

_QUOTED = 400  # characters of the user's text that an answer repeats


class Stimulus(Struct, frozen=True):
    """What a response answers."""

    kind: Kind
    turn: int
    """The number of the user's turn, from 1; 0 before any."""
    text: str = ""
    """The typed text, the transcript, or the output of the tools."""
    measured: Measurement | None = None


class Plan(Struct, frozen=True):
    """The content and pace of one response."""

    say: str
    """The text, at most `MAX_CHARACTERS` long; empty for function calls only."""
    wav: Path | None = None
    """A file to play as the audio of `say`."""
    calls: tuple[Call, ...] = ()
    delay: float = 0.3
    """Seconds from the turn to the first audio."""
    speed: float = 4.0
    """The pace of the audio, as a multiple of real time."""
    reply: Reply = Reply()
    """What the script says besides: errors, warnings, a failure, faults."""
    interim: str = ""
    """The interim response, spoken before the answer is there."""
    interim_delay: float = 0.0
    """Seconds from the turn to its first audio."""


def plan(
    script: Script, stimulus: Stimulus, tools: list[JsonObject], tool_choice: Any, known: Sequence[str] = ()
) -> Plan:
    """The plan of the answer to a stimulus: a reply of the script, else the line check.

    The tools are those that the session or the response declares; `tool_choice` is the protocol's. `known` has the
    words of each item that the model is given.
    """
    reply = script.find(stimulus.turn, stimulus.kind, stimulus.text) or Reply()
    say = "" if reply.say is None else render(reply.say, _values(stimulus) | {"history": " | ".join(known)})
    if reply.play and not say:
        say = f"[{Path(reply.play).name}]"
    calls = _calls(reply.calls, tools, tool_choice, stimulus.text)
    if not say and not calls:
        say = line_check(stimulus)
    return Plan(
        say=say if len(say) <= MAX_CHARACTERS else say[: MAX_CHARACTERS - 4] + " ...",
        wav=Path(script.folder) / reply.play if reply.play else None,
        calls=calls,
        delay=(script.delay_ms if reply.delay_ms is None else reply.delay_ms) / 1000,
        speed=script.speed if reply.speed is None else reply.speed,
        reply=reply,
    )


def with_interim(answer: Plan, rule: Interim | None, turn: int) -> Plan:
    """The plan with an interim response, if the rule's triggers apply.

    Static texts take turns, where Voice Live chooses at random. There is no language model here that could write one.
    """
    if rule is None:
        return answer
    threshold = rule.latency_threshold_ms / 1000
    slow = "latency" in rule.triggers and answer.delay > threshold
    calling = "tool" in rule.triggers and answer.calls and not answer.say
    if not slow and not calling:
        return answer
    texts = rule.texts or (INTERIM,)
    delay = threshold if slow else answer.delay
    return replace(answer, interim=texts[turn % len(texts)], interim_delay=delay)


def pre_generated(params: ResponseParams, script: Script, fmt: AudioFormat) -> Plan | None:
    """The plan that says the client's pre-generated message, if there is one."""
    given = params.pre_generated_assistant_message
    if given is UNSET:
        return None
    where = "response.pre_generated_assistant_message"
    item = read_item({"type": "message", "role": "assistant", **given}, fmt, where)
    if item.type != "message" or not item.text:
        raise missing(f"{where}.content")
    if len(item.text) > MAX_CHARACTERS:
        raise Refusal(f"The message may hold {MAX_CHARACTERS} characters at most.", "invalid_value", f"{where}.content")
    return Plan(say=item.text, delay=script.delay_ms / 1000, speed=script.speed)


def line_check(stimulus: Stimulus) -> str:
    """The answer where no reply of the script applies."""
    if stimulus.kind == "speech" and stimulus.measured:
        return _about_speech(stimulus.measured)
    if stimulus.kind == "tool":
        return f"The tool returned: {stimulus.text[:_QUOTED]}. I pass it on as it came."
    if stimulus.kind == "text":
        quoted = stimulus.text[:_QUOTED] + (" ..." if len(stimulus.text) > _QUOTED else "")
        return (
            f"You typed: {quoted} - that is {counted(len(stimulus.text), 'character')}. "
            "I am a line check: I measure what arrives, and I understand none of it."
        )
    return "This is the line check of the loopback service. Say something, and I will tell you how it arrived."


def _about_speech(turn: Measurement) -> str:
    if not turn.speech_ms:
        return (
            f"I heard no speech in {turn.audio_ms / 1000:.1f} seconds of audio. "
            f"Its level was {turn.level:.0f} dBFS, with a peak of {turn.peak:.0f} dBFS."
        )
    return (
        f"I heard you for {turn.speech_ms / 1000:.1f} seconds. "
        f"Level {turn.level:.0f} dBFS, peak {turn.peak:.0f}, noise floor {turn.floor:.0f}. {_verdict(turn)}"
    )


def _verdict(turn: Measurement) -> str:
    if turn.peak > -1:
        return "That is loud and may be clipped: please turn the microphone down."
    if turn.level - turn.floor < 15:
        return "That is close to the noise: please come nearer to the microphone."
    if turn.level < -40:
        return "That is quiet: please turn the microphone up."
    return "That is a good line, well above the noise."


def _values(stimulus: Stimulus) -> dict[str, str]:
    turn = stimulus.measured
    return {
        "turn": str(stimulus.turn),
        "text": stimulus.text,
        "output": stimulus.text if stimulus.kind == "tool" else "",
        "duration": f"{turn.speech_ms / 1000:.1f}" if turn else "0.0",
        "level": f"{turn.level:.0f}" if turn else "",
        "peak": f"{turn.peak:.0f}" if turn else "",
        "floor": f"{turn.floor:.0f}" if turn else "",
    }


def _calls(scripted: tuple[Call, ...], tools: list[JsonObject], tool_choice: Any, text: str) -> tuple[Call, ...]:
    """The scripted calls that the session allows, or the call that it requires."""
    declared = {tool["name"]: tool for tool in tools if tool["type"] == "function"}
    servers = {tool["server_label"]: tool.get("allowed_tools") for tool in tools if tool["type"] == "mcp"}

    def is_declared(call: Call) -> bool:
        if call.server is None:
            return call.name in declared
        allowed = servers.get(call.server)
        return call.server in servers and (not isinstance(allowed, list) or call.name in allowed)

    if tool_choice == "none":
        return ()
    wanted = None
    if isinstance(tool_choice, dict):
        function = tool_choice.get("function")
        name = (function if isinstance(function, dict) else tool_choice).get("name")
        wanted = name if isinstance(name, str) else None
    calls = tuple(call for call in scripted if is_declared(call) and wanted in {None, call.name})
    if calls or not declared or (wanted is None and tool_choice != "required"):
        return calls
    forced = wanted if wanted and wanted in declared else next(iter(declared))
    return (Call(forced, _arguments(declared[forced].get("parameters"), text)),)


def _arguments(schema: Any, text: str) -> dict[str, Any]:
    """Arguments that fit a JSON schema, for a required call: the user's text for every string."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return {}
    return {str(name): _value(rule, text) for name, rule in properties.items()}


def _value(rule: Any, text: str) -> Any:
    if not isinstance(rule, dict):
        return text
    choices = rule.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    kind = rule.get("type")
    if kind == "object":
        return _arguments(rule, text)
    simple: dict[Any, Any] = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "null": None}
    return simple.get(kind, text) if isinstance(kind, str) else text
