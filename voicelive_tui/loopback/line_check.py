"""What the assistant says: the line check, or what a script has it say.

``plan`` is a pure function of what the user did and of the script.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicelive_tui.loopback.input_buffer import Heard
from voicelive_tui.loopback.protocol import JsonObject
from voicelive_tui.loopback.script import Call, Kind, Reply, Script, Trouble, render

LONGEST = 10_000
"""The most characters that one response says: about ten minutes of speech."""

_QUOTED = 400  # characters of the user's text that are repeated


@dataclass(frozen=True, slots=True)
class Stimulus:
    """What an answer answers.

    Attributes:
        kind: Speech, text, tool results, or nothing.
        turn: The number of the user's turn, from 1; 0 before any.
        text: What the user typed, the transcript, or what the tools returned.
        heard: The measured speech.
    """

    kind: Kind
    turn: int
    text: str = ""
    heard: Heard | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one response does.

    Attributes:
        say: What is said, cut to ``LONGEST``; empty for function calls only.
        wav: A file to play as the sound of ``say``.
        calls: The functions called, in order.
        delay: Seconds from the turn to the first sound.
        speed: How many times faster than real time the sound is sent.
        errors: Sent before the answer.
        warnings: Sent before the answer.
        fail: Why the response fails, if it does.
        faults: What to arm as the answer begins.
    """

    say: str
    wav: Path | None = None
    calls: tuple[Call, ...] = ()
    delay: float = 0.3
    speed: float = 4.0
    errors: tuple[Trouble, ...] = ()
    warnings: tuple[Trouble, ...] = ()
    fail: str | None = None
    faults: tuple[str, ...] = ()


def plan(script: Script, stimulus: Stimulus, tools: list[JsonObject], tool_choice: Any) -> Plan:
    """What to do about a stimulus.

    Args:
        script: Whose replies are tried first.
        stimulus: What is answered.
        tools: The functions that the session or the response declares.
        tool_choice: As in the protocol: ``auto``, ``none``, ``required``, or an object that names a function.
    """
    reply = script.find(stimulus.turn, stimulus.kind, stimulus.text) or Reply()
    say = "" if reply.say is None else render(reply.say, _values(stimulus))
    if reply.play and not say:
        say = f"[{Path(reply.play).name}]"
    calls = _calls(reply.calls, tools, tool_choice, stimulus.text)
    if not say and not calls:
        say = line_check(stimulus)
    return Plan(
        say=say if len(say) <= LONGEST else say[: LONGEST - 4] + " ...",
        wav=Path(script.folder) / reply.play if reply.play else None,
        calls=calls,
        delay=(script.delay_ms if reply.delay_ms is None else reply.delay_ms) / 1000,
        speed=script.speed if reply.speed is None else reply.speed,
        errors=reply.errors,
        warnings=reply.warnings,
        fail=reply.fail,
        faults=reply.faults,
    )


def line_check(stimulus: Stimulus) -> str:
    """What the assistant says of its own accord."""
    if stimulus.kind == "speech" and stimulus.heard:
        return _about_speech(stimulus.heard)
    if stimulus.kind == "tool":
        return f"The tool returned: {stimulus.text[:_QUOTED]}. I pass it on as it came."
    if stimulus.kind == "text":
        return _about_text(stimulus.text)
    return "This is the line check of the loopback service. Say something, and I will tell you how it arrived."


def _about_speech(heard: Heard) -> str:
    if not heard.speech_ms:
        return (
            f"I heard no speech in {heard.audio_ms / 1000:.1f} seconds of audio. "
            f"Its level was {heard.level:.0f} dBFS, with a peak of {heard.peak:.0f} dBFS."
        )
    return (
        f"I heard you for {heard.speech_ms / 1000:.1f} seconds. "
        f"Level {heard.level:.0f} dBFS, peak {heard.peak:.0f}, noise floor {heard.floor:.0f}. {_verdict(heard)}"
    )


def _verdict(heard: Heard) -> str:
    if heard.peak > -1:
        return "That is loud and may be clipped: please turn the microphone down."
    if heard.level - heard.floor < 15:
        return "That is close to the noise: please come nearer to the microphone."
    if heard.level < -40:
        return "That is quiet: please turn the microphone up."
    return "That is a good line, well above the noise."


def _about_text(text: str) -> str:
    quoted = text if len(text) <= _QUOTED else text[:_QUOTED] + " ..."
    count = len(text)
    return (
        f"You typed: {quoted} - that is {count} character{'' if count == 1 else 's'}. "
        "I am a line check: I measure what arrives, and I understand none of it."
    )


def _values(stimulus: Stimulus) -> dict[str, str]:
    heard = stimulus.heard
    return {
        "turn": str(stimulus.turn),
        "text": stimulus.text,
        "output": stimulus.text if stimulus.kind == "tool" else "",
        "duration": f"{heard.speech_ms / 1000:.1f}" if heard else "0.0",
        "level": f"{heard.level:.0f}" if heard else "",
        "peak": f"{heard.peak:.0f}" if heard else "",
        "floor": f"{heard.floor:.0f}" if heard else "",
    }


def _calls(scripted: tuple[Call, ...], tools: list[JsonObject], tool_choice: Any, text: str) -> tuple[Call, ...]:
    """The calls that the session allows, and those that it demands."""
    declared = {tool["name"]: tool for tool in tools}
    if tool_choice == "none":
        return ()
    wanted = None
    if isinstance(tool_choice, dict):
        wanted = tool_choice.get("name") or (tool_choice.get("function") or {}).get("name")
    calls = tuple(call for call in scripted if call.name in declared and wanted in {None, call.name})
    if calls or not declared or (wanted is None and tool_choice != "required"):
        return calls
    name = str(wanted) if wanted in declared else next(iter(declared))
    return (Call(name, _arguments(declared[name].get("parameters"), text)),)


def _arguments(schema: Any, text: str) -> dict[str, Any]:
    """Arguments that fit a JSON schema, for a call that the client forces: the user's text where text goes."""
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
