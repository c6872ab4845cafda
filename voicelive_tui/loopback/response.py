"""One response, event by event.

`Response.run` is a generator that sends the events in the order of the protocol and yields the time until which it has
nothing to do. `Response.finish` ends it early: it closes what is open and sends `response.done`; the generator is not
resumed after that. Only the response writes to its items.
"""

import bisect
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from voicelive_tui.loopback.conversation import Conversation, Item, Tokens, audio_tokens, message, text_tokens
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.line_check import Plan
from voicelive_tui.loopback.mcp import BeginMcp, McpCall
from voicelive_tui.loopback.protocol import JsonObject, encode_audio, new_id
from voicelive_tui.loopback.script import Call
from voicelive_tui.loopback.settings import ResponseConfig
from voicelive_tui.speech.voice import Speech

WAITING = float("inf")
"""What `Response.run` yields while its speech is being synthesized."""

DELTA_MS = 100
"""The audio that one `response.audio.delta` carries."""
_WORDS_AHEAD = 2.5  # the pace of transcript deltas, as a multiple of the audio's
_TEXT_STEP = 0.02  # seconds between deltas of text and of arguments
_ARGUMENTS_STEP = 8  # characters of arguments in one delta
_AFFORDABLE_STEP_MS = 20  # the precision with which the token limit ends speech

Emit = Callable[..., None]
"""Sends a server event: its type, and its fields as keywords."""


class SpeechJob(Struct, frozen=True):
    """Speech that a response waits for."""

    response_id: str
    text: str
    speaker: str
    wav: Path | None
    """A file to play instead."""
    fmt: AudioFormat


class _OpenPart(Struct):
    """The message part that is being sent."""

    item: Item
    index: int
    kind: str
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.words)


class Response:
    """One response, to a turn that ended at `begin`, a time of the session's clock.

    Its context is the model's input, and the part of it that the model was given before.
    """

    def __init__(
        self,
        config: ResponseConfig,
        plan: Plan,
        *,
        context: tuple[Tokens, Tokens],
        begin: float,
        conversation: Conversation,
        emit: Emit,
        begin_mcp: BeginMcp,
    ) -> None:
        self.id = new_id("resp")
        self.status = "in_progress"
        self.first_audio: float | None = None
        """The time of the first audio delta of the newest message."""
        self.wants: SpeechJob | None = None
        """A request for speech; the reader sets it to None."""
        self._config = config
        self._plan = plan
        self._context, self._cached = context
        self._speech: tuple[Speech, bytes] | None = None
        self._details: JsonObject | None = None
        self._begin = begin
        self._conversation = conversation
        self._emit = emit
        self._begin_mcp = begin_mcp
        self._output: list[Item] = []
        self._open: _OpenPart | None = None
        self._open_call: Item | None = None
        self._spent = Tokens()
        self._audio_from = begin + plan.delay

    @property
    def active(self) -> bool:
        return self.status == "in_progress"

    @property
    def audio_item(self) -> Item | None:
        return next((item for item in reversed(self._output) if item.audio), None)

    def set_speech(self, speech: Speech, audio: bytes, now: float) -> None:
        """Take the synthesized speech and its encoded audio; the pace starts no earlier than now."""
        self._speech = speech, audio
        self._audio_from = max(self._audio_from, now)

    def run(self) -> Iterator[float]:
        """Send all events; yields the time of the next one."""
        self._emit("response.created", response=self._json())
        for scripted in self._plan.errors:
            error = {"type": scripted.type, "code": scripted.code, "message": scripted.message}
            self._emit("error", error=error | {"param": None, "event_id": None})
        for scripted in self._plan.warnings:
            self._emit("warning", warning={"message": scripted.message, "code": scripted.code, "param": None})
        if self._plan.interim and self._config.spoken:
            self._request_speech(self._plan.interim)
            self._audio_from = self._begin + self._plan.interim_delay
            yield self._audio_from
            yield from self._say(self._plan.interim)
            if not self.active:
                return
            self._audio_from = max(self._audio_from, self._begin + self._plan.delay)
        if self._plan.say and self._config.spoken and self._plan.fail is None:
            self._request_speech(self._plan.say, self._plan.wav)
        yield self._begin + self._plan.delay * 0.6
        if self._plan.fail is not None:
            self.fail(self._plan.fail)
            return
        if self._plan.say:
            yield from self._say(self._plan.say)
        if self.active:
            for call in self._plan.calls if self._config.parallel_calls else self._plan.calls[:1]:
                yield from self._call(call)
            self.finish("completed")

    def _request_speech(self, text: str, wav: Path | None = None) -> None:
        self.wants = SpeechJob(self.id, text, self._config.speaker, wav, self._config.fmt)

    def fail(self, message: str) -> None:
        error = {"type": "server_error", "code": "server_error", "message": message}
        self.finish("failed", {"type": "failed", "error": error})

    def finish(self, status: str, details: JsonObject | None = None) -> None:
        """Close what is open and send `response.done` with this status and these `status_details`."""
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
        if self._config.commit:
            previous = self._conversation.add(item)
            self._emit("conversation.item.created", previous_item_id=previous, item=item.json)
        return index

    def _say(self, text: str) -> Iterator[float]:
        """Send a message: its part, its words and its audio."""
        native = self._config.native
        kind = "audio" if self._config.spoken else "text"
        self.first_audio = None
        status = "in_progress" if native else "incomplete"
        json = message(new_id("item" if native else "msg"), "assistant", status, [])
        item = Item(json, fmt=self._config.fmt)
        self._open = _OpenPart(item, self._add_item(item), kind)
        part = {"type": "audio", "transcript": ""} if kind == "audio" else {"type": "text", "text": ""}
        self._emit("response.content_part.added", **self._place(item, self._open.index), content_index=0, part=part)
        json["content"] = [dict(part)]
        whole = yield from (self._speak(self._open) if kind == "audio" else self._write(self._open, text))
        if whole:
            self._close_message("completed")
        else:
            self.finish("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})

    def _write(self, part: _OpenPart, text: str) -> Generator[float, None, bool]:
        """Send the words of a text part; returns whether all were sent."""
        place = self._place(part.item, part.index) | {"content_index": 0}
        at = self._begin + self._plan.delay
        for word in _split(text):
            if self._over(Tokens(text_tokens(part.text + word))):
                return False
            yield at
            self._put_word(part, word)
            self._emit("response.text.delta", **place, delta=word)
            at += _TEXT_STEP
        return True

    def _speak(self, part: _OpenPart) -> Generator[float, None, bool]:
        """Send the words and the audio of an audio part, the words ahead; returns whether all was sent."""
        while self._speech is None:
            yield WAITING
        (speech, audio), self._speech = self._speech, None
        place = self._place(part.item, part.index) | {"content_index": 0}
        end_ms = self._affordable_ms(speech)
        audio = audio[: self._config.fmt.size(end_ms)] if end_ms < speech.duration_ms else audio
        for at, name, fields in self._timeline(speech, audio, end_ms):
            yield at
            if name == "response.audio_transcript.delta":
                self._put_word(part, fields["delta"])
            elif name == "response.audio.delta":
                part.item.audio += fields["delta"]
                fields["delta"] = encode_audio(fields["delta"])
                self.first_audio = self.first_audio or at
            self._emit(name, **place, **fields)
        self._audio_from += end_ms / 1000 / self._plan.speed
        return end_ms >= speech.duration_ms

    def _timeline(self, speech: Speech, audio: bytes, end_ms: int) -> list[tuple[float, str, JsonObject]]:
        """The deltas in order: when, which event, and its fields."""
        start, speed = self._audio_from, self._plan.speed
        events: list[tuple[float, str, JsonObject]] = []
        for word in speech.words:
            if word.offset_ms <= end_ms:
                at = start + word.offset_ms / 1000 / speed / _WORDS_AHEAD - 0.1 * self._plan.delay
                events.append((at, "response.audio_transcript.delta", {"delta": word.what}))
        step = self._config.fmt.size(DELTA_MS)
        for index in range(0, len(audio), step):
            at = start + index // step * DELTA_MS / 1000 / speed
            events.append((at, "response.audio.delta", {"delta": audio[index : index + step]}))
        marks: list[tuple[str, Any, Any]] = []
        if self._config.timestamps:
            marks += [("response.audio_timestamp.delta", word, None) for word in speech.words]
        if self._config.visemes:
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

    def _put_word(self, part: _OpenPart, word: str) -> None:
        part.words.append(word)
        content = part.item.json["content"][0]
        content["transcript" if part.kind == "audio" else "text"] = part.text

    def _over(self, more: Tokens) -> bool:
        """Whether this many more tokens exceed the limit."""
        limit = self._config.max_tokens
        return limit is not None and (self._spent + more).total > limit

    def _affordable_ms(self, speech: Speech) -> int:
        """The milliseconds of the speech that the token limit allows."""
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
            if self._config.timestamps:
                self._emit("response.audio_timestamp.done", **place)
            if self._config.visemes:
                self._emit("response.animation_viseme.done", **place)
            self._emit("response.audio_transcript.done", **place, transcript=text)
            shown = {"type": "audio", "transcript": text}
        else:
            self._emit("response.text.done", **place, text=text)
            # Recorded from the service: with native models the finished part comes without its text.
            shown = {"type": "text", "text": "" if self._config.native else text}
        self._emit("response.content_part.done", **place, part=shown)
        item.json["status"] = status
        self._emit("response.output_item.done", response_id=self.id, output_index=part.index, item=item.json)
        self._spent += Tokens(text_tokens(text), audio_tokens(item.audio_ms))

    def _call(self, call: Call) -> Iterator[float]:
        of_mcp = call.server is not None
        family = "mcp" if of_mcp else "function"
        shown = {"object": "realtime.item", "type": f"{family}_call", "status": "in_progress", "name": call.name}
        if of_mcp:
            results = dict.fromkeys(("approval_request_id", "output", "error"))
            item = Item({"id": new_id("mcp"), **shown, "server_label": call.server, "arguments": "", **results})
            place = self._place(item, self._add_item(item))
        else:
            called = {"call_id": call.call_id or new_id("call"), "arguments": ""}
            item = Item({"id": new_id("item"), **shown, **called})
            place = self._place(item, self._add_item(item)) | {"call_id": called["call_id"]}
        self._open_call = item
        at = self._begin + self._plan.delay
        for index in range(0, len(call.json), _ARGUMENTS_STEP):
            yield at
            delta = call.json[index : index + _ARGUMENTS_STEP]
            item.json["arguments"] += delta
            self._emit(f"response.{family}_call_arguments.delta", **place, delta=delta)
            at += _TEXT_STEP
        arguments = item.json["arguments"]
        if of_mcp:
            self._emit("response.mcp_call_arguments.done", **place, arguments=arguments)
            self._open_call = None
            self._spent += Tokens(text_tokens(item.text))
            self._begin_mcp(McpCall(call, item, place), self._config.tools)
            return
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
        config = self._config
        limit = config.max_tokens or ("inf" if config.native else None)
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": self.status,
            "status_details": self._details,
            "output": [item.json for item in self._output],
            "usage": None if self.active else self._usage(),
            "conversation_id": config.conversation_id,
            "modalities": list(config.modalities),
            "voice": config.voice,
            "output_audio_format": config.output_audio_format,
            "temperature": config.temperature,
            "max_output_tokens": limit,
            "metadata": config.metadata,
        }

    def _usage(self) -> JsonObject:
        given, cached, spent = self._context, self._cached, self._spent
        return {
            "total_tokens": given.total + spent.total,
            "input_tokens": given.total,
            "output_tokens": spent.total,
            "input_token_details": {
                "cached_tokens": cached.total,
                "cache_write_tokens": 0,
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
    """The words of a text, each with the space after it."""
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]
