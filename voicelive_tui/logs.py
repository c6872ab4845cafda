"""Where log records go: a rotated file and the event log; never the terminal.

A thread writes the file, so that a slow disk holds nothing up. Levels are set by logger, and noisy libraries are
capped. The SDK's debug records carry whole messages with their sound, so every record is shortened; secrets are masked
in all of them.
"""

import contextlib
import logging
import os
import queue
import sys
import time
from collections.abc import Callable
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import get_args

from voicelive_tui.config import APP_NAME, ConfigError, Level, Logging
from voicelive_tui.text import mask, visible, visible_lines

LONGEST_RECORD = 1_000
"""Characters of a record that are kept."""
FILE_SIZE, OLD_FILES = 2_000_000, 3
WAITING_RECORDS = 10_000
"""Records that may wait for the disk; later ones are left out of the file, and counted."""
FLUSH_SECONDS = 1.0
NOISY = ("aiohttp", "asyncio", "azure", "msal", "textual", "urllib3")
"""Capped at warning, unless their level is set by name."""

log = logging.getLogger(__name__)

SESSION = "voicelive_tui.session"
"""Logger of what happens in the session. The event log has rows of it already, so `listen` leaves it out."""

LEVELS: dict[Level, int] = {name: logging.getLevelNamesMapping()[name.upper()] for name in get_args(Level)}


class _Readable(logging.Formatter):
    """Shortens records and masks secrets."""

    def format(self, record: logging.LogRecord) -> str:
        text = mask(super().format(record))  # before it is shortened, or half of a secret could remain
        if len(text) > LONGEST_RECORD and not record.exc_info:
            text = f"{text[:LONGEST_RECORD]}... ({len(text)} characters)"
        return visible_lines(text) if record.exc_info else visible(text)  # a line end must not fake another record


class _File(RotatingFileHandler):
    """Writes records that are formatted already; reports once that it cannot."""

    problem = ""  # the report

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name in the standard library
        if not self.problem:  # the report comes here as well
            self.problem = f"the log file {self.baseFilename} cannot be written: {sys.exc_info()[1]}"
            log.error(self.problem)


class _ToFile(QueueHandler):
    """Formats records in the thread that logged them, and hands them to a thread that writes them."""

    def __init__(self, file: _File) -> None:
        self.waiting: queue.Queue[logging.LogRecord] = queue.Queue(WAITING_RECORDS)
        super().__init__(self.waiting)
        self.file = file
        self._left_out = 0
        self._writer = QueueListener(self.waiting, file)
        self._writer.start()

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            super().enqueue(record)
        except queue.Full:
            self._left_out += 1
            return
        if self._left_out and self.waiting.qsize() <= WAITING_RECORDS // 2:  # not at each free place
            count, self._left_out = self._left_out, 0
            log.warning("%d records were left out of the log file: the disk is too slow", count)

    def flush(self) -> None:
        """Wait until all records are written, at most `FLUSH_SECONDS`: the disk may hang."""
        limit = time.monotonic() + FLUSH_SECONDS
        while self.waiting.unfinished_tasks and time.monotonic() < limit:
            time.sleep(0.002)

    def close(self) -> None:
        self.flush()
        if not self.waiting.unfinished_tasks:
            self._writer.stop()
            with contextlib.suppress(OSError):  # the disk is full: reported when it was written
                self.file.close()
        super().close()


class _ToListener(logging.Handler):
    """Passes records to a callable, in the thread that logged them."""

    def __init__(self, listener: Callable[[Level, str, str], None]) -> None:
        super().__init__()
        self.addFilter(lambda record: record.name != SESSION)
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        severity: Level = max((level, name) for name, level in LEVELS.items() if level <= max(record.levelno, 10))[1]
        try:
            self._listener(severity, record.name, self.format(record))
        except RuntimeError:
            pass  # the event loop is gone: the program is ending


def default_path() -> Path:
    """The log file where the configuration names none."""
    import platformdirs  # noqa: PLC0415 - not needed for --help

    return Path(platformdirs.user_state_dir(APP_NAME, appauthor=False)) / f"{APP_NAME}.log"


def native_path(path: Path) -> Path:
    """Where the messages of C libraries go, beside a log file."""
    return path.with_suffix(".native.log") if path.is_file() else Path(os.devnull)


def flush() -> None:
    """Wait until the records so far are in the file, for a limited time."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def start(settings: Logging, *, verbose: bool = False, report: Callable[[str], None] = lambda _: None) -> Path:
    """Send all log records to the file; its path.

    Args:
        settings: Level, file, and levels by logger. Raises `ConfigError` where this file cannot be written.
        verbose: Log this package and the SDK from debug on.
        report: Gets a sentence if the default file cannot be written; then there is none.
    """
    path = Path(settings.file) if settings.file else default_path()
    try:
        path = path.expanduser()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(path)
    except (OSError, ValueError, RuntimeError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        sentence = f"the log file {str(path)!r} cannot be written: {reason}"
        if settings.file:
            raise ConfigError(sentence) from None
        report(f"{sentence}; nothing is logged (--log-file PATH names another)")
        path = Path(os.devnull)
    file = _File(path, maxBytes=FILE_SIZE, backupCount=OLD_FILES, encoding="utf-8", errors="replace", delay=True)
    file.rotator = _rotate
    handler = _ToFile(file)
    handler.setFormatter(_Readable("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    # The SDK warns of each close of ours ("Unexpected WebSocket message type"); real failures are reported by us.
    levels: dict[str, str] = dict.fromkeys(NOISY, "warning") | {"azure.ai.voicelive": "error"}
    if verbose:
        levels |= {"voicelive_tui": "debug", "azure.ai.voicelive": "debug"}
    for name, level in (levels | dict(settings.levels)).items():
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a full disk must not write tracebacks over the screen
    return path


def _make_private(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))


def _rotate(full: str, older: str) -> None:
    Path(full).rename(older)
    _make_private(Path(full))


def listen(listener: Callable[[Level, str, str], None]) -> Callable[[], None]:
    """Call `listener(severity, logger, text)` in the thread that logs, but not for `SESSION`; the result ends this."""
    handler = _ToListener(listener)
    handler.setFormatter(_Readable())
    root = logging.getLogger()
    for written in root.handlers:
        if isinstance(written, _ToFile) and written.file.problem:  # reported when nothing listened yet
            listener("error", __name__, visible(mask(written.file.problem)))
    root.addHandler(handler)
    return lambda: root.removeHandler(handler)
