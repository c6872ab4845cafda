import pytest

from tests.data import events
from tests.session.folding import CONNECTING, Fold, ready
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.notes import PINNED
from voicelive_tui.session.state import Activity, Stage


def test_a_refused_interim_response_leaves_the_rest_of_the_configuration() -> None:
    fold = Fold(CONNECTING, inputs.Connected(), {"type": "session.created", "session": {}})
    error = {"message": "The model does not support an interim response.", "event_id": "configure-1"}
    assert not fold.feed({"type": "error", "error": error})
    assert fold.state.connection.stage is Stage.CONFIGURING
    fold.feed({"type": "session.updated", "session": {}})
    assert fold.state.connection.stage is Stage.READY
    assert "interim response" in fold.state.problems[0].text


def test_a_refused_configuration_fails_with_the_message_of_the_service() -> None:
    fold = Fold(CONNECTING, inputs.Connected(), events("native_turn")[0])
    refusal = {"type": "error", "error": {"message": "no such voice", "code": "bad_voice", "event_id": "configure-1"}}
    assert effects.Disconnect() in fold.feed(refusal)
    fold.feed(inputs.Disconnected(1000, "the connection ended"))
    connection = fold.state.connection
    assert connection.stage is Stage.FAILED
    assert connection.problem == "the service refused the session's configuration: no such voice (code bad_voice)"


@pytest.mark.parametrize("code", ["response_cancel_not_active", "conversation_already_has_active_response"])
def test_benign_errors_are_notes(code: str) -> None:
    fold = ready()
    assert fold.feed({"type": "error", "error": {"message": "m", "code": code}}) == []
    assert fold.state.log.tail[-1].severity == "info"
    assert (fold.state.counts.errors, fold.state.problems) == (0, ())


def test_errors_and_warnings_stay_pinned_until_dismissed_and_the_session_continues() -> None:
    fold = ready()
    fold.feed(
        {"type": "error", "error": {"message": "broken", "code": "server_error"}},
        {"type": "warning", "warning": {"message": "slow"}},
    )
    assert [(problem.severity, problem.text) for problem in fold.state.problems] == [
        ("error", "broken (code server_error)"),
        ("warning", "slow"),
    ]
    row = fold.state.log.row(fold.state.problems[0].seq)
    assert row is not None
    assert (row.type, row.severity) == ("error", "error")
    assert (fold.state.connection.stage, fold.state.counts.errors) == (Stage.READY, 1)
    fold.feed(inputs.ProblemsSeen())
    assert fold.state.problems == ()


def test_a_refused_answer_is_not_awaited() -> None:
    fold = ready()
    fold.feed(inputs.TextTyped("hello"))
    assert fold.state.activity is Activity.THINKING
    fold.feed({"type": "error", "error": {"message": "quota", "code": "rate_limit", "event_id": "create-2"}})
    assert fold.state.activity is Activity.READY


def test_pinned_problems_are_bounded() -> None:
    fold = ready()
    fold.feed(*[{"type": "warning", "warning": {"message": str(number)}} for number in range(PINNED + 5)])
    assert len(fold.state.problems) == PINNED
    assert fold.state.problems[-1].text == str(PINNED + 4)
