"""The SDK's audio turns, which the service's reference does not have."""

import base64

import pytest

from tests.loopback.lab import Lab, clip, kinds, only, speech
from voicelive_tui.loopback.script import Script

SOUND = base64.b64encode(clip(100, speech(), 100).astype("<i2").tobytes()).decode()
ACCEPTS = Script(audio_turns=True)


def turn(lab, how, turn_id="t1", **fields):
    return lab.send(f"input_audio.turn.{how}", turn_id=turn_id, event_id="e1", **fields)


def test_a_script_lets_them_do_what_the_events_of_the_buffer_do():
    lab = Lab(script=ACCEPTS, turn_detection=None)
    assert turn(lab, "start") + turn(lab, "append", audio=SOUND) == []
    events = turn(lab, "end")
    assert kinds(events)[:2] == ["input_audio_buffer.committed", "conversation.item.created"]
    lab.send("response.create")
    assert only(lab.finish(), "response.done")["response"]["status"] == "completed"


def test_a_cancelled_turn_leaves_nothing_behind():
    lab = Lab(script=ACCEPTS, turn_detection=None)
    turn(lab, "start")
    turn(lab, "append", audio=SOUND)
    assert turn(lab, "cancel") == []
    refused = only(lab.send("input_audio_buffer.commit"), "error")
    assert refused["error"]["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize("how", ["append", "end", "cancel"])
def test_only_the_open_turn_can_go_on(how):
    lab = Lab(script=ACCEPTS, turn_detection=None)
    turn(lab, "start")
    fields = {"audio": SOUND} if how == "append" else {}
    error = only(turn(lab, how, "t2", **fields), "error")["error"]
    assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", "turn_id", "e1")


def test_without_a_script_they_are_refused():
    lab = Lab(turn_detection=None)
    error = only(turn(lab, "start"), "error")["error"]
    assert (error["code"], error["event_id"]) == ("not_supported", "e1")


def test_streaming_audio_is_cleared_without_an_answer():
    lab = Lab(turn_detection=None)
    lab.send("input_audio_buffer.append", audio=SOUND)
    assert lab.send("input_audio.clear") == []
    refused = only(lab.send("input_audio_buffer.commit"), "error")
    assert refused["error"]["code"] == "input_audio_buffer_commit_empty"
