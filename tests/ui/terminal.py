"""A program in a pseudo-terminal: its bytes counted and drawn by a terminal emulator."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pyte

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0
"""Seconds after which what has not come is taken to be missing, on a machine that runs other tests as well."""


class Terminal:
    """Run a command with a terminal of its own; use as a context manager."""

    def __init__(self, *command: str, width: int = 80, height: int = 24, emulate: bool = True, **env: str) -> None:
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen) if emulate else None
        self.received = bytearray()
        self.read_at = 0.0
        """When the last bytes were read (`time.monotonic()`), before they were emulated."""
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.resize(width, height, tell=False)
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env}
        for name in ("NO_COLOR", "SSH_CONNECTION", "COLUMNS", "LINES"):  # pytest-xdist sets the last two
            if name not in env:
                environ.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
            cwd=ROOT,
            start_new_session=True,
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self._slave)

    def resize(self, width: int, height: int, *, tell: bool = True) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)
        if tell:
            os.kill(self.process.pid, signal.SIGWINCH)

    def disconnect(self) -> None:
        """Close the terminal's own end, as a terminal emulator does that is killed."""
        os.close(self.master)
        self.master = os.open(os.devnull, os.O_RDWR)

    def read(self, seconds: float) -> bytes:
        """Everything that comes within this time."""
        end = time.monotonic() + seconds
        got = bytearray()
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self.master], [], [], left)
            if not ready:
                break
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            got += data
            if self._stream is not None:
                self._stream.feed(data)
        self.received += got
        return bytes(got)

    def read_rest(self) -> bytes:
        """Everything that an ended program left to be read; not emulated."""
        os.close(self._slave)
        self._slave = os.open(os.devnull, os.O_RDWR)
        got = bytearray()
        with contextlib.suppress(OSError):  # EIO: that was all
            while data := os.read(self.master, 65536):
                got += data
        self.received += got
        return bytes(got)

    def read_some(self, seconds: float) -> bytes:
        """What comes first within this time."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        self.read_at = time.monotonic()
        data = os.read(self.master, 65536) if ready else b""
        if self._stream is not None:
            self._stream.feed(data)
        self.received += data
        return data

    def write(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, *texts: str, gone: bool = False) -> None:
        """Read until the screen shows all of these texts at once, or none of them. Fails with the screen.

        What is read may end in the middle of a drawing: a test that finds one text cannot expect another beside it.
        """
        failure = f"{' and '.join(map(repr, texts))} did not {'go' if gone else 'come'}"
        self.wait_until(lambda: all((text in self.text) is not gone for text in texts), failure)

    def wait_until(self, condition: Callable[[], bool], failure: str, seconds: float = PATIENCE) -> None:
        """Read until a condition holds; `AssertionError` with the screen where it does not come to that."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{failure}:\n{self.text}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.text}"
            self.read(0.1)

    def wait_for_end(self, seconds: float = PATIENCE) -> int:
        """Read until the program ends, and what it left to be read; its exit status."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still running:\n{self.text}"
            self.read(0.1)
        while self.read(0.3):
            pass
        return self.process.returncode
