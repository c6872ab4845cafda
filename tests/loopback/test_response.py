"""One response: its calls, its overrides, its audio in every format, its usage."""

import json

import pytest

from tests.loopback.lab import Lab, clip, error_of, kinds, only, sound, speech
from voicelive_tui.loopback.formats import encode_speech
from voicelive_tui.loopback.script import Call, Reply, Script, ScriptedError

VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


# ---- (g) function calls


def test_a_call_is_streamed_and_the_answer_waits_for_create():
    script = Script(
        reply=(
            Reply(on="text", calls=(Call("get_weather", {"location": "Beijing"}),)),
            Reply(on="tool", say="It is {output}."),
        )
    )
    lab = Lab(script=script, tools=[WEATHER])
    events = lab.type("weather?") + lab.finish()
    assert kinds(events)[1:] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
    ]
    done = only(events, "response.function_call_arguments.done")
    assert done["arguments"] == '{"location":"Beijing"}'
    assert done["name"] == "get_weather"
    deltas = [e["delta"] for e in events if e["type"] == "response.function_call_arguments.delta"]
    assert "".join(deltas) == done["arguments"]
    assert only(events, "response.done")["response"]["output"][0]["call_id"] == done["call_id"]
    output = {"type": "function_call_output", "call_id": done["call_id"], "output": "sunny, 25"}
    created = only(lab.send("conversation.item.create", item=output), "conversation.item.created")
    assert created["previous_item_id"] == done["item_id"]
    assert lab.run(5) == [], "the service does not continue by itself"
    lab.send("response.create")
    assert only(lab.finish(), "response.audio_transcript.done")["transcript"] == "It is sunny, 25."


def test_calls_can_be_parallel_and_follow_a_message():
    script = Script(reply=(Reply(say="One moment.", calls=(Call("get_weather"), Call("get_weather"))),))
    events = (lab := Lab(script=script, tools=[WEATHER])).type("x") + lab.finish()
    output = only(events, "response.done")["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
    assert [e["output_index"] for e in events if e["type"] == "response.output_item.done"] == [0, 1, 2]
    alone = (lab := Lab(script=script, tools=[WEATHER], parallel_tool_calls=False)).type("x") + lab.finish()
    assert len(only(alone, "response.done")["response"]["output"]) == 2


@pytest.mark.parametrize(
    ("choice", "calls"),
    [
        ("auto", []),
        ("none", []),
        ("required", ["get_weather"]),
        ({"type": "function", "name": "get_time"}, ["get_time"]),
        ({"type": "function", "function": {"name": "get_time"}}, ["get_time"]),
    ],
)
def test_tool_choice_is_honoured_without_a_script(choice, calls):
    time = {
        "type": "function",
        "name": "get_time",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}, "n": {"type": "integer"}}},
    }
    lab = Lab(tools=[WEATHER, time], tool_choice=choice)
    output = only(lab.type("Beijing") + lab.finish(), "response.done")["response"]["output"]
    found = [item for item in output if item["type"] == "function_call"]
    assert [item["name"] for item in found] == calls
    if calls == ["get_time"]:
        assert json.loads(found[0]["arguments"]) == {"zone": "Beijing", "n": 1}


def test_a_cancelled_call_ends_incomplete_and_without_arguments_done():
    script = Script(reply=(Reply(calls=(Call("get_weather", {"location": "Beijing" * 20}),)),))
    lab = Lab(script=script, tools=[WEATHER])
    lab.type("x")
    lab.run(0.4)
    events = lab.send("response.cancel")
    assert kinds(events) == ["response.output_item.done", "response.done"]
    assert events[0]["item"]["status"] == "incomplete"
    assert 0 < len(events[0]["item"]["arguments"]) < 140


def test_an_undeclared_function_is_not_called():
    script = Script(reply=(Reply(calls=(Call("get_weather"),)),))
    output = only((lab := Lab(script=script)).type("x") + lab.finish(), "response.done")["response"]["output"]
    assert [item["type"] for item in output] == ["message"]


def test_a_function_output_without_its_call_is_an_error():
    item = {"type": "function_call_output", "call_id": "call_x", "output": ""}
    assert error_of(Lab().send("conversation.item.create", item=item))["code"] == "invalid_tool_call_id"


# ---- the overrides of a response


def respond(lab, **response):
    return lab.send("response.create", response=response) + lab.finish()


def test_a_pre_generated_message_is_spoken_as_it_is_and_kept():
    lab = Lab()
    message = {"role": "assistant", "content": [{"type": "text", "text": "Welcome aboard."}]}
    events = respond(lab, pre_generated_assistant_message=message, metadata={"a": "b"})
    assert only(events, "response.audio_transcript.done")["transcript"] == "Welcome aboard."
    assert only(events, "response.created")["response"]["metadata"] == {"a": "b"}
    assert only(events, "response.done")["response"]["metadata"] == {"a": "b"}
    assert [item.text for item in lab.session.conversation] == ["Welcome aboard."]


def test_an_uncommitted_response_adds_no_items():
    lab = Lab()
    lab.type("hello")
    lab.finish()
    before = [item.id for item in lab.session.conversation]
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "aside"}]}
    events = respond(lab, commit=False, input_items=[item], modalities=["text"])
    assert "aside" in only(events, "response.text.done")["text"]
    assert [item.id for item in lab.session.conversation] == before
    assert "conversation.item.created" not in kinds(events)


def test_no_input_items_means_no_context():
    lab = Lab()
    lab.type("hello")
    lab.finish()
    events = respond(lab, input_items=[], modalities=["text"])
    assert "line check" in only(events, "response.text.done")["text"]


@pytest.mark.parametrize("modalities", [["text"], ["text", "audio"]])
def test_a_token_limit_gives_an_incomplete_answer(modalities):
    lab = Lab()
    lab.type("hello")
    lab.send("response.cancel")
    done = only(respond(lab, max_output_tokens=20, modalities=modalities), "response.done")["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert 0 < done["usage"]["output_tokens"] <= 20
    assert done["output"][0]["status"] == "incomplete"
    assert done["max_output_tokens"] == 20


@pytest.mark.parametrize(
    ("name", "rate", "width"),
    [
        ("pcm16", 24_000, 2),
        ("pcm16_8000hz", 8000, 2),
        ("pcm16_16000hz", 16_000, 2),
        ("pcm16_44100hz", 44_100, 2),
        ("pcm16_48000hz", 48_000, 2),
        ("g711_ulaw", 8000, 1),
        ("g711_alaw", 8000, 1),
    ],
)
def test_every_output_format_has_the_same_speech(name, rate, width):
    lab = Lab(output_audio_format=name)
    lab.type("hello")
    events = lab.finish()
    seconds = lab.voice.speak(only(events, "response.audio_transcript.done")["transcript"]).duration_ms / 1000
    assert len(sound(events)) / width / rate == pytest.approx(seconds, abs=0.002)
    assert only(events, "response.done")["response"]["output_audio_format"] == name


def test_word_timestamps_with_an_azure_voice_only():
    voice = {"type": "azure-standard", "name": "en-US-AvaNeural"}
    lab = Lab("gpt-4.1", voice=voice, output_audio_timestamp_types=["word"])
    events = lab.type("hello") and lab.finish()
    marks = [e for e in events if e["type"] == "response.audio_timestamp.delta"]
    text = only(events, "response.audio_transcript.done")["transcript"]
    assert [mark["text"] for mark in marks] == text.split()
    assert [m["audio_offset_ms"] for m in marks] == sorted(m["audio_offset_ms"] for m in marks)
    assert only(events, "response.audio_timestamp.done")
    lab = Lab(voice="alloy", output_audio_timestamp_types=["word"])
    assert "response.audio_timestamp.delta" not in kinds(lab.type("hello") and lab.finish())


def test_usage_adds_up_and_grows_with_history():
    lab = Lab()
    totals = []
    for text in ("hello", "again", "and again"):
        lab.type(text)
        usage = only(lab.finish(), "response.done")["response"]["usage"]
        given, out = usage["input_token_details"], usage["output_token_details"]
        assert usage["input_tokens"] == given["text_tokens"] + given["audio_tokens"] + given["image_tokens"]
        assert usage["output_tokens"] == out["text_tokens"] + out["audio_tokens"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert given["cached_tokens"] <= usage["input_tokens"]
        totals.append((usage["input_tokens"], given["cached_tokens"]))
    assert totals[0][0] < totals[1][0] < totals[2][0]
    assert totals[0][1] == 0 < totals[2][1]


def test_late_speech_is_sent_at_its_pace():
    lab = Lab()
    lab.session.receive(b'{"type":"response.create"}', lab.now)
    lab.session.poll(lab.now)
    job = lab.session.responder.jobs.pop()
    lab.run(3)
    said = lab.voice.speak(job.text)
    lab.session.responder.deliver_speech(job, said, encode_speech(said.samples, job.fmt), lab.now)
    audio = [e["at"] for e in lab.finish() if e["type"] == "response.audio.delta"]
    assert audio[0] == pytest.approx(1003)
    assert audio[-1] - audio[0] == pytest.approx(said.duration_ms / 1000 / 4, abs=0.05)


# ---- scripts


def test_scripted_errors_warnings_pace_and_failure():
    script = Script(
        reply=(
            Reply(turn=1, say="Slow.", delay_ms=2000, speed=1.0, warnings=(ScriptedError("careful"),)),
            Reply(turn=2, fail="It broke.", errors=(ScriptedError("first", "e1"),)),
        )
    )
    lab = Lab(script=script)
    begin = lab.now
    events = lab.type("one") + lab.finish()
    assert only(events, "warning")["warning"]["message"] == "careful"
    assert next(e["at"] for e in events if e["type"] == "response.audio.delta") == pytest.approx(begin + 2)
    events = lab.type("two") + lab.finish()
    assert error_of(events)["code"] == "e1"
    done = only(events, "response.done")["response"]
    assert done["status"] == "failed"
    assert done["status_details"]["error"]["message"] == "It broke."


def test_a_script_sets_transcripts_and_matches_them():
    script = Script(
        reply=(
            Reply(turn=1, on="speech", hears="What's the weather?"),
            Reply(match="weather", say="You asked in turn {turn}: {text}"),
        )
    )
    for model in ("gpt-realtime", "gpt-4.1"):
        lab = Lab(model, script, turn_detection=VAD, input_audio_transcription={"model": "whisper-1"})
        events = lab.say(clip(speech(), 1000)) + lab.finish()
        heard = only(events, "conversation.item.input_audio_transcription.completed")["transcript"]
        assert heard == "What's the weather?"


def test_a_message_too_long_to_be_spoken_is_refused():
    lab = Lab()
    message = {"content": [{"type": "text", "text": "hello " * 2000}]}
    error = error_of(lab.send("response.create", response={"pre_generated_assistant_message": message}))
    assert error["param"] == "response.pre_generated_assistant_message.content"


def test_a_token_limit_is_used_up_to_the_last_20_ms():
    lab = Lab()
    message = {"content": [{"type": "text", "text": "hello there and everywhere " * 100}]}
    params = {"pre_generated_assistant_message": message, "max_output_tokens": 500}
    done = only(respond(lab, **params), "response.done")["response"]
    assert 498 <= done["usage"]["output_tokens"] <= 500
