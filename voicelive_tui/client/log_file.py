"""Between the event log and Python's logging: each record reaches the other side once.

`write_log` is the observer that logs the conversation; `follow_logging` makes rows of all other log records.
"""

import asyncio
import logging
from collections.abc import Callable

from voicelive_tui import logs
from voicelive_tui.session import inputs
from voicelive_tui.session.state import SessionState
from voicelive_tui.text import hide
from voicelive_tui.wire.events import Event, canonical, error_text, mapping, text
from voicelive_tui.wire.log import LogRow, Severity

_log = logging.getLogger(logs.SESSION)
_STEPS = {
    "session.update": "session configuration sent",
    "input_audio_buffer.speech_started": "user started speaking",
    "input_audio_buffer.speech_stopped": "user stopped speaking",
}


def write_log(event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
    """Log local rows, errors of the service, and the steps of the session."""
    for row in after.log.since(before.log.next_seq):
        if row.direction == "local":
            _log.log(logs.LEVELS[row.severity], "%s", row.text)
            continue
        if isinstance(event, inputs.Sent | inputs.Received):
            _write_wire(event.event, row)
        if row.type not in ("error", "warning"):  # those are in words already
            for problem in after.problems[-1:]:
                if problem.seq == row.seq:
                    _log.log(logs.LEVELS[problem.severity], "%s", problem.text)
    if isinstance(event, inputs.CaptureChanged) and event.capturing:
        _log.info("capture started: %s", after.input.description or "no microphone")
    if after.ready and not before.ready:
        _log.info("session ready: %s", after.connection.session_id)


def _write_wire(body: Event, row: LogRow) -> None:
    kind, response = canonical(row.type), mapping(body.get("response"))
    if step := _STEPS.get(kind):
        _log.info("%s", step)
    elif kind in ("error", "warning"):
        _log.log(logs.LEVELS[row.severity], "%s from the service: %s", kind, error_text(mapping(body.get(kind))))
    elif kind == "response.created":
        _log.info("response created: %s", text(response.get("id")))
    elif kind == "response.done":
        _log.log(logs.LEVELS[row.severity], "response %s %s", text(response.get("id")), text(response.get("status")))


def follow_logging(apply: Callable[[inputs.Input], None], *secrets: str) -> Callable[[], None]:
    """Make a row of each record, without the secrets, whichever thread it comes from; the result ends this."""
    hide(*secrets)
    loop = asyncio.get_running_loop()

    def take(severity: Severity, logger: str, sentence: str) -> None:
        loop.call_soon_threadsafe(apply, inputs.LogRecord(severity, logger, sentence))

    return logs.listen(take)
