"""One response, event by event.

``run`` is the whole life of a response in the order of the protocol: a generator that yields the time until which
it has nothing to do. Whoever ends it early calls ``finish``, which closes whatever is open and sends
``response.done``; after that the generator is not resumed. Only the response writes to its items.
"""

from __future__ import annotations

import base64
import bisect
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from voicelive_tui.loopback.conversation import Conversation, Item, Tokens, audio_tokens, text_tokens
from voicelive_tui.loopback.formats import OUTPUT_FORMATS, AudioFormat
from voicelive_tui.loopback.line_check import Plan
from voicelive_tui.loopback.protocol import JsonObject, new_id
from voicelive_tui.loopback.script import Call
from voicelive_tui.speech.voice import Speech

WAITING: Final = float("inf")
"""What ``run`` yields while the speech is not synthesized yet."""

DELTA_MS: Final = 100
"""How much sound one ``response.audio.delta`` carries."""

_WORDS_AHEAD = 2.5  # transcript deltas run so many times faster than the sound
_TEXT_STEP = 0.02  # seconds between deltas of text and of arguments
_ARGUMENTS_STEP = 8  # characters a delta of arguments
_AFFORDABLE_STEP_MS = 20  # speech is cut by the token limit so exactly


class Emit(Protocol):
    """Sends a server event."""

    def __call__(self, name: str, /, **fields: Any) -> None:
        """Send the event ``name`` with these fields."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a response is to be like: the session's settings under the overrides of ``response.create``.

    Attributes:
        native: Whether the model takes sound directly (the events differ a little).
        modalities: ``text``, or ``text`` and ``audio``.
        voice: As the protocol shows it.
        output_audio_format: As the protocol shows it.
        conversation_id: As the protocol shows it.
        temperature: Echoed.
        max_tokens: The most that may be put out; None for no limit.
        metadata: Echoed.
        commit: Whether the output becomes part of the conversation.
        timestamps: Whether the place of each word is wanted.
        visemes: Whether mouth positions are wanted.
        parallel_calls: Whether one response may hold several calls.
        context: What the model is given, in tokens.
        cached: How much of that it was given last time.
    """

    native: bool
    modalities: tuple[str, ...]
    voice: JsonObject
    output_audio_format: str
    conversation_id: str
    temperature: float | None
    max_tokens: int | None
    metadata: dict[str, str] | None
    commit: bool
    timestamps: bool
    visemes: bool
    parallel_calls: bool
    context: Tokens
    cached: Tokens

    @property
    def form(self) -> AudioFormat:
        """How the sound is coded."""
        return OUTPUT_FORMATS[self.output_audio_format]

    @property
    def speaker(self) -> str:
        """The voice's name."""
        return str(self.voice.get("name") or self.voice.get("type"))


@dataclass(slots=True)
class _Open:
    """The message part under way."""

    item: Item
    index: int
    kind: str
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.words)


class Response:
    """One answer.

    Args:
        asked: What it is to be like.
        plan: What it does.
        begin: When the turn ended, in seconds on the session's clock of time.
        conversation: Where its items go.
        emit: Sends its events.
    """

    def __init__(self, asked: Asked, plan: Plan, begin: float, conversation: Conversation, emit: Emit) -> None:
        self.id = new_id("resp")
        self.plan = plan
        self.asked = asked
        self.status = "in_progress"
        self.first_audio: float | None = None
        """When the first sound was sent."""
        self._speech: tuple[Speech, bytes] | None = None
        self._details: JsonObject | None = None
        self._begin = begin
        self._conversation = conversation
        self._emit = emit
        self._output: list[Item] = []
        self._open: _Open | None = None
        self._open_call: Item | None = None
        self._spent = Tokens()
        self._audio_from = begin + plan.delay

    @property
    def spoken(self) -> bool:
        """Whether it has sound to be synthesized."""
        return "audio" in self.asked.modalities and bool(self.plan.say) and self.plan.fail is None

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        return self.status == "in_progress"

    @property
    def audio_item(self) -> Item | None:
        """The item that holds its sound."""
        return next((item for item in self._output if item.audio), None)

    def hear(self, speech: Speech, audio: bytes, now: float) -> None:
        """Take the synthesized speech and its sound as coded; what comes late is not sent in a rush."""
        self._speech = speech, audio
        self._audio_from = max(self._audio_from, now)

    def run(self) -> Iterator[float]:
        """Send everything, yielding the time of the next event in between."""
        self._emit("response.created", response=self._json())
        for trouble in self.plan.errors:
            error = {"type": trouble.type, "code": trouble.code, "message": trouble.message}
            self._emit("error", error=error | {"param": None, "event_id": None})
        for trouble in self.plan.warnings:
            self._emit("warning", warning={"message": trouble.message, "code": trouble.code, "param": None})
        yield self._begin + self.plan.delay * 0.6
        if self.plan.fail is not None:
            error = {"type": "server_error", "code": "server_error", "message": self.plan.fail}
            self.finish("failed", {"type": "failed", "error": error})
            return
        if self.plan.say:
            yield from self._say()
        if self.active:
            for call in self.plan.calls if self.asked.parallel_calls else self.plan.calls[:1]:
                yield from self._call(call)
            self.finish("completed")

    def finish(self, status: str, details: JsonObject | None = None) -> None:
        """Close what is open and send ``response.done``.

        Args:
            status: ``completed``, ``cancelled``, ``incomplete`` or ``failed``.
            details: The ``status_details``.
        """
        if not self.active:
            return
        self._close_message("completed" if status == "completed" else "incomplete")
        if self._open_call:
            self._close_call("incomplete")
        self.status = status
        self._details = details
        self._emit("response.done", response=self._json())

    def _place(self, item: Item, index: int) -> JsonObject:
        return {"response_id": self.id, "item_id": item.id, "output_index": index}

    def _add_item(self, item: Item) -> int:
        index = len(self._output)
        self._output.append(item)
        self._emit("response.output_item.added", response_id=self.id, output_index=index, item=item.json)
        if self.asked.commit:
            previous = self._conversation.add(item)
            self._emit("conversation.item.created", previous_item_id=previous, item=item.json)
        return index

    def _say(self) -> Iterator[float]:
        """A message: its part, its words and its sound."""
        native = self.asked.native
        kind = "audio" if self.spoken else "text"
        json: JsonObject = {
            "id": new_id("item" if native else "msg"),
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress" if native else "incomplete",
            "role": "assistant",
            "content": [],
        }
        item = Item(json, form=self.asked.form)
        self._open = _Open(item, self._add_item(item), kind)
        part = {"type": "audio", "transcript": ""} if kind == "audio" else {"type": "text", "text": ""}
        self._emit("response.content_part.added", **self._place(item, self._open.index), content_index=0, part=part)
        json["content"] = [dict(part)]
        whole = yield from (self._speak(self._open) if kind == "audio" else self._write(self._open))
        if whole:
            self._close_message("completed")
        else:
            self.finish("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})

    def _write(self, part: _Open) -> Generator[float, None, bool]:
        """The words of a text part; returns whether all were said."""
        place = self._place(part.item, part.index) | {"content_index": 0}
        at = self._begin + self.plan.delay
        for word in _split(self.plan.say):
            if self._over(Tokens(text_tokens(part.text + word))):
                return False
            yield at
            self._put_word(part, word)
            self._emit("response.text.delta", **place, delta=word)
            at += _TEXT_STEP
        return True

    def _speak(self, part: _Open) -> Generator[float, None, bool]:
        """The words and the sound of an audio part, the words ahead; returns whether all was said."""
        while self._speech is None:
            yield WAITING
        speech, audio = self._speech
        place = self._place(part.item, part.index) | {"content_index": 0}
        end_ms = self._affordable_ms(speech)
        audio = audio[: self.asked.form.size(end_ms)] if end_ms < speech.duration_ms else audio
        for at, name, fields in self._timeline(speech, audio, end_ms):
            yield at
            if name == "response.audio_transcript.delta":
                self._put_word(part, fields["delta"])
            elif name == "response.audio.delta":
                sound = fields["delta"]
                part.item.audio += sound
                fields["delta"] = base64.b64encode(sound).decode()
                self.first_audio = self.first_audio or at
            self._emit(name, **place, **fields)
        return end_ms >= speech.duration_ms

    def _timeline(self, speech: Speech, audio: bytes, end_ms: int) -> list[tuple[float, str, JsonObject]]:
        """When which delta is sent."""
        start, speed = self._audio_from, self.plan.speed
        events: list[tuple[float, str, JsonObject]] = []
        for word in speech.words:
            if word.offset_ms <= end_ms:
                at = start + word.offset_ms / 1000 / speed / _WORDS_AHEAD - 0.1 * self.plan.delay
                events.append((at, "response.audio_transcript.delta", {"delta": word.what}))
        step = self.asked.form.size(DELTA_MS)
        for index in range(0, len(audio), step):
            at = start + index // step * DELTA_MS / 1000 / speed
            events.append((at, "response.audio.delta", {"delta": audio[index : index + step]}))
        marks: list[tuple[str, Any, Any]] = []
        if self.asked.timestamps:
            marks += [("response.audio_timestamp.delta", word, None) for word in speech.words]
        if self.asked.visemes:
            marks += [("response.animation_viseme.delta", mark, int(mark.what)) for mark in speech.visemes]
        for name, mark, viseme in marks:
            if mark.offset_ms > end_ms:
                continue
            fields: JsonObject = {"audio_offset_ms": mark.offset_ms}
            if viseme is None:
                text = mark.what.strip()
                fields |= {"audio_duration_ms": mark.duration_ms, "text": text, "timestamp_type": "word"}
            else:
                fields["viseme_id"] = viseme
            events.append((start + mark.offset_ms / 1000 / speed, name, fields))
        events.sort(key=lambda event: event[0])
        return events

    def _put_word(self, part: _Open, word: str) -> None:
        part.words.append(word)
        content = part.item.json["content"][0]
        content["transcript" if part.kind == "audio" else "text"] = part.text

    def _over(self, more: Tokens) -> bool:
        """Whether so many tokens more are too many."""
        limit = self.asked.max_tokens
        return limit is not None and (self._spent + more).total > limit

    def _affordable_ms(self, speech: Speech) -> int:
        """How much of the speech the token limit allows."""
        whole = speech.duration_ms

        def over(end_ms: int) -> bool:
            said = "".join(word.what for word in speech.words if word.offset_ms <= end_ms)
            return self._over(Tokens(text_tokens(said), audio_tokens(end_ms)))

        if not over(whole):
            return whole
        steps = range(0, whole, _AFFORDABLE_STEP_MS)
        return steps[max(0, bisect.bisect_left(steps, True, key=over) - 1)]

    def _close_message(self, status: str) -> None:
        part, self._open = self._open, None
        if part is None:
            return
        item, text = part.item, part.text
        place = self._place(item, part.index) | {"content_index": 0}
        if part.kind == "audio":
            self._emit("response.audio.done", **place)
            if self.asked.timestamps:
                self._emit("response.audio_timestamp.done", **place)
            if self.asked.visemes:
                self._emit("response.animation_viseme.done", **place)
            self._emit("response.audio_transcript.done", **place, transcript=text)
            shown = {"type": "audio", "transcript": text}
        else:
            self._emit("response.text.done", **place, text=text)
            # Seen of the service: with native models the finished part comes without its text.
            shown = {"type": "text", "text": "" if self.asked.native else text}
        self._emit("response.content_part.done", **place, part=shown)
        item.json["status"] = status
        self._emit("response.output_item.done", response_id=self.id, output_index=part.index, item=item.json)
        self._spent += Tokens(text_tokens(text), audio_tokens(item.audio_ms))

    def _call(self, call: Call) -> Iterator[float]:
        """One function call."""
        item = Item(
            {
                "id": new_id("item"),
                "object": "realtime.item",
                "type": "function_call",
                "status": "in_progress",
                "name": call.name,
                "call_id": call.call_id or new_id("call"),
                "arguments": "",
            }
        )
        place = self._place(item, self._add_item(item)) | {"call_id": item.json["call_id"]}
        self._open_call = item
        at = self._begin + self.plan.delay
        for index in range(0, len(call.json), _ARGUMENTS_STEP):
            yield at
            delta = call.json[index : index + _ARGUMENTS_STEP]
            item.json["arguments"] += delta
            self._emit("response.function_call_arguments.delta", **place, delta=delta)
            at += _TEXT_STEP
        arguments = item.json["arguments"]
        self._emit("response.function_call_arguments.done", **place, name=call.name, arguments=arguments)
        self._close_call("completed")

    def _close_call(self, status: str) -> None:
        item, self._open_call = self._open_call, None
        if item is None:
            return
        item.json["status"] = status
        index = self._output.index(item)
        self._emit("response.output_item.done", response_id=self.id, output_index=index, item=item.json)
        self._spent += Tokens(text_tokens(item.text))

    def _json(self) -> JsonObject:
        """The response as the protocol shows it."""
        asked = self.asked
        limit = asked.max_tokens or ("inf" if asked.native else None)
        shown: JsonObject = {
            "id": self.id,
            "object": "realtime.response",
            "status": self.status,
            "status_details": self._details,
            "output": [item.json for item in self._output],
            "usage": None if self.active else self._usage(),
            "conversation_id": asked.conversation_id,
            "modalities": list(asked.modalities),
            "voice": asked.voice,
            "output_audio_format": asked.output_audio_format,
            "max_output_tokens": limit,
            "metadata": asked.metadata,
        }
        if asked.temperature is not None:
            shown["temperature"] = asked.temperature
        return shown

    def _usage(self) -> JsonObject:
        given, cached, spent = self.asked.context, self.asked.cached, self._spent
        return {
            "total_tokens": given.total + spent.total,
            "input_tokens": given.total,
            "output_tokens": spent.total,
            "input_token_details": {
                "cached_tokens": cached.total,
                **_details(given),
                "cached_tokens_details": _details(cached),
            },
            "output_token_details": {
                "text_tokens": spent.text,
                "audio_tokens": spent.audio,
                "reasoning_tokens": 0,
            },
        }


def _details(tokens: Tokens) -> JsonObject:
    return {"text_tokens": tokens.text, "audio_tokens": tokens.audio, "image_tokens": tokens.image}


def _split(text: str) -> Sequence[str]:
    """The words of a text, each with the blank after it."""
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]
