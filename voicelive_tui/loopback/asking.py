"""What a response is asked to be: the session's settings under the overrides of ``response.create``.

Functions only; ``brain`` calls them in the order of a response's beginning.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from voicelive_tui.loopback.conversation import Item, Tokens, read_item, text_tokens
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.line_check import LONGEST, Plan
from voicelive_tui.loopback.protocol import JsonObject, Refusal, ResponseParams, Unsupported
from voicelive_tui.loopback.response import Asked
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.settings import Settings, check_metadata, check_response, check_tools, normal_voice


def check(params: ResponseParams) -> None:
    """Whether the overrides can be carried out.

    Raises:
        Refusal: One cannot.
    """
    check_response(params.voice, params.output_audio_format, params.max_output_tokens, "response")
    check_metadata(params.metadata, "response")
    check_tools(params.tools, "response")
    if params.modalities is not UNSET and not {"text", "audio"} >= set(params.modalities):
        raise Refusal("Supported modalities are 'text' and 'audio'.", "invalid_value", "response.modalities")
    if params.interim_response:
        raise Unsupported("interim responses", "response.interim_response")
    if params.invoke_input:
        raise Unsupported("hosted agents", "response.invoke_input")


def read_items(given: list[JsonObject], form: AudioFormat, where: str) -> list[Item]:
    """The items of a response's own.

    Raises:
        Refusal: One cannot be an item.
    """
    return [read_item(item, form, f"{where}[{index}]") for index, item in enumerate(given)]


def fixed_answer(params: ResponseParams, script: Script, form: AudioFormat) -> Plan | None:
    """The pre-generated message as what is said, if there is one.

    Raises:
        Refusal: It is no message, or one too long to be spoken.
    """
    given = params.pre_generated_assistant_message
    if not given:
        return None
    where = "response.pre_generated_assistant_message"
    item = read_item({"type": "message", "role": "assistant", **given}, form, where)
    if item.type != "message" or not item.text:
        raise Refusal(f"Missing required parameter: '{where}.content'.", "missing_required_parameter", where)
    if len(item.text) > LONGEST:
        raise Refusal(f"The message may hold {LONGEST} characters at most.", "invalid_value", f"{where}.content")
    return Plan(say=item.text, delay=script.delay_ms / 1000, speed=script.speed)


def tools_of(settings: Settings, params: ResponseParams) -> tuple[list[JsonObject], Any]:
    """The functions that may be called, and the ``tool_choice``."""
    tools = settings.json["tools"] if params.tools is UNSET else params.tools
    choice = settings.json["tool_choice"] if params.tool_choice is UNSET else params.tool_choice
    return tools, choice


def asked_of(
    settings: Settings, params: ResponseParams, items: list[Item], last: Tokens, conversation_id: str
) -> Asked:
    """What a response is to be like.

    Args:
        settings: The session's.
        params: The overrides.
        items: What the model is given.
        last: What it was given last time, in tokens.
        conversation_id: As the protocol shows it.
    """
    session = settings.json

    def pick(name: str, of_session: str | None = None) -> Any:
        value = getattr(params, name)
        return session.get(of_session or name) if value is UNSET else value

    voice = normal_voice(pick("voice"))
    azure = str(voice.get("type", "")).startswith("azure")
    limit = pick("max_output_tokens", "max_response_output_tokens")
    context = sum((item.tokens for item in items), Tokens(text_tokens(pick("instructions") or "")))
    cached = Tokens(min(last.text, context.text), min(last.audio, context.audio))
    return Asked(
        native=settings.native,
        modalities=("text", "audio") if "audio" in pick("modalities") else ("text",),
        voice=voice,
        output_audio_format=pick("output_audio_format") or "pcm16",
        conversation_id=conversation_id if params.commit else "",
        temperature=pick("temperature"),
        max_tokens=None if limit in {None, "inf"} else limit,
        metadata=params.metadata,
        commit=params.commit,
        timestamps=azure and "word" in (session["output_audio_timestamp_types"] or ()),
        visemes=azure and "viseme_id" in ((session["animation"] or {}).get("outputs") or ()),
        parallel_calls=session["parallel_tool_calls"] is not False,
        context=context,
        cached=cached,
    )
