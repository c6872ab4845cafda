"""The terminal: drawing never waits for one that is not being read, and the program ends with one that is gone.

Textual's driver queues 30 writes and then blocks the event loop. Here what does not fit is dropped, each time a whole
piece of drawing, and once the terminal has taken the rest the screen is drawn again.
"""

import asyncio
import contextlib
import os
import select
import termios
import threading
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

LIMIT = 65_536
"""Bytes that wait to be written, from which on drawing is dropped."""
PIECE = 4_096
"""Bytes written at once."""
DRAIN_LIMIT = 0.5
"""Seconds that the end waits for the terminal to take what was drawn."""
CANCEL = "\x18"
"""Ends a control sequence that was broken off; what follows would become a part of it."""
CHECK_SECONDS = 1.0
"""Between two checks of an idle terminal: reading from one that is gone would otherwise spin."""


class Writer(threading.Thread):
    """Writes to a terminal in a thread of its own.

    It writes to the file descriptor: a blocked write through `sys.__stderr__` would keep that file's lock, for which
    the interpreter waits at its end. After drawing was dropped, `caught_up` is called once everything else is written;
    `gone` when the terminal does not exist any more.
    """

    def __init__(self, fileno: int, caught_up: Callable[[], None], gone: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="terminal-output")
        self._fileno = fileno
        self._caught_up, self._gone = caught_up, gone
        self._changed = threading.Condition()
        # Under the condition's lock:
        self._waiting = bytearray()
        self._writing = self._dropped = self._stopped = False

    def write(self, text: str) -> None:
        """Queue a text, or drop it where too much is waiting."""
        with self._changed:
            self._dropped = self._dropped or len(self._waiting) >= LIMIT
            if not self._dropped and not self._stopped:
                self._waiting += text.encode("utf-8", "replace")
                self._changed.notify_all()

    def drain(self) -> bool:
        """Wait until everything is written; False if that takes longer than `DRAIN_LIMIT`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._writing, DRAIN_LIMIT)

    def discard(self) -> None:
        """Forget what is waiting, here and in the terminal's own buffer."""
        with self._changed:
            self._waiting.clear()
            self._dropped = False
        with contextlib.suppress(termios.error):
            termios.tcflush(self._fileno, termios.TCOFLUSH)
        self.write(CANCEL)

    def stop(self) -> None:
        """Write nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def run(self) -> None:
        try:
            while (piece := self._next_piece()) is not None:
                while piece:
                    piece = piece[self._write(piece) :]
        except OSError:
            self.stop()
            self._gone()
        with self._changed:
            self._waiting.clear()
            self._writing = False
            self._changed.notify_all()

    def _write(self, piece: bytes) -> int:
        try:
            return os.write(self._fileno, piece)
        except BlockingIOError:  # another program on this terminal has set O_NONBLOCK for all of them
            select.select([], [self._fileno], [], CHECK_SECONDS)
            return 0

    def _next_piece(self) -> bytes | None:
        """What to write next; None after `stop`. Raises OSError if the terminal is gone."""
        with self._changed:
            self._writing = False
            self._changed.notify_all()
            while not self._waiting and not self._stopped:
                if self._dropped:
                    self._dropped = False
                    self._caught_up()
                if not self._changed.wait(CHECK_SECONDS):
                    termios_of(self._fileno)
            if self._stopped:
                return None
            piece = bytes(self._waiting[:PIECE])
            del self._waiting[:PIECE]
            self._writing = True
            return piece


def termios_of(fileno: int) -> list[Any]:
    """The settings of a terminal; OSError if it is gone."""
    try:
        return termios.tcgetattr(fileno)
    except termios.error as error:
        raise OSError(*error.args) from None


class TerminalDriver(LinuxDriver):
    """Textual's driver with a `Writer`. Textual's own thread for writing starts as well, and has nothing to do."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._dashboard = app
        self._event_loop = asyncio.get_running_loop()
        self._writer: Writer | None = None

    def write(self, data: str) -> None:
        if self._writer is not None:
            self._writer.write(data)

    def start_application_mode(self) -> None:
        self._writer = Writer(self.fileno, lambda: self._call(self._dashboard.refresh), self._end)
        self._writer.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        self._make_room()
        super().stop_application_mode()
        if not self._make_room():  # the terminal was all but full: what restores it is gone with the drawing
            super().stop_application_mode()

    def _make_room(self) -> bool:
        """For what restores the terminal, and for the summary after it; False if that took what was written."""
        if self._writer is None or self._writer.drain():
            return True
        self._writer.discard()
        return False

    def close(self) -> None:
        super().close()
        if self._writer is not None:
            self._writer.drain()
            self._writer.stop()

    def run_input_thread(self) -> None:
        try:
            super().run_input_thread()
        except OSError:  # EIO: the terminal is gone
            self._end()

    def _end(self) -> None:
        self._call(lambda: self._dashboard.call_later(self._dashboard.action_quit))  # as after SIGHUP

    def _call(self, action: Callable[[], object]) -> None:
        """Call something on the event loop, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._event_loop.call_soon_threadsafe(action)
