"""One response, event by event.

`Response.run` is a generator that sends the events in the order of the protocol and yields the time until which it has
nothing to do. `Response.finish` ends it early: it closes what is open and sends `response.done`; the generator is not
resumed after that. Only the response writes to its items.
"""

import bisect
from collections.abc import Callable, Generator, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from voicelive_tui.loopback.conversation import Conversation, Item, Tokens, audio_tokens, shown_item, text_tokens
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.line_check import Plan
from voicelive_tui.loopback.mcp import BeginMcp, McpCall
from voicelive_tui.loopback.protocol import JsonObject, encode_audio, new_id
from voicelive_tui.loopback.script import Call
from voicelive_tui.loopback.settings import ResponseConfig
from voicelive_tui.speech.voice import Speech, words_of

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
    place: JsonObject
    field: Literal["transcript", "text"]
    """The field that has its words: `transcript` in a part of audio."""
    text: str = ""

    def shown(self, text: str) -> JsonObject:
        return {"type": "audio" if self.field == "transcript" else "text", self.field: text}

    def add(self, word: str) -> None:
        self.text += word
        self.item.json["content"][0][self.field] = self.text


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
        request: Callable[[SpeechJob], None],
    ) -> None:
        self.id = new_id("resp")
        self.status = "in_progress"
        self.first_audio: float | None = None
        """The time of the first audio delta of the newest message."""
        self._config = config
        self._plan = plan
        self._context, self._cached = context
        self._speech: tuple[Speech, bytes] | None = None
        self._details: JsonObject | None = None
        self._begin = begin
        self._conversation = conversation
        self._emit = emit
        self._begin_mcp = begin_mcp
        self._request = request
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
        for scripted in self._plan.reply.errors:
            self._emit("error", error=asdict(scripted) | {"param": None, "event_id": None})
        for scripted in self._plan.reply.warnings:
            self._emit("warning", warning={"message": scripted.message, "code": scripted.code, "param": None})
        if self._plan.interim and self._config.spoken:
            self._request_speech(self._plan.interim)
            self._audio_from = self._begin + self._plan.interim_delay
            yield self._audio_from
            yield from self._say(self._plan.interim)
            if not self.active:
                return
            self._audio_from = max(self._audio_from, self._begin + self._plan.delay)
        if self._plan.say and self._config.spoken and self._plan.reply.fail is None:
            self._request_speech(self._plan.say, self._plan.wav)
        yield self._begin + self._plan.delay * 0.6
        if self._plan.reply.fail is not None:
            self.fail(self._plan.reply.fail)
            return
        if self._plan.say:
            yield from self._say(self._plan.say)
        if self.active:
            for call in self._plan.calls if self._config.parallel_calls else self._plan.calls[:1]:
                yield from self._call(call)
            self.finish("completed")

    def _request_speech(self, text: str, wav: Path | None = None) -> None:
        self._request(SpeechJob(self.id, text, self._config.speaker, wav, self._config.fmt))

    def fail(self, message: str) -> None:
        error = {"type": "server_error", "code": "server_error", "message": message}
        self.finish("failed", {"type": "failed", "error": error})

    def finish(self, status: str, details: JsonObject | None = None) -> None:
        """Close what is open and send `response.done` with this status and these `status_details`."""
        if not self.active:
            return
        self._close_message("completed" if status == "completed" else "incomplete")
        if self._open_call:
            self._close_item(self._open_call, "incomplete")
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
        native, spoken = self._config.native, self._config.spoken
        self.first_audio = None
        status = "in_progress" if native else "incomplete"
        json = shown_item("message", new_id("item" if native else "msg"), status=status, role="assistant", content=[])
        item = Item(json, fmt=self._config.fmt)
        place = self._place(item, self._add_item(item)) | {"content_index": 0}
        self._open = part = _OpenPart(item, place, "transcript" if spoken else "text")
        self._emit("response.content_part.added", **place, part=part.shown(""))
        json["content"] = [part.shown("")]
        whole = yield from (self._speak(part) if spoken else self._write(part, text))
        if whole:
            self._close_message("completed")
        else:
            self.finish("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})

    def _write(self, part: _OpenPart, text: str) -> Generator[float, None, bool]:
        """Send the words of a text part; returns whether all were sent."""
        at = self._begin + self._plan.delay
        for word in words_of(text):
            if self._over(Tokens(text_tokens(part.text + word))):
                return False
            yield at
            part.add(word)
            self._emit("response.text.delta", **part.place, delta=word)
            at += _TEXT_STEP
        return True

    def _speak(self, part: _OpenPart) -> Generator[float, None, bool]:
        """Send the words and the audio of an audio part, the words ahead; returns whether all was sent."""
        while self._speech is None:
            yield WAITING
        (speech, audio), self._speech = self._speech, None
        end_ms = self._affordable_ms(speech)
        audio = audio[: self._config.fmt.size(end_ms)] if end_ms < speech.duration_ms else audio
        for at, name, fields in self._timeline(speech, audio, end_ms):
            yield at
            if name == "response.audio_transcript.delta":
                part.add(fields["delta"])
            elif name == "response.audio.delta":
                part.item.audio += fields["delta"]
                fields["delta"] = encode_audio(fields["delta"])
                self.first_audio = self.first_audio or at
            self._emit(name, **part.place, **fields)
        self._audio_from += end_ms / 1000 / self._plan.speed
        return end_ms >= speech.duration_ms

    def _timeline(self, speech: Speech, audio: bytes, end_ms: int) -> list[tuple[float, str, JsonObject]]:
        """The deltas in order: when, which event, and its fields."""
        speed, events = self._plan.speed, []

        def add(name: str, at_ms: float, early: float = 0.0, **fields: Any) -> None:
            events.append((self._audio_from + at_ms / 1000 / speed - early, name, fields))

        for word in (mark for mark in speech.words if mark.offset_ms <= end_ms):
            lead = 0.1 * self._plan.delay
            add("response.audio_transcript.delta", word.offset_ms / _WORDS_AHEAD, early=lead, delta=word.what)
            if self._config.timestamps:
                times = {"audio_offset_ms": word.offset_ms, "audio_duration_ms": word.duration_ms}
                text = word.what.strip()
                add("response.audio_timestamp.delta", word.offset_ms, **times, text=text, timestamp_type="word")
        step = self._config.fmt.size(DELTA_MS)
        for index in range(0, len(audio), step):
            add("response.audio.delta", index // step * DELTA_MS, delta=audio[index : index + step])
        for mark in speech.visemes if self._config.visemes else ():
            if mark.offset_ms <= end_ms:
                at = mark.offset_ms
                add("response.animation_viseme.delta", at, audio_offset_ms=at, viseme_id=int(mark.what))
        return sorted(events, key=itemgetter(0))

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
        text, config = part.text, self._config
        if part.field == "transcript":
            self._emit("response.audio.done", **part.place)
            if config.timestamps:
                self._emit("response.audio_timestamp.done", **part.place)
            if config.visemes:
                self._emit("response.animation_viseme.done", **part.place)
            self._emit("response.audio_transcript.done", **part.place, transcript=text)
        else:
            self._emit("response.text.done", **part.place, text=text)
        # Recorded from the service: with native models a finished part of text comes without it.
        shown = part.shown("" if part.field == "text" and config.native else text)
        self._emit("response.content_part.done", **part.place, part=shown)
        self._close_item(part.item, status)

    def _close_item(self, item: Item, status: str) -> None:
        item.json["status"] = status
        index = self._output.index(item)
        self._emit("response.output_item.done", response_id=self.id, output_index=index, item=item.json)
        self._spent += Tokens(text_tokens(item.text), audio_tokens(item.audio_ms))

    def _call(self, call: Call) -> Iterator[float]:
        family = "function" if call.server is None else "mcp"
        begun = {"status": "in_progress", "name": call.name}
        if call.server is None:
            called = {"call_id": call.call_id or new_id("call")}
            item = Item(shown_item("function_call", new_id("item"), **begun, **called, arguments=""))
        else:
            called = {}
            later = dict.fromkeys(("approval_request_id", "output", "error"))
            about = {**begun, "server_label": call.server, "arguments": "", **later}
            item = Item(shown_item("mcp_call", new_id("mcp"), **about))
        place = self._place(item, self._add_item(item)) | called
        self._open_call = item
        at = self._begin + self._plan.delay
        for index in range(0, len(call.json), _ARGUMENTS_STEP):
            yield at
            delta = call.json[index : index + _ARGUMENTS_STEP]
            item.json["arguments"] += delta
            self._emit(f"response.{family}_call_arguments.delta", **place, delta=delta)
            at += _TEXT_STEP
        self._open_call = None
        arguments = item.json["arguments"]
        if call.server is None:
            self._emit("response.function_call_arguments.done", **place, name=call.name, arguments=arguments)
            self._close_item(item, "completed")
        else:
            self._emit("response.mcp_call_arguments.done", **place, arguments=arguments)
            self._spent += Tokens(text_tokens(item.text))
            self._begin_mcp(McpCall(call, item, place), self._config.tools)

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
            "output_token_details": {"text_tokens": spent.text, "audio_tokens": spent.audio, "reasoning_tokens": 0},
        }


def _details(tokens: Tokens) -> JsonObject:
    return {"text_tokens": tokens.text, "audio_tokens": tokens.audio, "image_tokens": tokens.image}
