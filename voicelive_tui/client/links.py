"""`Links`: the link that serves, the wait for the next one, and during a rotation the link on standby."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from voicelive_tui.client.connection import ServiceConnection
from voicelive_tui.client.link import Link
from voicelive_tui.client.shell import Session
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.state import Stage

CONFIGURE_LIMIT = 15.0
"""Seconds from the open WebSocket to the first `session.updated`."""


class Links:
    """The links of a conversation: one serves, and another may be on standby.

    Inputs of the link on standby are applied as `OnStandby`, those of a link that was replaced are not. `start` runs a
    coroutine as a task that ends with the session.

    Attributes:
        serving: The link on which sound and events are sent, if there is one.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[ServiceConnection]],
        session: Session,
        start: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        self.serving: Link | None = None
        self._standby: Link | None = None
        self._tasks: dict[Link, asyncio.Task[None]] = {}
        self._connect, self._session, self._start = connect, session, start
        self._dropped_ms = 0.0  # by links that are over
        self._over = False
        self._next_due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None  # sets it

    @property
    def outbox_ms(self) -> float:
        """Captured sound that waits to be sent, in milliseconds."""
        return self.serving.outbox_ms if self.serving else 0.0

    @property
    def dropped_ms(self) -> float:
        """Captured sound dropped because the network was behind."""
        return self._dropped_ms + sum(link.dropped_ms for link in self._tasks)

    def connect_at(self, at: float | None) -> None:
        """Let the next link begin at that moment (`time.monotonic()` seconds), or not by itself."""
        if self._over:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._next_due.clear()
        if at is not None:
            self._timer = asyncio.get_running_loop().call_later(at - time.monotonic(), self._next_due.set)

    async def wait(self) -> None:
        """Wait until the next link is to begin."""
        await self._next_due.wait()

    async def serve(self) -> None:
        """Connect, and wait for the end of this link, or of the one that took over from it."""
        if self._standby is not None:
            await self._standby.close()
        self.connect_at(None)
        self.serving = self._begin()
        try:
            while (link := self.serving) in self._tasks:
                task = self._tasks[link]
                await asyncio.wait([task])
                if link is self.serving:
                    task.result()
                    return
        finally:
            self.serving = None

    def perform(self, effect: effects.Send | effects.Reconnect | effects.TakeOver | effects.Restore) -> None:
        """Perform an effect, and report it where the fold has to know."""
        match effect:
            case effects.Send(event, standby):
                link = self._standby if standby else self.serving
                if link is not None:  # else it is dropped
                    link.send(event)
            case effects.Reconnect(retry):
                self.connect_at(retry.at if retry else 0.0)
                if retry is not None:
                    self._session.apply(inputs.Reconnecting(retry))
                if self.serving is not None:
                    self._start(self.serving.close())
            case effects.TakeOver():
                self._take_over()
                self._session.apply(inputs.Rotated())
            case effects.Restore(events, history):
                for event in events:
                    self.perform(effects.Send(event))
                self._session.apply(inputs.HistorySent(history))

    def begin_standby(self) -> None:
        """Connect a link that is to take over."""
        self._standby = self._begin()

    def _take_over(self) -> None:
        """Let the link on standby serve, and close the other one."""
        replaced, self.serving, self._standby = self.serving, self._standby, None
        if replaced is not None and self.serving is not None:
            self.serving.owed = replaced.unsent()
            self._start(replaced.close())

    async def disconnect(self) -> None:
        """Close all links; no other begins by itself."""
        self.connect_at(None)
        await asyncio.gather(*(link.close() for link in tuple(self._tasks)))

    async def close(self) -> None:
        """Close all links for good."""
        self._over = True
        self._next_due.set()
        await self.disconnect()

    async def cancel(self) -> None:
        """Cancel the links that `close` has left."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self) -> Link:
        link = Link(self._connect, lambda event: self._report(link, event))
        task = self._tasks[link] = asyncio.create_task(link.run())
        task.add_done_callback(lambda _: self._ended(link))
        return link

    def _ended(self, link: Link) -> None:
        self._dropped_ms += link.dropped_ms
        del self._tasks[link]
        if link is self._standby:
            self._standby = None

    def _report(self, link: Link, event: inputs.OfLink) -> None:
        if link is self._standby:
            self._session.apply(inputs.OnStandby(event))
            if link is self._standby and self._session.state.standby is None:  # it failed, or ended
                self._standby = None
                self._start(link.close())
        elif link is self.serving:
            self._session.apply(event)
        if isinstance(event, inputs.Connected):
            self._start(self._expect_ready(link))

    async def _expect_ready(self, link: Link) -> None:
        """Give up a link on which the session is never confirmed."""
        await asyncio.wait([self._tasks[link]], timeout=CONFIGURE_LIMIT)
        state = self._session.state
        connection = state.standby.connection if state.standby and link is self._standby else state.connection
        if link in (self.serving, self._standby) and connection.stage is Stage.CONFIGURING:
            missing = "session.updated" if connection.session_id else "session.created"
            problem = f"{connection.endpoint} sent no {missing} within {CONFIGURE_LIMIT:g} s"
            self._report(link, inputs.ConnectFailed(problem, transient=True))
            await link.close()
