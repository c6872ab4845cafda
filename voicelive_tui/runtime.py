"""Process-wide: garbage collection, the switch interval, signals, and what C libraries print.

An audio callback must run every 20 ms, and waits for the interpreter like any other thread. Two things delay it, as
`tests/benchmarks/bench_audio_realtime.py` measures:

- A busy thread keeps the interpreter for the switch interval: 5.3 ms with Python's default of 5 ms, 1.25 ms with 1 ms.
- A full garbage collection keeps it for 50 to 112 ms in a Textual program: 29 underflows in a minute of playback beside
  a drawing app, none with the policy below. (Higher thresholds made it worse: 70 ms in a young collection.)

So: switch the automatic collector off, which takes an eighth off the imports too. Once the modules are loaded, collect
and freeze what is there. Then collect the young generation often, and everything only while nothing is played. A
collection takes as long as there are objects to look at: once a second it held a busy Textual app for 29 ms, ten times
a second for 1 ms, and 4 to 8 ms every fifth time for the survivors. Where few objects are made, twice a second is
enough.

The event log frees a chunk for each one that it seals, all of different sizes, and glibc keeps the gaps between them:
10 MB after 150,000 events. `malloc_trim` gives them back in 0.4 ms. One arena for all threads, in place of one each,
halves what is left: events come in one thread and are freed in others.

The sound of an answer comes in blocks of 128 kB and more. Once glibc has freed one such block it takes the next from
its heap, where it leaves a gap between what is kept. With its threshold fixed, each goes back to the system when it is
freed: 3 to 6 MB stay free in the heap of a demo, where 9 to 16 did.
"""

import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voicelive_tui.session.state import SessionState

log = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.001
"""Seconds after which a busy thread is asked to release the interpreter."""
MANY_OBJECTS = 700
"""Python's own threshold for a young collection."""
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
"""Numbers of the parameters in glibc's malloc.h."""
LARGE_BYTES = 128 * 1024
"""A block of that size goes back to the system when it is freed: glibc's first threshold, which it raises by itself."""
SURVIVORS_EVERY = 5
"""Every n-th young collection includes generation 1."""
YOUNG_SECONDS, SPARSE_SECONDS, FULL_SECONDS = 0.1, 0.5, 5.0
"""Between young collections; the same where few objects are made; and between full ones."""
SETTLE_SECONDS = 15.0
"""After which the heap is frozen at the latest."""

INTERRUPTED = 130
"""Exit status after Ctrl+C."""
ENDINGS = tuple(
    (signal.Signals[name], status)
    for name, status in (("SIGTERM", 0), ("SIGHUP", 0), ("SIGINT", INTERRUPTED))
    if hasattr(signal, name)  # Windows has no SIGHUP
)
"""Signals that end the program, and the exit status of each."""


class Policy:
    """When to collect garbage; called on the event loop."""

    def __init__(self) -> None:
        self._collections = 0

    def settle(self) -> None:
        """Collect everything and freeze the heap; once, when all modules are loaded."""
        gc.collect()
        gc.freeze()

    def much_is_young(self) -> bool:
        """Whether the next young collection should come sooner."""
        return gc.get_count()[0] > MANY_OBJECTS

    def young(self) -> None:
        """Collect the young generation, and every `SURVIVORS_EVERY` times generation 1."""
        self._collections += 1
        gc.collect(0 if self._collections % SURVIVORS_EVERY else 1)

    def full(self) -> None:
        """Collect everything: 2 ms beside a full event log, but unbounded, so only while nothing is played."""
        gc.collect()
        if (libc := _glibc()) is not None:
            libc.malloc_trim(0)

    async def collect(self, state: "Callable[[], SessionState | None]") -> None:
        """Collect at moments that playback does not notice, until cancelled."""
        settled, began, full_at, pause = False, time.monotonic(), time.monotonic(), YOUNG_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = YOUNG_SECONDS if self.much_is_young() else SPARSE_SECONDS
            session = state()
            if not settled:
                settled = bool(session and _loaded(session)) or time.monotonic() - began > SETTLE_SECONDS
                if settled:
                    self.settle()
            elif session and not session.playing and time.monotonic() - full_at > FULL_SECONDS:
                self.full()
                full_at = time.monotonic()
            else:
                self.young()


@functools.cache
def _glibc() -> Any:
    """The functions of glibc, or None with another C library."""
    import ctypes  # noqa: PLC0415 - `--help` needs none

    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        return libc if libc.malloc_trim and libc.mallopt else None
    return None


def _loaded(session: "SessionState") -> bool:
    """Whether all modules are loaded: the connection has a session or failed, and the speaker was tried."""
    connection, output = session.connection, session.output
    return bool(connection.session_id or connection.failed) and bool(output.description or output.problem)


@contextlib.contextmanager
def policy() -> Iterator[Policy]:
    """Set the switch interval and switch the automatic collector off; at the end restore both."""
    interval, enabled = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.disable()
    if (libc := _glibc()) is not None:
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    try:
        yield Policy()
    finally:
        sys.setswitchinterval(interval)
        gc.unfreeze()
        if enabled:
            gc.enable()


def exit_on_signals() -> None:
    """Exit at once on a signal, until `end_on_signals` is called: there is nothing to put in order yet."""
    for number, status in _not_ignored():
        signal.signal(number, functools.partial(_exit, status))


def _not_ignored() -> list[tuple[signal.Signals, int]]:
    """`ENDINGS` without those that this process was started to ignore, as `nohup` does with SIGHUP."""
    return [(number, status) for number, status in ENDINGS if signal.getsignal(number) is not signal.SIG_IGN]


def _exit(status: int, *_: object) -> None:
    os._exit(status)


def end_on_signals(end: Callable[[int], object]) -> None:
    """Call `end(exit status)` on a signal, on the running event loop."""
    loop = asyncio.get_running_loop()

    def ended(number: signal.Signals, status: int) -> None:
        log.info("shutdown signal: %s", number.name)
        end(status)

    for number, status in _not_ignored():
        try:
            loop.add_signal_handler(number, ended, number, status)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_, to=(number, status): loop.call_soon_threadsafe(ended, *to))


def open_standard_streams() -> None:
    """Open the null device in place of standard streams that were closed (`<&-`, `>&-`, `2>&-`).

    Python has None for such a stream, and the next file or socket would get its descriptor.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))
            setattr(sys, f"__{name}__", getattr(sys, name))


class NativeLog:
    """The file that takes what C libraries print."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._read_to = size
        self._lines = 0

    def lines(self) -> int:
        """The number of lines printed since the diversion. Reads only what is new: cheap enough for once a second."""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(self._read_to)
            new = file.read()
            self._read_to += len(new)
            self._lines += new.count(b"\n")
        return self._lines


@contextlib.contextmanager
def native_stderr_to(path: str | Path) -> Iterator[NativeLog]:
    """Divert file descriptor 2 to a file, or nowhere if that cannot be written; the terminal stays `sys.__stderr__`.

    ALSA and PortAudio write to it whatever Python does, and would write into the middle of the dashboard. To be entered
    before Textual starts, which takes `sys.__stderr__` for the screen.
    """
    try:
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        log.warning("what C libraries print is lost: %s cannot be written: %s", path, error.strerror)
        target = os.open(path := os.devnull, os.O_WRONLY)
    native = NativeLog(Path(path), os.fstat(target).st_size)
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
        yield native
    finally:
        screen.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        sys.stderr, sys.__stderr__ = before  # type: ignore[misc]
        screen.close()
