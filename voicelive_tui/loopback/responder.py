"""The responses of a session, one at a time: their start, pace, speech and end."""

from collections.abc import Iterator
from functools import partial

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
        self.jobs: list[SpeechJob] = []
        """Requests for speech; the reader empties the list."""
        self.armed: list[str] = []
        """The faults that the script has armed; the reader empties the list."""
        self._make = partial(
            Response, conversation=conversation, emit=emit, begin_mcp=begin_mcp, request=self.jobs.append
        )
        self._note = note
        self._response: Response | None = None
        self._steps: Iterator[float] = iter(())
        self._due = WAITING
        self._last_context = Tokens()

    @property
    def active(self) -> Response | None:
        return self._response if self._response and self._response.active else None

    @property
    def next_due(self) -> float:
        """The time of the active response's next event."""
        return self._due if self.active else WAITING

    def begin(self, config: ResponseConfig, plan: Plan, context: Tokens, start: float) -> None:
        """Answer a turn that ended at `start`, a time of the session's clock; there must be no active response."""
        last, self._last_context = self._last_context, context
        cached = Tokens(min(last.text, context.text), min(last.audio, context.audio))
        self._response = response = self._make(config, plan, context=(context, cached), begin=start)
        self.armed += plan.reply.faults
        self._steps = response.run()
        self.step()
        self._note("answer", f"answer: {plan.say or 'function call'}", {"response_id": response.id})

    def step(self) -> None:
        """Send the response's next events."""
        self._due = next(self._steps, WAITING)

    def cancel(self, reason: str) -> None:
        if self.active:
            self.active.finish("cancelled", {"type": "cancelled", "reason": reason})
            self._note("answer", f"answer cancelled ({reason})", {"reason": reason})

    def fail(self, job: SpeechJob, message: str) -> None:
        """Fail the response that waits for a job, unless it has ended."""
        if self.active and self.active.id == job.response_id:
            self.active.fail(message)

    def unheard(self, now: float) -> tuple[Item, int] | None:
        """The newest spoken item, and its milliseconds that real-time playback has reached; None when that is all."""
        response = self._response
        item = response.audio_item if response else None
        if response is None or item is None or response.first_audio is None:
            return None
        heard_ms = int((now - response.first_audio) * 1000)
        whole = heard_ms >= item.audio_ms or item.json["content"][0]["transcript"] is None
        return None if whole else (item, heard_ms)

    def deliver_speech(self, job: SpeechJob, speech: Speech, audio: bytes, now: float) -> None:
        """Take the speech for a job, encoded in its format; dropped if its response has ended."""
        if self.active and self.active.id == job.response_id:
            self.active.set_speech(speech, audio, now)
            if self._due == WAITING:
                self._due = now
