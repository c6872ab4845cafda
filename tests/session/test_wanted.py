from tests.session.folding import ready
from voicelive_tui.config import BargeIn, Function, Session, Settings, Tools, TurnDetection
from voicelive_tui.session import inputs
from voicelive_tui.session.request import session_request
from voicelive_tui.session.wanted import change_to

OTHER = Settings(
    session=Session(
        voice="ash", turn_detection=TurnDetection(type="none", threshold=0.7), barge_in=BargeIn(clear=True)
    ),
    tools=Tools(functions={"f": Function()}),
)


def test_other_settings_replace_all_that_was_wanted_and_wait_for_the_next_session():
    fold = ready()
    fold.feed(inputs.SessionEdited({"temperature": 0.7}))
    before = fold.state
    assert fold.feed(change_to(OTHER, [], "profile quiet")) == []
    state = fold.state
    assert state.wanted == session_request(OTHER.session)
    assert state.wanted["turn_detection"] is None
    assert state.detection["threshold"] == 0.7
    assert state.barge_in == BargeIn(clear=True)
    assert state.rules == OTHER.tools.functions
    assert (state.in_force, state.connection) == (before.in_force, before.connection)
    assert [row.text for row in state.log.since(before.log.next_seq)] == ["in the next session: profile quiet"]


def test_functions_stay_declared():
    declaration = {"type": "function", "name": "f"}
    assert change_to(OTHER, [declaration]).wanted["tools"] == [declaration]
