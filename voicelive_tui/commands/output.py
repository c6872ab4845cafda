"""Lines for a reader that may stop, or go away: written by a thread, so that no write blocks the event loop."""

import asyncio
import errno
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

READER_LEFT = (errno.EPIPE, errno.EIO)
"""Errors of a reader that has seen enough, as `head` has, or of a terminal that is gone."""
WAITING_LIMIT = 4_000_000
"""Characters that may wait for the reader; lines beyond it are dropped and counted."""
STUCK_SECONDS = 2.0
"""At the end, a reader that takes nothing for this long has stopped."""
POLL_SECONDS = 0.02
CHECK_SECONDS = 1.0
"""Between two looks for the reader of an idle conversation."""


def to_stdout(line: str) -> None:
    """Write a line to stdout, past Python's own buffer: a lock on that would be held for as long as the reader waits.

    Raises `OSError` if it cannot be written, `BrokenPipeError` where the reader went away.
    """
    target = sys.stdout.fileno()
    data = f"{line}\n".encode(sys.stdout.encoding, "replace")
    while data:
        try:
            data = data[os.write(target, data) :]
        except BlockingIOError:  # another process made the terminal non-blocking
            select.select([], [target], [], 1.0)


async def reader_gone() -> None:
    """Return once the reader of stdout went away, or its terminal; writing a line would notice, but may be far off."""
    if not hasattr(select, "poll"):  # Windows
        await asyncio.Event().wait()
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups are reported without being asked for
    while not any(state & (select.POLLERR | select.POLLHUP) for _, state in poll.poll(0)):  # noqa: ASYNC110
        await asyncio.sleep(CHECK_SECONDS)


class LineOutput:
    """Takes lines without ever waiting, and writes them in order.

    Args:
        write: Writes a line; it may block, and raise `OSError`.
        dropped: The line that stands where lines were dropped, made from their number.
    """

    def __init__(self, write: Callable[[str], None], dropped: Callable[[int], str]) -> None:
        self.error: OSError | None = None
        """Why nothing can be written any more."""
        self._out = write
        self._describe_dropped = dropped
        self._lines: deque[str] = deque()
        self._waiting = self._dropped = self._written = 0
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="line output", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue a line, or drop and count it if too much waits."""
        with self._changed:
            if self._waiting + len(line) > WAITING_LIMIT:
                self._dropped += 1
                return
            self._note_dropped()
            self._append(line)

    async def room(self) -> bool:
        """Wait until half of what may wait was written; False if nothing can be."""
        while self._waiting > WAITING_LIMIT // 2 and not self.error:  # noqa: ASYNC110 - a thread writes
            await asyncio.sleep(POLL_SECONDS)
        return not self.error

    async def close(self) -> int:
        """Wait until everything is written, or the reader has stopped; the number of lines that were not written."""
        with self._changed:
            self._note_dropped()
            self._closing = True
            self._changed.notify()
        written, since = self._written, time.monotonic()
        while self._thread.is_alive() and time.monotonic() - since < STUCK_SECONDS:
            await asyncio.sleep(POLL_SECONDS)
            if written != self._written:
                written, since = self._written, time.monotonic()
        with self._changed:
            left = len(self._lines) + self._thread.is_alive()
            self._lines.clear()
        return left

    def _note_dropped(self) -> None:
        if self._dropped:
            self._append(self._describe_dropped(self._dropped))
            self._dropped = 0

    def _append(self, line: str) -> None:
        self._lines.append(line)
        self._waiting += len(line)
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closing)
                if not self._lines:
                    return
                line = self._lines.popleft()
            try:
                self._out(line)
            except OSError as error:
                self.error = error
                return
            with self._changed:
                self._waiting -= len(line)
                self._written += 1


def print_line(line: str) -> None:
    """Print a last line on stdout; one that the reader does not take is lost."""
    output = LineOutput(to_stdout, str)
    output.write(line)
    asyncio.run(output.close())
