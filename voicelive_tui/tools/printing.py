"""What a tool prints goes to the log: the screen, and the lines of `--json`, belong to the program."""

import contextlib
import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, TextIO, cast

log = logging.getLogger(__name__)

_printed: ContextVar["_Printed | None"] = ContextVar("printed", default=None)


class _Printed:
    """The line that a tool is printing."""

    def __init__(self, tool: str) -> None:
        self._tool, self._line = tool, ""
        self._logging = False

    def write(self, text: str) -> None:
        if self._logging:  # a handler of the user's prints the record, which the log has
            return
        *lines, self._line = (self._line + text).split("\n")
        self._logging = True
        try:
            for line in lines:
                log.info("%s printed: %s", self._tool, line)
        finally:
            self._logging = False

    def end(self) -> None:
        if self._line:
            self.write("\n")


def _current() -> _Printed | None:
    """What takes prints here; None for those of the program, which itself prints in its main thread only.

    A thread that a tool has started has no context of it.
    """
    if _printed.get() is None and threading.current_thread() is not threading.main_thread():
        _printed.set(_Printed(threading.current_thread().name))
    return _printed.get()


class _Buffer(io.RawIOBase):
    """The stream of bytes below a standard stream, for a tool."""

    def __init__(self, printed: _Printed) -> None:
        self._printed = printed

    def write(self, data: Any) -> int:
        self._printed.write(bytes(data).decode(errors="replace"))
        return len(data)


class _Stream:
    """A standard stream that sends to the log what a tool writes, and passes on what the program writes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if (printed := _current()) is None:
            return self._stream.write(text)
        printed.write(text)
        return len(text)

    @property
    def buffer(self) -> Any:
        return self._stream.buffer if (printed := _current()) is None else _Buffer(printed)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def prints_to_log(tool: str) -> Iterator[None]:
    """Log what this context prints, and nothing of other tasks and threads.

    The streams stay replaced, because a tool that was abandoned may print later.
    """
    for name in ("stdout", "stderr"):
        if not isinstance(stream := getattr(sys, name), _Stream):
            setattr(sys, name, cast("TextIO", _Stream(stream)))
    printed = _Printed(tool)
    token = _printed.set(printed)
    try:
        yield
    finally:
        _printed.reset(token)
        printed.end()
