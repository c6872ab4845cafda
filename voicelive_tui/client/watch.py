"""`LinkWatch`: notices what a link does not report by itself: that it is dead, or that nothing comes of it."""

import asyncio
import time
from collections.abc import Callable

from voicelive_tui.client.link import Link
from voicelive_tui.client.shell import Session
from voicelive_tui.session import inputs, mcp, rotation
from voicelive_tui.session.headline import NO_ANSWER_SECONDS
from voicelive_tui.session.state import SessionState
from voicelive_tui.session.tools import patience

LOOK_SECONDS, QUIET_LOOK_SECONDS = 1.0, 0.1
"""Between looks; the second one while a quiet moment for a rotation is waited for."""
PING_SECONDS = 5.0
"""Between checks of a link on which sound is sent or an answer is awaited."""
SLEPT_SECONDS = 10.0
"""More wall clock than this between two looks: the computer slept, or the program was stopped."""


class LinkWatch:
    """Looks at the link once a second, and has it checked by a ping where there is a reason."""

    def __init__(self, session: Session, link: Callable[[], Link | None]) -> None:
        self._session, self._link = session, link
        self._wall: float | None = None  # of the last look
        self._pinged_at = 0.0
        self._events_in, self._came_at = 0, 0.0  # server events so far, and when the last one was noticed
        self._told_at: float | None = None  # the start of the wait that was reported

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            near = rotation.near(self._session.state, time.monotonic())
            await asyncio.sleep(QUIET_LOOK_SECONDS if near else LOOK_SECONDS)
            self.look(time.monotonic(), time.time())

    def look(self, now: float, wall: float) -> None:
        """Look once, at `now` (`time.monotonic()` seconds) and `wall` (`time.time()` seconds)."""
        state, link = self._session.state, self._link()
        slept = self._wall is not None and wall - self._wall > SLEPT_SECONDS
        self._wall = wall
        if link is None or not state.ready:
            return
        if rotation.due(state, now):
            self._session.apply(inputs.RotationDue())
        waits = self._report_wait(state, now)
        self._report_lost_response(state, now)
        for event in mcp.silent(state, now):
            self._session.apply(event)
        busy = state.microphone.sending or state.awaiting
        if slept or waits or (busy and now - self._pinged_at > PING_SECONDS):
            self._pinged_at = now
            link.check()

    def _report_lost_response(self, state: SessionState, now: float) -> None:
        """Report a response whose end does not come although the next one waits for it."""
        if state.counts.events_in != self._events_in:
            self._events_in, self._came_at = state.counts.events_in, now
        elif now - self._came_at > patience(state):
            self._session.apply(inputs.ResponseLost(now - self._came_at))
            self._came_at = now

    def _report_wait(self, state: SessionState, now: float) -> bool:
        """Report once a wait for an answer in which nothing came; whether this was done now."""
        since = state.turn.ended_speaking_at if state.turn and state.awaiting else None
        if since is None or since == self._told_at or now - since < NO_ANSWER_SECONDS:
            return False
        self._told_at = since
        self._session.apply(inputs.NoAnswer(now - since))
        return True
