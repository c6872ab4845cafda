"""The responses of a session, one at a time: their start, pace, speech and end."""

from collections.abc import Iterator

from voicelive_tui.loopback.conversation import Conversation, Item, Tokens
from voicelive_tui.loopback.line_check import Plan
from voicelive_tui.loopback.mcp import BeginMcp
from voicelive_tui.loopback.protocol import Note
from voicelive_tui.loopback.response import WAITING, Emit, Response, SpeechJob
from voicelive_tui.loopback.settings import ResponseConfig
from voicelive_tui.speech.voice import Speech


class Responder:
    """Makes the responses of one session."""

    def __init__(self, conversation: Conversation, emit: Emit, note: Note, begin_mcp: BeginMcp) -> None:
        self.next_due = WAITING
        """The time of the response's next event."""
        self.jobs: list[SpeechJob] = []
        """Requests for speech; the reader empties the list."""
        self.armed: list[str] = []
        """The faults that the script has armed; the reader empties the list."""
        self._conversation = conversation
        self._emit = emit
        self._note = note
        self._begin_mcp = begin_mcp
        self._response: Response | None = None
        self._steps: Iterator[float] = iter(())
        self._last_context = Tokens()

    @property
    def active_id(self) -> str | None:
        return self._response.id if self._response and self._response.active else None

    def begin(self, config: ResponseConfig, plan: Plan, context: Tokens, start: float) -> None:
        """Begin a response; there must be no active one.

        It answers a turn that ended at `start`, a time of the session's clock.
        """
        last, self._last_context = self._last_context, context
        cached = Tokens(min(last.text, context.text), min(last.audio, context.audio))
        response = Response(
            config,
            plan,
            context=(context, cached),
            begin=start,
            conversation=self._conversation,
            emit=self._emit,
            begin_mcp=self._begin_mcp,
        )
        self._response = response
        self.armed += plan.faults
        self._steps = response.run()
        self.step()
        self._note("answer", f"answer: {plan.say or 'function call'}", {"response_id": response.id})

    def step(self) -> None:
        """Send the response's next events."""
        due = next(self._steps, WAITING)
        self.next_due = due if self.active_id else WAITING
        if self._response and self._response.active and self._response.wants:
            self.jobs.append(self._response.wants)
            self._response.wants = None

    def cancel(self, reason: str) -> None:
        if self._response and self._response.active:
            self._response.finish("cancelled", {"type": "cancelled", "reason": reason})
            self._steps, self.next_due = iter(()), WAITING
            self._note("answer", f"answer cancelled ({reason})", {"reason": reason})

    def fail(self, job: SpeechJob, message: str) -> None:
        """Fail the response that waits for a job, unless it has ended."""
        if self._response and self.active_id == job.response_id:
            self._response.fail(message)
            self._steps, self.next_due = iter(()), WAITING

    def unheard(self, now: float) -> tuple[Item, int] | None:
        """The newest spoken item and the milliseconds of it that real-time playback from its arrival has reached.

        None when that is all of it.
        """
        response = self._response
        item = response.audio_item if response else None
        if response is None or item is None or response.first_audio is None:
            return None
        heard_ms = int((now - response.first_audio) * 1000)
        whole = heard_ms >= item.audio_ms or item.json["content"][0]["transcript"] is None
        return None if whole else (item, heard_ms)

    def deliver_speech(self, job: SpeechJob, speech: Speech, audio: bytes, now: float) -> None:
        """Take the speech for a job, encoded in its format; dropped if its response has ended."""
        if self._response and self.active_id == job.response_id:
            self._response.set_speech(speech, audio, now)
            if self.next_due == WAITING:
                self.next_due = now
