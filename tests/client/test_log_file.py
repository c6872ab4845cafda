"""What of a session reaches the log file: each fact once, at its severity."""

import logging

import pytest

from voicelive_tui import logs
from voicelive_tui.client.log_file import write_log
from voicelive_tui.session import inputs
from voicelive_tui.session.fold import reduce
from voicelive_tui.session.state import SessionState


def logged(caplog: pytest.LogCaptureFixture, *events: inputs.Input) -> list[tuple[int, str]]:
    caplog.set_level(logging.DEBUG)
    state = SessionState()
    for at, event in enumerate(events):
        after, _ = reduce(event, state, float(at))
        write_log(event, state, after, float(at))
        state = after
    assert {record.name for record in caplog.records} <= {logs.SESSION}
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_a_local_row_is_logged_once_at_its_severity(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, inputs.MutePressed(), inputs.TalkPressed(), inputs.BadMessage("odd")) == [
        (logging.INFO, "muted"),
        (logging.WARNING, "not connected: reset for a new session"),
        (logging.ERROR, "odd"),
    ]


def test_errors_and_warnings_of_the_service_are_logged_in_words(caplog: pytest.LogCaptureFixture) -> None:
    error = inputs.Received({"type": "error", "error": {"message": "no such voice", "code": "c"}})
    benign = inputs.Received({"type": "error", "error": {"message": "m", "code": "response_cancel_not_active"}})
    warning = inputs.Received({"type": "warning", "warning": {"message": "careful"}})
    assert logged(caplog, error, benign, warning) == [
        (logging.ERROR, "error from the service: no such voice (code c)"),
        (logging.INFO, "error from the service: m (code response_cancel_not_active)"),
        (logging.WARNING, "warning from the service: careful"),
    ]


def test_a_record_of_python_logging_does_not_go_back_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, inputs.LogRecord("error", "some.library", "it broke")) == []


def test_percent_signs_of_the_wire_are_text(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, inputs.BadMessage("100 %s %d")) == [(logging.ERROR, "100 %s %d")]
