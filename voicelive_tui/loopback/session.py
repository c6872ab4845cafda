"""One session of the service, without I/O and without a clock.

`receive` takes a client event, `poll` returns the server events that are due; both are given the time. Speech is
synthesized by the caller: `responder.jobs` has the requests, `responder.deliver_speech` takes the results. The session
is the only writer of its conversation and its settings.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from functools import partial, singledispatchmethod
from typing import Any

from msgspec import UNSET, Struct

from voicelive_tui.audio.pcm import Samples
from voicelive_tui.loopback import protocol as p
from voicelive_tui.loopback.audio_turns import AudioTurns
from voicelive_tui.loopback.conversation import Conversation, Item, read_item, read_items, shown_item
from voicelive_tui.loopback.input_buffer import InputBuffer, Measurement
from voicelive_tui.loopback.line_check import Stimulus, plan, pre_generated, with_interim
from voicelive_tui.loopback.mcp import McpServers
from voicelive_tui.loopback.protocol import JsonObject, Note, Refusal, ResponseParams, new_id
from voicelive_tui.loopback.responder import Responder
from voicelive_tui.loopback.response import WAITING
from voicelive_tui.loopback.script import Script
from voicelive_tui.loopback.settings import Settings, TurnDetection, no_interim, without_nulls
from voicelive_tui.loopback.vad import Edge

LIFETIME = 1800.0
"""Seconds until a session expires (Voice Live announces it as `expires_at`)."""

_RECOGNITION = 0.1  # seconds from the end of a turn to its transcript, in a cascade
_LATE_TRANSCRIPT = 0.35  # and with native models, whose transcripts come after the answer has begun
_SHORTEST_COMMIT_MS = 100
_LARGEST_RETRIEVED = 3_000_000  # bytes; as base64 below 4 MiB, the Python SDK's default message limit


class _Turn(Struct, frozen=True):
    """A spoken turn."""

    item: Item
    previous: str | None
    stimulus: Stimulus
    ended: float
    """The time of its end."""
    respond: bool
    """Whether a response follows without a `response.create`."""


class Session:
    """One session, which begins `now`, in seconds on any steady clock, and at `unix_time`."""

    def __init__(
        self,
        model: str,
        script: Script,
        *,
        now: float,
        unix_time: float,
        note: Note = lambda kind, text, data: None,
        lifetime: float = LIFETIME,
        agent: str = "",
        conversation_id: str = "",
        conversation: Conversation | None = None,
        recognise: Callable[[Samples, int], str] = lambda samples, rate: "",
    ) -> None:
        self.id = new_id("sess")
        self.settings = Settings(self.id, model, int(unix_time + lifetime), agent, conversation_id)
        self.conversation = conversation or Conversation()
        self.expired = False
        """Whether the session has ended; the socket is then to be closed with 1001."""
        self._mcp = McpServers(script.mcp, self.conversation, self._emit, note, self._after)
        self.responder = Responder(self.conversation, self._emit, note, self._mcp.begin)
        self._script, self._recognise = script, recognise
        self._note, self._now = note, now
        self._out: list[JsonObject] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._input = InputBuffer(self.settings.input_format)
        self._spoken: dict[str, Stimulus] = {}
        self._unrecognised: deque[_Turn] = deque()
        self._append_id: str | None = None
        self._speech_item = ""
        self._turn = 0
        self._fatal: Refusal | None = None
        self._audio_turns = AudioTurns(accepted=script.audio_turns)
        self._configure_input()
        self._emit("session.created", session=self.settings.json)
        self._after(lifetime, self._expire)

    # --- the caller's side

    def receive(self, message: str | bytes, now: float) -> None:
        """Carry out a client event, or answer with an `error`."""
        self._now = now
        while self._input.pending:
            self._listen()
        event_id = None
        try:
            event = p.parse(message)
            event_id = event.event_id
            if self._fatal:
                raise self._fatal
            self._handle(self._audio_turns.as_buffer_event(event))
        except Refusal as refusal:
            refusal.event_id = event_id or refusal.event_id
            self._refuse(refusal)
            if refusal.fatal:
                self._fatal = refusal

    def poll(self, now: float) -> list[JsonObject]:
        """The server events that are due, in order."""
        self._now = now
        self._listen()
        while self._next_event <= now:
            if self._agenda[0][0] <= self.responder.next_due:
                heapq.heappop(self._agenda)[2]()
            else:
                self.responder.step()
        out, self._out = self._out, []
        return out

    def end(self) -> None:
        """Let go of all that it holds; the session cannot be used any more.

        The first session of a demo is in the frozen heap (see `runtime`), whose cycles are never collected.
        """
        vars(self).clear()

    @property
    def busy(self) -> bool:
        """Whether an append is still being decoded or listened to, a slice a `poll`."""
        return self._input.pending

    @property
    def next_due(self) -> float:
        """The time of the next `poll` that will do something."""
        return self._now if self.busy else self._next_event

    @property
    def waiting(self) -> int:
        """The number of server events that wait for `poll`."""
        return len(self._out)

    @property
    def _next_event(self) -> float:
        # The agenda is never empty: its last entry is `_expire`.
        return WAITING if self.expired else min(self._agenda[0][0], self.responder.next_due)

    def _emit(self, name: str, /, **fields: Any) -> None:
        event: JsonObject = {"type": name, "event_id": new_id("event")}
        for key, value in fields.items():
            # Copied, since items and settings go on changing.
            event[key] = value if isinstance(value, str | int) else p.snapshot(value)
        self._out.append(event)
        if name == "error" or (name == "response.done" and fields["response"]["status"] == "failed"):
            error = fields["error"] if name == "error" else fields["response"]["status_details"]["error"]
            self._note("error", f"{name} {error['code']}: {error['message']}", error)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self._now + seconds, next(self._order), action))

    def _refuse(self, refusal: Refusal) -> None:
        self._emit("error", error=refusal.as_error())

    def _expire(self) -> None:
        self._refuse(Refusal("Your session hit its maximum duration.", "session_expired"))
        self.expired = True

    # --- client events

    @singledispatchmethod
    def _handle(self, event: p.ClientEvent) -> None:
        raise NotImplementedError(type(event))

    @_handle.register
    def _update(self, event: p.SessionUpdate) -> None:
        spoken = any(item.role == "assistant" and item.audio_ms for item in self.conversation)
        self.settings.merge(event.session, voice_locked=spoken, audio_begun=self._input.begun)
        self._configure_input()
        self._emit("session.updated", session=self.settings.json)
        self._mcp.declare(self.settings.json["tools"])
        if self.settings.native and event.session.get("interim_response"):
            raise no_interim(self.settings.model, "session")

    @_handle.register
    def _append(self, event: p.AudioAppend) -> None:
        self._input.append(event.audio)
        self._append_id = event.event_id
        self._listen()

    @_handle.register
    def _commit(self, event: p.AudioCommit) -> None:
        if (size := self._input.buffered_ms) < _SHORTEST_COMMIT_MS:
            text = (
                f"Error committing input audio buffer: buffer too small. Expected at least "
                f"{_SHORTEST_COMMIT_MS}ms of audio, but buffer only has {size}ms of audio."
            )
            raise Refusal(text, "input_audio_buffer_commit_empty")
        self._end_turn(new_id("item"), *self._input.take(), at_once=True)

    @_handle.register
    def _clear(self, event: p.AudioClear | p.StreamClear) -> None:
        self._input.clear()
        if isinstance(event, p.AudioClear):  # no answer to the other is documented
            self._emit("input_audio_buffer.cleared")

    @_handle.register
    def _create_item(self, event: p.ItemCreate) -> None:
        self._add_item(read_item(event.item, self.settings.input_format), event.previous_item_id)

    def _add_item(self, item: Item, after: str | None = None) -> None:
        if item.type == "function_call_output" and not self.conversation.has_call(item.json["call_id"]):
            text = f"Tool call ID '{item.json['call_id']}' not found in conversation."
            raise Refusal(text, "invalid_tool_call_id", "item.call_id")
        if item.type == "mcp_approval_response":
            self._mcp.check_approval(item)
        first = None if self.settings.native else ""  # recorded from the service
        previous = self.conversation.add(item, after) or first
        self._turn += item.role == "user"
        self._emit("conversation.item.created", previous_item_id=previous, item=item.json)
        if item.type == "mcp_approval_response":
            self._mcp.decide(item)

    @_handle.register
    def _retrieve(self, event: p.ItemRetrieve) -> None:
        item = self.conversation.get(event.item_id, "retrieve")
        shown = p.snapshot(item.json)
        if item.dropped or len(item.audio) > _LARGEST_RETRIEVED:
            reason = "is no longer kept" if item.dropped else f"exceeds {_LARGEST_RETRIEVED} bytes"
            message = f"The audio of item '{item.id}' {reason} and is left out."
            self._emit("warning", warning={"message": message, "code": "audio_left_out", "param": "item_id"})
        else:
            for part in shown.get("content", ()):
                if part["type"] in {"audio", "input_audio"}:
                    part["audio"] = p.encode_audio(item.audio)
        self._emit("conversation.item.retrieved", item=shown)

    @_handle.register
    def _truncate(self, event: p.ItemTruncate) -> None:
        self.conversation.truncate(event.item_id, event.content_index, event.audio_end_ms)
        place = {"item_id": event.item_id, "content_index": event.content_index}
        self._emit("conversation.item.truncated", **place, audio_end_ms=event.audio_end_ms)

    @_handle.register
    def _delete(self, event: p.ItemDelete) -> None:
        self.conversation.remove(event.item_id)
        self._emit("conversation.item.deleted", item_id=event.item_id)

    @_handle.register
    def _create_response(self, event: p.ResponseCreate) -> None:
        while self._unrecognised:  # an answer never comes before the turn that it answers
            self._recognise_next()
        self._respond(p.convert(without_nulls(event.response or {}, ResponseParams), ResponseParams, "response"))

    @_handle.register
    def _cancel(self, event: p.ResponseCancel) -> None:
        active = self.responder.active
        if active is None or event.response_id not in {None, active.id}:
            raise Refusal("Cancellation failed: no active response found", "response_cancel_not_active")
        self.responder.cancel("client_cancelled")

    # --- listening

    def _configure_input(self) -> None:
        settings = self.settings
        self._input.configure(settings.input_format, settings.rules, detecting=settings.turn_detection is not None)

    def _listen(self) -> None:
        try:
            edges = self._input.listen()
        except Refusal as refusal:
            refusal.event_id = self._append_id
            self._refuse(refusal)
            return
        if turns := self.settings.turn_detection:
            for edge in edges:
                self._on_edge(edge, turns)
        self._input.tidy()

    def _on_edge(self, edge: Edge, turns: TurnDetection) -> None:
        if edge.kind == "started":
            self._speech_item = new_id("item")
            self._input.drop_until(edge.at_ms)
            self._emit("input_audio_buffer.speech_started", audio_start_ms=edge.at_ms, item_id=self._speech_item)
            if turns.interrupt_response is not False:
                self.responder.cancel("turn_detected")
            if turns.auto_truncate and (unheard := self.responder.unheard(self._now)):
                self._truncate(p.ItemTruncate(item_id=unheard[0].id, content_index=0, audio_end_ms=unheard[1]))
            return
        self._emit("input_audio_buffer.speech_stopped", audio_end_ms=edge.at_ms, item_id=self._speech_item)
        measured, audio = self._input.take(edge.at_ms)
        self._end_turn(self._speech_item, measured, audio, respond=turns.create_response is not False)

    # --- turns

    def _end_turn(
        self, item_id: str, measured: Measurement, audio: bytes, *, respond: bool = False, at_once: bool = False
    ) -> None:
        """Make a user item of a turn, in the order of the model's kind (protocol section 3.4b).

        A response follows without a `response.create` if `respond`; `at_once` leaves out the delay of recognition.
        """
        self._turn += 1
        part: JsonObject = {"type": "input_audio", "transcript": None}
        shown = shown_item("message", item_id, status="completed", role="user", content=[part])
        item = Item(shown, bytearray(audio), self._input.fmt)
        words = self._script.hears(self._turn) or self._recognise(item.fmt.decode(audio), item.fmt.rate)
        stimulus = Stimulus("speech", self._turn, words or measured.transcript, measured)
        turn = _Turn(item, self.conversation.add(item), stimulus, self._now, respond)
        self._spoken[item_id] = stimulus
        self._emit("input_audio_buffer.committed", previous_item_id=turn.previous, item_id=item_id)
        data = {"turn": self._turn, "speech_ms": measured.speech_ms, "level": round(measured.level, 1)}
        self._note("turn", f"turn {self._turn}: {measured.transcript}", data)
        if self.settings.json["input_audio_transcription"] is None:
            self._announce(turn)
        elif self.settings.native:
            self._announce(turn)
            self._after(_LATE_TRANSCRIPT, partial(self._transcribe, turn))
        else:
            self._unrecognised.append(turn)
            if at_once:
                self._recognise_next()
            else:
                self._after(_RECOGNITION, self._recognise_next)

    def _recognise_next(self) -> None:
        if self._unrecognised:
            turn = self._unrecognised.popleft()
            self._transcribe(turn)
            self._announce(turn)

    def _announce(self, turn: _Turn) -> None:
        self._emit("conversation.item.created", previous_item_id=turn.previous, item=turn.item.json)
        if self.settings.native:
            self._emit("conversation.item.done", previous_item_id=turn.previous, item=turn.item.json)
        if turn.respond:
            self._respond_to(turn)

    def _transcribe(self, turn: _Turn) -> None:
        name = "conversation.item.input_audio_transcription."
        place: JsonObject = {"item_id": turn.item.id, "content_index": 0}
        if self.settings.native:
            self._emit(name + "delta", **place, delta=turn.stimulus.text)
        language = {} if self.settings.native else {"language": "en-US"}
        self._emit(name + "completed", **place, transcript=turn.stimulus.text, **language)
        turn.item.json["content"][0]["transcript"] = turn.stimulus.text

    # --- responses

    def _respond_to(self, turn: _Turn) -> None:
        """Answer a spoken turn without being asked."""
        turns = self.settings.turn_detection
        if turns and turns.interrupt_response is not False:
            self.responder.cancel("turn_detected")  # of a turn that was faster than its answer
        try:
            self._respond(ResponseParams(), turn)
        except Refusal as refusal:
            self._refuse(refusal)

    def _respond(self, params: ResponseParams, turn: _Turn | None = None) -> None:
        """Begin a response to a spoken turn, or else to the newest item."""
        config = self.settings.for_response(params)
        fmt = self.settings.input_format
        given = None
        if params.input_items is not UNSET:
            given = read_items(params.input_items, fmt, "response.input_items")
        more = read_items(params.append_input_items, fmt, "response.append_input_items")
        fixed = pre_generated(params, self._script, fmt)
        active = self.responder.active
        if active and params.cancel_previous is not True:
            text = f"Conversation already has an active response in progress: {active.id}. Wait until it is finished."
            raise Refusal(text, "conversation_already_has_active_response")
        self.responder.cancel("client_cancelled")
        for item in more:
            self._add_item(item)
        items = list(self.conversation) if given is None else given + more
        stimulus = turn.stimulus if turn else self._stimulus(items)
        tools, words = self._mcp.usable(config.tools), [item.text for item in items]
        answer = fixed or with_interim(
            plan(self._script, stimulus, tools, config.tool_choice, words), config.interim, stimulus.turn
        )
        self._mcp.fresh.clear()
        context = self.settings.context_tokens(params, items)
        self.responder.begin(config, answer, context, turn.ended if turn else self._now)

    def _stimulus(self, given: list[Item]) -> Stimulus:
        """The newest of the given items that asks for an answer."""
        newest = itertools.takewhile(lambda item: item.type == "function_call_output" or item.is_mcp, reversed(given))
        outputs = [item for item in newest if not item.is_mcp or item.id in self._mcp.fresh]
        if outputs:
            texts = (item.json["output"] or item.json.get("error") or "" for item in reversed(outputs))
            return Stimulus("tool", self._turn, ", ".join(texts))
        for item in reversed(given):
            if item.role == "user":
                return self._spoken.get(item.id) or Stimulus("text", self._turn, item.text)
        return Stimulus("nothing", self._turn)
