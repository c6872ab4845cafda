"""The observer that writes the conversation into the log file: local rows, complaints, and the steps of a session."""

import logging

from voicelive_tui.session import inputs
from voicelive_tui.session.state import Link, SessionState
from voicelive_tui.wire.events import canonical, error_text, mapping, text

NAME = "voicelive_tui.session"
"""The logger of these records. They are rows of the event log already, so they must not come back as rows."""
_log = logging.getLogger(NAME)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_STEPS = {
    "session.update": "session configuration sent",
    "input_audio_buffer.speech_started": "user started speaking",
    "input_audio_buffer.speech_stopped": "user stopped speaking",
}


def log_file(event: inputs.Input, before: SessionState, after: SessionState, now: float) -> None:
    """Write the rows that this input added to the event log, as far as a log file needs them."""
    for row in after.log.since(before.log.next_seq):
        if row.direction == "local":
            _log.log(_LEVELS[row.severity], "%s", row.text)
    match event:
        case inputs.Sent(body) | inputs.Received(body):
            _wire(body)
        case inputs.CaptureChanged(capturing=True):
            _log.info("capture started: %s", after.input.description or "no microphone")
    if after.connection.link is Link.READY and before.connection.link is not Link.READY:
        _log.info("session ready: %s", after.connection.session_id)


def _wire(body: inputs.Event) -> None:
    kind = canonical(text(body.get("type")))
    response = mapping(body.get("response"))
    if step := _STEPS.get(kind):
        _log.info("%s", step)
    elif kind in ("error", "warning"):
        _log.log(_LEVELS[kind], "%s from the service: %s", kind, error_text(mapping(body.get(kind))))
    elif kind == "response.created":
        _log.info("response created: %s", text(response.get("id")))
    elif kind == "response.done":
        _log.info("response %s %s", text(response.get("id")), text(response.get("status")))
