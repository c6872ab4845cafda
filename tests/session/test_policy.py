"""What this client does: the effects of inputs, and their order."""

from tests.data import events
from tests.session.folding import CONNECTING, Fold, answer, ready, sent
from voicelive_tui.session import effects, inputs
from voicelive_tui.session.state import Stage


def test_a_reset_stops_playback_and_reconnects() -> None:
    assert ready().feed(inputs.ResetPressed()) == [effects.StopPlayback(), effects.Reconnect()]


def test_mute_is_passed_to_the_engine() -> None:
    fold = ready()
    assert fold.feed(inputs.MutePressed()) == [effects.SetMute(muted=True)]
    assert fold.feed(inputs.MutePressed()) == [effects.SetMute(muted=False)]


def test_the_session_is_configured_by_one_update_and_capture_starts_once() -> None:
    fold = Fold(CONNECTING, inputs.Connected())
    created, updated = events("native_turn")[:2]
    assert sent(fold.feed(created)) == ["session.update"]
    assert fold.state.connection.stage is Stage.CONFIGURING
    assert effects.StartCapture() in fold.feed(updated)
    assert fold.state.connection.stage is Stage.READY
    assert effects.StartCapture() not in fold.feed(updated)


def test_audio_after_the_end_of_its_item_is_ended_as_well() -> None:
    fold = ready()
    fold.feed(*answer(done=True))
    play, *rest = fold.feed(answer()[-1])
    assert isinstance(play, effects.Play)
    assert rest == [effects.FinishItem("item_a")]  # or the speaker would wait for more of it for ever


def test_the_session_is_configured_once() -> None:
    fold = ready()
    assert sent(fold.feed({"type": "session.created", "session": {"id": "sess_1"}})) == []
