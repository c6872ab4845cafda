"""What C libraries print, kept away from the screen.

ALSA and PortAudio write to file descriptor 2 whatever Python does ("ALSA lib pcm.c: ... underrun occurred"), and would
write into the middle of the dashboard.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


class NativeLog:
    """Keeps what C libraries print away from the screen, from `divert` to `restore`.

    Attributes:
        path: Where it goes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = 0
        self._lines = 0

    def lines(self) -> int:
        """How many lines were printed since the diversion. Reads only what is new; cheap enough for once a second."""
        with contextlib.suppress(OSError), self.path.open("rb") as log:
            log.seek(self._read_to)
            new = log.read()
            self._read_to += len(new)
            self._lines += new.count(b"\n")
        return self._lines


@contextlib.contextmanager
def native_stderr_to(path: str | Path) -> Iterator[NativeLog]:
    """Divert file descriptor 2 to a log file, keeping the terminal reachable as ``sys.__stderr__``.

    To be entered before the screen is: Textual writes to ``sys.__stderr__``, and takes it when it starts.

    Raises:
        OSError: The file cannot be written.
    """
    log = NativeLog(Path(path))
    target = os.open(log.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    log._read_to = os.fstat(target).st_size
    before = sys.stderr, sys.__stderr__
    for stream in before:
        if stream is not None:
            stream.flush()
    terminal = os.dup(2)
    os.dup2(target, 2)
    os.close(target)
    screen = os.fdopen(os.dup(terminal), "w", encoding="utf-8", errors="replace", buffering=1)
    sys.__stderr__ = screen  # type: ignore[misc]
    if before[0] is before[1]:
        sys.stderr = screen
    try:
        yield log
    finally:
        screen.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        sys.stderr, sys.__stderr__ = before  # type: ignore[misc]
        screen.close()
