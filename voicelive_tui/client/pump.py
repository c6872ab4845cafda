"""`AudioPump`: captured sound to the link, and what started or ended at the speaker to the fold."""

import asyncio
from collections.abc import Callable

from voicelive_tui.audio.engine import Chunk
from voicelive_tui.audio.format import duration_ms
from voicelive_tui.audio.playback import Started
from voicelive_tui.client.link import Link
from voicelive_tui.client.ring import RING_SECONDS, Ring, from_moment
from voicelive_tui.client.shell import Session
from voicelive_tui.client.sound import Sound
from voicelive_tui.session import inputs
from voicelive_tui.session.reconnect import kept_from
from voicelive_tui.session.state import Activity

POLL_SECONDS = 0.010
"""Between polls of the engine while there may be something new; each wakes a processor."""
EARLY_SECONDS = 0.002
"""Poll this long before the next chunk is due."""
UNSENT_SECONDS = 1.0
"""Sound kept between push-to-talk turns; the pre-roll is a part of it."""
LONGEST_POLL_SECONDS = 0.040
"""Upper bound on the poll, so that playback events are reported promptly."""


class AudioPump:
    """Polls the engine, which calls nothing on the event loop.

    Attributes:
        ring: The sound that was sent, or would have been if there was a session: a new one can get it.
    """

    def __init__(self, sound: Sound, session: Session, link: Callable[[], Link | None]) -> None:
        self._sound, self._engine = sound, sound.engine
        self._session, self._link = session, link
        self._woken = asyncio.Event()
        self.ring = Ring(RING_SECONDS)
        self._unsent = Ring(UNSENT_SECONDS)  # between push-to-talk turns

    def wake(self) -> None:
        """Poll again after a rest: something may have been queued to play, or capture started."""
        self._woken.set()

    def begin_turn(self, since: float) -> None:
        """Send what was captured from that moment on, outside a push-to-talk turn."""
        while chunk := self._engine.chunk() or self._engine.chunk(rest=True):
            self._unsent.add(chunk)
        for chunk in self._unsent.since(since):
            self._send(from_moment(chunk, since))
        self._unsent.clear()

    def finish_turn(self) -> None:
        """Send what was captured of a push-to-talk turn, the last incomplete chunk too."""
        while chunk := self._engine.chunk() or self._engine.chunk(rest=True):
            self._send(chunk)
        self.report_voiced()

    def drop_turn(self) -> None:
        """Discard what was captured of a push-to-talk turn."""
        self._engine.discard_captured()
        self.ring.clear()

    def send_late(self, since: float) -> None:
        """Send what was captured from that moment on, until now, and report it."""
        kept = self.ring.since(since)
        link = self._link()
        if not kept or link is None:
            return
        for chunk in kept:
            link.send_audio(chunk.pcm, chunk.at, late=True)
        voiced = (self._engine.last_voiced_at or 0.0) > since
        milliseconds = sum(duration_ms(chunk.pcm) for chunk in kept)
        self._session.apply(inputs.SentLate(milliseconds, voiced, self.ring.missing_ms(since)))

    def carry_over(self, since: float) -> None:
        """Send what was captured from that moment on to a link that took over, if a voice was heard since.

        What the other link had not sent is sent in any case.
        """
        voiced = (self._engine.last_voiced_at or 0.0) > since
        if link := self._link():
            for chunk in self.ring.newest(max(len(self.ring.since(since)) if voiced else 0, link.owed)):
                link.send_audio(chunk.pcm, chunk.at, late=True)

    def unkept_ms(self) -> float:
        """Milliseconds of sound too old to be kept for the next session; 0.0 during a session."""
        state = self._session.state
        if not state.resuming or state.lost_at is None:
            return 0.0
        return self.ring.missing_ms(kept_from(state, state.lost_at))

    def _send(self, chunk: Chunk) -> None:
        self.ring.add(chunk)
        link = self._link()
        if link is not None and self._session.state.microphone.capturing:
            link.send_audio(chunk.pcm, chunk.at)

    def report_voiced(self) -> None:
        """Report when the microphone last held a voice, if it did."""
        if self._engine.last_voiced_at is not None:
            self._session.apply(inputs.VoicedUntil(self._engine.last_voiced_at))

    async def run(self) -> None:
        """Poll until cancelled; rest while there is neither a microphone nor anything to play."""
        pause = POLL_SECONDS
        while True:
            idle = self._session.state.activity is Activity.READY and not self._engine.playing
            if idle and not self._sound.input_open:
                self._woken.clear()
                await self._woken.wait()
            else:
                await asyncio.sleep(pause)
            pause = POLL_SECONDS
            state = self._session.state
            # Until a microphone that was just opened is known to capture, its first sound waits.
            while (state.microphone.capturing or not state.ready) and (chunk := self._engine.chunk()):
                # Each poll comes a little earlier after its chunk, until one comes too early and the cycle restarts.
                pause = min(self._engine.chunk_ms / 1000 - EARLY_SECONDS, LONGEST_POLL_SECONDS)
                if state.microphone.sending:
                    self._send(chunk)
                elif state.resuming and (state.microphone.talking or not state.microphone.push_to_talk):
                    self.ring.add(chunk)
                else:
                    self._unsent.add(chunk)
            microphone = self._session.state.microphone
            if self._sound.input_ended and microphone.capturing and not microphone.ended:
                self._session.apply(inputs.InputEnded())
            for event in self._engine.events():
                if isinstance(event, Started):
                    self._session.apply(inputs.PlaybackStarted(event.item_id, event.at))
                else:
                    self._session.apply(inputs.PlaybackFinished(event.item_id, event.ms))
