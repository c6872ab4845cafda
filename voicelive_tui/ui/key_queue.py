"""Keys in turn: each is handled, with all that it leads to, before the next one.

Textual gives a key to the widget that has the focus when the key is read. Of several that arrive in one chunk, that is
the one from before the first of them, and keys with priority overtake the others.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping

from textual import events
from textual.app import App, ScreenStackError
from textual.binding import Binding
from textual.dom import DOMNode

LIMIT = 5.0
"""Seconds after which the next key does not wait any longer."""
ENDING = frozenset({"end", "quit.everywhere"})
"""Ids of the app's bindings that wait for no other key, and drop the keys that still wait."""
AT_ONCE = ENDING | {"suspend"}
"""Ids of the app's bindings that wait for no other key."""


class KeyQueueApp(App[None]):
    """An app that handles keys and pastes in turn, except for the keys of `AT_ONCE`."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[events.Event] = deque()
        self._handling: asyncio.Task[None] | None = None
        self._at_once: dict[str, str | None] = {}
        """The keys of `AT_ONCE`, and the id of each one's binding."""

    def set_keymap(self, keymap: Mapping[str, str]) -> None:
        super().set_keymap(keymap)
        own = [binding for binding in self.BINDINGS if isinstance(binding, Binding) and binding.id in AT_ONCE]
        mapped = [binding.with_key(keymap.get(binding.id or "", binding.key)) for binding in own]
        self._at_once = {binding.key: binding.id for binding in Binding.make_bindings(mapped)}

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        if isinstance(event, events.Key) and event.key in self._at_once:
            if self._at_once[event.key] in ENDING:
                self._waiting.clear()
            await super().on_event(event)
            return
        self._waiting.append(event)
        if self._handling is None:
            await self._handle_next()

    async def _handle_next(self) -> None:
        self._handling = None
        while self._waiting and self._handling is None:
            event, target = self._waiting.popleft(), self.focused or self.screen
            await super().on_event(event)
            if not isinstance(event, events.Key) or not target.check_consume_key(event.key, event.character):
                self._handling = asyncio.create_task(self._settle(target))
            # else it is typed into the target, where it cannot be overtaken

    async def _settle(self, target: DOMNode) -> None:
        """Wait until a key has been handled, and the messages that this led to; then handle the next one."""
        try:
            with contextlib.suppress(TimeoutError, ScreenStackError):
                async with asyncio.timeout(LIMIT):
                    await _risen(target)  # to the app, which looks up most bindings
                    known: DOMNode | None = None
                    while (focused := self.focused or self.screen) is not known:
                        await _risen(focused)
                        known = focused
                    laid_out = asyncio.Event()  # the focus moves in the order of places, which a new pane has only then
                    if known is not target and self.screen.call_after_refresh(laid_out.set):
                        await laid_out.wait()
        finally:
            self.call_later(self._handle_next)


async def _risen(target: DOMNode) -> None:
    """Wait until what is in the queue of a node has been handled, there and by its ancestors."""
    for node in target.ancestors_with_self:
        for _ in range(2):  # the first round may have put messages into the same queue
            handled = asyncio.Event()
            if node.call_later(handled.set):
                await handled.wait()
