"""Responses of a session one after another: what cancels them, and what was heard of them."""

import pytest

from tests.loopback.lab import TAIL, VAD, Lab, clip, error_of, kinds, only, speaking, speech


def test_speech_cancels_the_active_response():
    lab = speaking(turn_detection=VAD)
    events = lab.say(speech())
    assert kinds(events) == ["input_audio_buffer.speech_started", *TAIL]
    done = events[-1]["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert only(events, "response.output_item.done")["item"]["status"] == "incomplete"
    assert not any(e["type"].startswith("response.") for e in lab.run(5))


def test_auto_truncate_keeps_the_part_that_real_time_playback_has_reached():
    lab = speaking(turn_detection=VAD | {"auto_truncate": True})
    first = next(e["at"] for e in lab.events if e["type"] == "response.audio.delta")
    events = lab.say(speech())
    assert kinds(events)[-1] == "conversation.item.truncated"
    assert events[-1]["audio_end_ms"] == pytest.approx((lab.now - first) * 1000, abs=2)
    retrieved = lab.send("conversation.item.retrieve", item_id=events[-1]["item_id"])
    assert only(retrieved, "conversation.item.retrieved")["item"]["content"][0]["transcript"] is None


def test_auto_truncate_works_on_an_answer_that_is_complete_but_not_played_to_its_end():
    lab = Lab(turn_detection=VAD | {"auto_truncate": True})
    events = lab.say(clip(speech(), 1000))
    while not any(e["type"] == "response.done" for e in events):
        events = lab.run(0.1)
    assert kinds(lab.say(speech())) == ["input_audio_buffer.speech_started", "conversation.item.truncated"]


def test_auto_truncate_keeps_an_answer_that_was_heard_to_its_end():
    lab = Lab(turn_detection=VAD | {"auto_truncate": True})
    lab.say(clip(speech(), 1000))
    lab.run(30)
    assert kinds(lab.say(speech())) == ["input_audio_buffer.speech_started"]


def test_cancel_ends_the_answer_and_a_second_cancel_is_refused():
    lab = speaking(turn_detection=VAD)
    events = lab.send("response.cancel")
    assert kinds(events) == TAIL
    assert events[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    error = error_of(lab.send("response.cancel", event_id="mine"))
    assert error == {
        "type": "invalid_request_error",
        "code": "response_cancel_not_active",
        "message": "Cancellation failed: no active response found",
        "param": None,
        "event_id": "mine",
    }


def test_cancel_right_after_create_closes_only_open_parts():
    lab = Lab()
    lab.type("hello")
    assert kinds(lab.send("response.cancel")) == ["response.done"]


def test_a_second_response_is_refused_unless_it_cancels_the_first():
    lab = Lab()
    lab.type("hello")
    assert error_of(lab.send("response.create"))["code"] == "conversation_already_has_active_response"
    events = lab.send("response.create", response={"cancel_previous": True})
    assert kinds(events) == ["response.done", "response.created"]
