"""One session of the service, without I/O and without a clock of its own.

Messages of the client go into ``receive``, what is due comes out of ``poll``, and the time is an argument of both.
Speech is synthesized by whoever drives the brain: ``take_jobs`` says what is wanted, ``spoken`` brings it.
A large append is carried out in slices, one a ``poll``, so that whoever drives several sessions can give each its turn;
a message that comes while one is ``busy`` waits for nothing: what is left is done first, and at once.
The brain is the sole writer of its conversation, its settings and its one active response.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import singledispatchmethod
from pathlib import Path
from typing import Any, Final

from voicelive_tui.loopback import protocol as p
from voicelive_tui.loopback.asking import asked_of, check, fixed_answer, read_items, tools_of
from voicelive_tui.loopback.conversation import Conversation, Item, Tokens, decode_base64, not_base64, read_item
from voicelive_tui.loopback.formats import AudioFormat
from voicelive_tui.loopback.input_buffer import Heard, Listening
from voicelive_tui.loopback.line_check import Stimulus, plan
from voicelive_tui.loopback.protocol import JsonObject, Refusal, ResponseParams, Unsupported, new_id
from voicelive_tui.loopback.response import WAITING, Response
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.settings import Settings
from voicelive_tui.loopback.vad import Edge
from voicelive_tui.speech.voice import Speech

LIFETIME: Final = 1800.0
"""Seconds that a session lasts (Voice Live announces it as ``expires_at``)."""

_RECOGNITION = 0.1  # seconds from the end of a turn to its transcript, in a cascade
_LATE_TRANSCRIPT = 0.35  # and with native models, whose transcripts come after the answer has begun
_SHORTEST_COMMIT_MS = 100
_SLICE = 512 * 1024  # characters of base64 that are decoded, and bytes of sound that are listened to, in one go
_LARGEST_RETRIEVED = 3_000_000  # bytes; as base64 it fits into 4 MiB, the most that the Python SDK takes by default
_DONE: Final = object()
_NO_ACTIVE = "Cancellation failed: no active response found"
_ACTIVE = "Conversation already has an active response in progress: {}. Wait until it is finished."


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """Speech that a response waits for.

    Attributes:
        response_id: Whose it is.
        text: What to say.
        speaker: The voice's name.
        wav: The file to play instead, if any.
        form: How the sound is to be coded.
    """

    response_id: str
    text: str
    speaker: str
    wav: Path | None
    form: AudioFormat


@dataclass(frozen=True, slots=True)
class _Turn:
    """A spoken turn and its transcript."""

    heard: Heard
    words: str


Note = Callable[[str, str, JsonObject], None]
"""Told of a turn or an answer: its kind, a sentence, and its data."""


class Brain:
    """One session.

    Args:
        model: As asked for in the URL.
        script: What the assistant does.
        now: The time, in seconds on any steady clock.
        unix_time: The same moment by the calendar.
        note: Told what happens, for the person who runs the service.
        lifetime: Seconds until the session expires.
    """

    def __init__(
        self,
        model: str,
        script: Script,
        *,
        now: float,
        unix_time: float,
        note: Note = lambda kind, text, data: None,
        lifetime: float = LIFETIME,
    ) -> None:
        self.session_id = new_id("sess")
        self.settings = Settings(self.session_id, model, int(unix_time + lifetime))
        self.conversation = Conversation()
        self.expired = False
        """Whether the session has reached its end; the link is to be closed with 1001."""
        self.response: Response | None = None
        """The newest response, active or not."""
        self._script = script
        self._note = note
        self._now = now
        self._out: list[JsonObject] = []
        self._jobs: list[SpeechJob] = []
        self._armed: list[str] = []
        self._work: Iterator[None] | None = None
        self._steps: Iterator[float] = iter(())
        self._next_step = WAITING
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._listening = Listening(self.settings.input_format)
        self._heard: dict[str, _Turn] = {}
        self._unrecognised: deque[Callable[[], None]] = deque()
        self._speech_item = ""
        self._turn = 0
        self._last_context = Tokens()
        self._conversation_id = new_id("conv") if self.settings.native else ""
        self._configure_listening()
        self._emit("session.created", session=self.settings.json)
        self._at(now + lifetime, self._expire)

    # ---- driving it -------------------------------------------------------------------------------------------

    def receive(self, message: str | bytes, now: float) -> None:
        """Carry out a client event, or answer why not."""
        self._now = now
        while self.busy:
            self._go_on()
        self._work = self._carry_out(message)
        self._go_on()

    @property
    def busy(self) -> bool:
        """Whether the last message is not wholly carried out yet."""
        return self._work is not None

    def _go_on(self) -> None:
        """Carry out the next slice of the message under way."""
        if self._work is not None and next(self._work, _DONE) is _DONE:
            self._work = None

    def _carry_out(self, message: str | bytes) -> Iterator[None]:
        event_id = None
        try:
            event = p.parse(message)
            event_id = event.event_id
            yield from self._handle(event) or ()
        except Refusal as refusal:
            refusal.event_id = refusal.event_id or event_id
            self._emit("error", error=refusal.as_error())

    def poll(self, now: float) -> list[JsonObject]:
        """All server events that are due, in order."""
        self._now = now
        self._go_on()
        while self._next_event <= now:
            if self._agenda and self._agenda[0][0] <= self._next_step:
                heapq.heappop(self._agenda)[2]()
            else:
                self._step()
        out, self._out = self._out, []
        return out

    @property
    def next_due(self) -> float:
        """When ``poll`` will have something to do of itself."""
        return self._now if self.busy else self._next_event

    @property
    def waiting(self) -> int:
        """How many server events wait for ``poll``."""
        return len(self._out)

    @property
    def _next_event(self) -> float:
        if self.expired:
            return WAITING
        first = self._agenda[0][0] if self._agenda else WAITING
        return min(first, self._next_step)

    def take_jobs(self) -> list[SpeechJob]:
        """The speech that is wanted; each job is handed out once."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def spoken(self, job: SpeechJob, speech: Speech, audio: bytes, now: float) -> None:
        """Bring the speech for a job, coded as it asks; dropped if its response has ended meanwhile."""
        if self.response and self.response.id == job.response_id and self.response.active:
            self.response.hear(speech, audio, now)
            if self._next_step == WAITING:
                self._next_step = now

    def take_faults(self) -> list[str]:
        """The faults that the script has armed since."""
        armed, self._armed = self._armed, []
        return armed

    def _emit(self, name: str, /, **fields: Any) -> None:
        event: JsonObject = {"type": name, "event_id": new_id("event")}
        for key, value in fields.items():
            # Copied, since items and settings go on changing after an event has shown them.
            event[key] = value if isinstance(value, str | int) else p.snapshot(value)
        self._out.append(event)

    def _at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), action))

    def _step(self) -> None:
        """Resume the response."""
        self._next_step = next(self._steps, WAITING)
        if self.response and not self.response.active:
            self._next_step = WAITING

    def _expire(self) -> None:
        text = "Your session hit its maximum duration."
        self._emit("error", error=Refusal(text, "session_expired").as_error())
        self.expired = True

    # ---- client events ----------------------------------------------------------------------------------------

    @singledispatchmethod
    def _handle(self, event: p.ClientEvent) -> Iterator[None] | None:
        raise Unsupported(f"the event {event.__struct_config__.tag!r}", "type")

    @_handle.register
    def _update(self, event: p.SessionUpdate) -> None:
        self.settings.merge(event.session, voice_locked=self._has_spoken, audio_begun=self._listening.begun)
        self._configure_listening()
        self._emit("session.updated", session=self.settings.json)

    @_handle.register
    def _append(self, event: p.AudioAppend) -> Iterator[None]:
        text = event.audio
        data = bytearray()
        for at in range(0, len(text), _SLICE):
            data += decode_base64(text[at : at + _SLICE], "audio")
            if at + _SLICE < len(text):
                if text[at + _SLICE - 1] == "=":
                    raise not_base64("audio")  # padding, which only the end may have
                yield
        if len(data) > p.MAX_APPEND_BYTES:
            raise Refusal("One append may hold 15 MiB of audio at most.", "invalid_value", "audio")
        form = self.settings.input_format
        if len(data) % form.frame_bytes:
            text = f"The audio has {len(data)} bytes, which are no whole frames of {form.frame_bytes} bytes."
            raise Refusal(text, "invalid_value", "audio")
        step = _SLICE // form.frame_bytes * form.frame_bytes
        for at in range(0, len(data), step):
            for edge in self._listening.append(data[at : at + step]):
                if self.settings.turn_detection:
                    self._on_edge(edge)
            self._listening.tidy()
            if at + step < len(data):
                yield

    @_handle.register
    def _commit(self, event: p.AudioCommit) -> None:
        size = self._listening.buffered_ms
        if size < _SHORTEST_COMMIT_MS:
            text = (
                f"Error committing input audio buffer: buffer too small. Expected at least "
                f"{_SHORTEST_COMMIT_MS}ms of audio, but buffer only has {size}ms of audio."
            )
            raise Refusal(text, "input_audio_buffer_commit_empty")
        self._end_turn(new_id("item"), *self._listening.take(), at_once=True)

    @_handle.register
    def _clear(self, event: p.AudioClear) -> None:
        self._listening.clear()
        self._emit("input_audio_buffer.cleared")

    @_handle.register
    def _create_item(self, event: p.ItemCreate) -> None:
        self._add_item(read_item(event.item, self.settings.input_format), event.previous_item_id)

    def _add_item(self, item: Item, after: str | None = None) -> None:
        if item.type == "function_call_output" and not self.conversation.has_call(item.json["call_id"]):
            text = f"Tool call ID '{item.json['call_id']}' not found in conversation."
            raise Refusal(text, "invalid_tool_call_id", "item.call_id")
        previous = self.conversation.add(item, after)
        if item.role == "user":
            self._turn += 1
        if previous is None and not self.settings.native:
            previous = ""  # as seen of the service
        self._emit("conversation.item.created", previous_item_id=previous, item=item.json)

    @_handle.register
    def _retrieve(self, event: p.ItemRetrieve) -> None:
        item = self.conversation.get(event.item_id, "retrieve")
        shown = p.snapshot(item.json)
        for part in shown.get("content", ()):
            if part["type"] in {"audio", "input_audio"} and len(item.audio) <= _LARGEST_RETRIEVED:
                part["audio"] = p.encode_audio(item.audio)
        self._emit("conversation.item.retrieved", item=shown)

    @_handle.register
    def _truncate(self, event: p.ItemTruncate) -> None:
        self.conversation.truncate(event.item_id, event.content_index, event.audio_end_ms)
        self._emit(
            "conversation.item.truncated",
            item_id=event.item_id,
            content_index=event.content_index,
            audio_end_ms=event.audio_end_ms,
        )

    @_handle.register
    def _delete(self, event: p.ItemDelete) -> None:
        self.conversation.remove(event.item_id)
        self._emit("conversation.item.deleted", item_id=event.item_id)

    @_handle.register
    def _create_response(self, event: p.ResponseCreate) -> None:
        while self._unrecognised:  # an answer never comes before the turn that it answers
            self._unrecognised.popleft()()
        self._respond(event.response or ResponseParams())

    @_handle.register
    def _cancel(self, event: p.ResponseCancel) -> None:
        response = self.response
        if not response or not response.active or event.response_id not in {None, response.id}:
            raise Refusal(_NO_ACTIVE, "response_cancel_not_active")
        self._end_response("client_cancelled")

    # ---- listening --------------------------------------------------------------------------------------------

    def _configure_listening(self) -> None:
        settings = self.settings
        self._listening.configure(settings.input_format, settings.rules, detecting=settings.turn_detection is not None)

    def _on_edge(self, edge: Edge) -> None:
        """Speech has begun or ended."""
        turns = self.settings.turn_detection
        assert turns is not None
        if edge.kind == "started":
            self._speech_item = new_id("item")
            self._listening.drop_until(edge.at_ms)
            self._emit("input_audio_buffer.speech_started", audio_start_ms=edge.at_ms, item_id=self._speech_item)
            if turns.interrupt_response is not False and self.response and self.response.active:
                self._end_response("turn_detected")
            if turns.auto_truncate:
                self._truncate_unheard()
            return
        self._emit("input_audio_buffer.speech_stopped", audio_end_ms=edge.at_ms, item_id=self._speech_item)
        turn = self._listening.take(edge.at_ms)
        self._end_turn(self._speech_item, *turn, respond=turns.create_response is not False)

    def _truncate_unheard(self) -> None:
        """Cut the last answer to what real-time playback from its arrival would have reached."""
        response = self.response
        item = response.audio_item if response else None
        if response is None or item is None or response.first_audio is None:
            return
        heard_ms = int((self._now - response.first_audio) * 1000)
        if heard_ms < item.audio_ms and item.json["content"][0]["transcript"] is not None:
            self.conversation.truncate(item.id, 0, heard_ms)
            self._emit("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=heard_ms)

    def _end_turn(
        self, item_id: str, heard: Heard, audio: bytes, *, respond: bool = False, at_once: bool = False
    ) -> None:
        """Make a user item of a turn, in the order of the model's kind.

        Args:
            item_id: The item's id.
            heard: The turn, measured.
            audio: Its sound.
            respond: Whether an answer follows of itself.
            at_once: Whether the transcript does not wait for recognition.
        """
        self._turn += 1
        words = self._script.hears(self._turn) or heard.transcript
        self._heard[item_id] = _Turn(heard, words)
        transcribed = self.settings.json["input_audio_transcription"] is not None
        part: JsonObject = {"type": "input_audio", "transcript": None}
        json: JsonObject = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [part],
        }
        item = Item(json, bytearray(audio), self._listening.form)
        previous = self.conversation.add(item)
        self._emit("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        data = {"turn": self._turn, "speech_ms": heard.speech_ms, "level": round(heard.level, 1)}
        self._note("turn", f"turn {self._turn}: {heard.transcript}", data)

        def announce() -> None:
            self._emit("conversation.item.created", previous_item_id=previous, item=json)
            if self.settings.native:
                self._emit("conversation.item.done", item=json)
            if respond:
                self._respond_of_itself(begin)

        def transcribe() -> None:
            name = "conversation.item.input_audio_transcription."
            if self.settings.native:
                self._emit(name + "delta", item_id=item_id, content_index=0, delta=words)
            language = {} if self.settings.native else {"language": "en-US"}
            self._emit(name + "completed", item_id=item_id, content_index=0, transcript=words, **language)
            part["transcript"] = words

        def recognise() -> None:
            transcribe()
            announce()

        def recognise_next() -> None:
            if self._unrecognised:
                self._unrecognised.popleft()()

        begin = self._now
        if not transcribed:
            announce()
        elif self.settings.native:
            announce()
            self._at(self._now + _LATE_TRANSCRIPT, transcribe)
        elif at_once:
            recognise()
        else:
            self._unrecognised.append(recognise)
            self._at(self._now + _RECOGNITION, recognise_next)

    # ---- answering --------------------------------------------------------------------------------------------

    @property
    def _has_spoken(self) -> bool:
        return any(item.role == "assistant" and item.audio for item in self.conversation)

    def _respond_of_itself(self, begin: float) -> None:
        turns = self.settings.turn_detection
        if turns and turns.interrupt_response is not False:
            self._end_response("turn_detected")  # to turns that came faster than their answers
        try:
            self._respond(ResponseParams(), begin)
        except Refusal as refusal:
            self._emit("error", error=refusal.as_error())

    def _end_response(self, reason: str) -> None:
        """Cancel the active response."""
        if self.response and self.response.active:
            self.response.finish("cancelled", {"type": "cancelled", "reason": reason})
            self._steps, self._next_step = iter(()), WAITING
            self._note("answer", f"answer cancelled ({reason})", {"reason": reason})

    def _respond(self, params: ResponseParams, begin: float | None = None) -> None:
        """Begin a response.

        Args:
            params: The overrides.
            begin: When the turn that it answers ended; now, unless given.

        Raises:
            Refusal: One is active already, or an override cannot be carried out.
        """
        check(params)
        form = self.settings.input_format
        given = None
        if params.input_items:
            given = read_items(params.input_items, form, "response.input_items")
        elif params.input_items == []:
            given = []
        more = read_items(params.append_input_items, form, "response.append_input_items")
        fixed = fixed_answer(params, self._script, form)
        if self.response and self.response.active:
            if params.cancel_previous is not True:
                text = _ACTIVE.format(self.response.id)
                raise Refusal(text, "conversation_already_has_active_response")
            self._end_response("client_cancelled")
        for item in more:
            self._add_item(item)
        items = list(self.conversation) if given is None else given + more
        answer = fixed or plan(self._script, self._stimulus(items), *tools_of(self.settings, params))
        asked = asked_of(self.settings, params, items, self._last_context, self._conversation_id)
        self._last_context = asked.context
        self._armed += answer.faults
        start = self._now if begin is None else begin
        self.response = response = Response(asked, answer, start, self.conversation, self._emit)
        if response.spoken:
            self._jobs.append(SpeechJob(response.id, answer.say, asked.speaker, answer.wav, asked.form))
        self._steps = response.run()
        self._step()
        self._note("answer", f"answer: {answer.say or 'function call'}", {"response_id": response.id})

    def _stimulus(self, given: list[Item]) -> Stimulus:
        """What the newest items ask for."""
        outputs = list(itertools.takewhile(lambda item: item.type == "function_call_output", reversed(given)))
        if outputs:
            text = ", ".join(item.json["output"] for item in reversed(outputs))
            return Stimulus("tool", self._turn, text)
        for item in reversed(given):
            if item.role == "user":
                turn = self._heard.get(item.id)
                if turn:
                    return Stimulus("speech", self._turn, turn.words, turn.heard)
                return Stimulus("text", self._turn, item.text)
        return Stimulus("nothing", self._turn)
