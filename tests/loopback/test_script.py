"""Scripts: their keys, and the errors in them."""

import json
import time
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback.lab import Lab, clip, kinds, only, speech
from tests.loopback.wire import connected, events, talking
from voicelive_tui.loopback.script import Reply, Script, ScriptError, load, shipped

WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
VAD = {"type": "server_vad", "silence_duration_ms": 500}


def write(folder, text):
    path = folder / "script.toml"
    path.write_text(text)
    return path


def test_the_first_reply_whose_conditions_hold_is_taken():
    script = Script(
        reply=(
            Reply(turn=2, say="second"),
            Reply(on="speech", say="speech"),
            Reply(match="^wea", say="weather"),
            Reply(say="other"),
        )
    )
    found = [script.find(*case).say for case in ((1, "text", "x"), (2, "text", "x"), (1, "speech", ""))]
    assert found == ["other", "second", "speech"]
    assert script.find(1, "text", "WEATHER").say == "weather"
    assert Script().find(1, "text", "x") is None


def test_a_whole_script(tmp_path):
    path = write(
        tmp_path,
        """
        title = "All of it"
        delay_ms = 100
        speed = 2
        faults = ["jitter=10", "close=1011@9s"]
        [[reply]]
        turn = 1
        on = "speech"
        hears = "What I said"
        say = "You said {text}: {{braces}}"
        calls = [{ name = "f", arguments = { a = 1 }, call_id = "call_1" }, { name = "g", arguments = "{broken" }]
        errors = [{ message = "Oh.", code = "oh", type = "server_error" }]
        warnings = [{ message = "Careful." }]
        faults = ["malformed-json"]
        """,
    )
    script = load(path)
    reply = script.reply[0]
    assert (script.delay_ms, script.speed, reply.turn, reply.hears) == (100, 2.0, 1, "What I said")
    assert [call.json for call in reply.calls] == ['{"a":1}', "{broken"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = \ny = 1", "line 1"),
        ("nonsense = 1", "unknown field `nonsense`"),
        ('folder = "/"', "unknown key `folder`"),
        ('title = 5', "title: expected `str`, got `int`"),
        ('[[reply]]\nsay = ["x"]', "reply[0].say: expected `str | null`, got `array`"),
        ('[[reply]]\nsay = "x"\n[[reply]]\nturn = 0', "reply[1].turn: expected `int` >= 1"),
        ('[[reply]]\nmatch = "("', "reply[0].match: expected a regular expression"),
        ('[[reply]]\non = "music"', "reply[0].on: invalid enum value 'music'"),
        ('[[reply]]\nsay = "{loudness}"', "unknown variable {loudness}; expected one of {turn}"),
        ('[[reply]]\nsay = "{text.__class__}"', "unknown variable {text.__class__}"),
        ('[[reply]]\nsay = "{"', "reply[0].say: "),
        ('[[reply]]\nplay = "none.wav"', "reply[0].play: cannot read"),
        ('[[reply]]\nspeed = 0', "reply[0].speed: expected `float` >= 0.05"),
        ('delay_ms = -1', "delay_ms: expected `int` >= 0"),
        ('faults = ["clos"]', "faults[0]: there is no fault 'clos'; did you mean close?"),
        ('[[reply]]\nfaults = ["jitter=x"]', "reply[0].faults[0]: "),
        ('[[reply]]\nfaults = ["refuse"]', "reply[0].faults[0]: 'refuse' is for whole sessions"),
        ('[[reply]]\nfaults = ["expire=3"]', "reply[0].faults[0]: 'expire' is for whole sessions"),
        ('[[reply]]\ncalls = [{ name = "f", server = "maps" }]', "server 'maps'; the script has no [[mcp]]"),
        ('[[mcp]]\nlabel = "docs"\n[[reply]]\ncalls = [{ name = "f", server = "maps" }]',
         "reply[0].calls[0].server: unknown MCP server 'maps'; expected one of docs"),
        ('[[caller]]\npause = 1', "caller[0]: object missing required field `say`"),
        ('[[caller]]\nsay = "x"\ninterrupts_after = -1', "caller[0].interrupts_after: expected `float` >= 0"),
        ('[[reply]]\ncalls = [{}]', "reply[0].calls[0]: object missing required field `name`"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_the_place_and_the_expected_value(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(ScriptError) as info:
        load(path)
    assert str(info.value).startswith(f"{path}: ")
    assert says in str(info.value)
    assert "\n" not in str(info.value)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(ScriptError, match=r"^cannot read the script .*: No such file or directory$"):
        load(tmp_path / "none.toml")


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_file_is_a_script_or_an_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    try:
        load(path)
    except ScriptError as error:
        told = str(error)
    else:
        return
    assert str(path) in told


async def test_a_wav_file_is_played(tmp_path):
    with wave.open(str(tmp_path / "answer.wav"), "wb") as wav:
        wav.setparams((1, 2, 8000, 0, "NONE", ""))
        wav.writeframes(b"\x00\x10" * 8000)
    script = load(write(tmp_path, 'speed = 50\n[[reply]]\nplay = "answer.wav"\nsay = "One two"'))
    async with talking(script=script) as socket:
        got = await events(socket)
    assert only(got, "response.audio_transcript.done")["transcript"].strip() == "One two"
    deltas = [e["delta"] for e in got if e["type"] == "response.audio.delta"]
    assert sum(len(delta) * 3 // 4 for delta in deltas) == pytest.approx(48_000, rel=0.01)


# ---- the examples that are shipped


def test_which_examples_are_shipped():
    assert list(shipped()) == ["line-check", "long_talker", "mcp", "slow_agent", "tool_call", "tools", "tour"]


def test_the_example_of_a_tool_call():
    script = load(shipped()["tool_call"])
    lab = Lab(script=script, tools=[WEATHER], turn_detection=VAD, input_audio_transcription={"model": "whisper-1"})
    asked = lab.say(clip(speech(), 1000)) + lab.finish()
    heard = only(asked, "conversation.item.input_audio_transcription.completed")
    assert heard["transcript"] == "What's the weather in Beijing?"
    assert only(asked, "response.audio_transcript.done")["transcript"] == "Let me look that up."
    call = only(asked, "response.function_call_arguments.done")
    assert json.loads(call["arguments"]) == {"location": "Beijing"}
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny, 25 degrees"}
    lab.send("conversation.item.create", item=output)
    lab.send("response.create")
    assert "sunny, 25 degrees" in only(lab.finish(), "response.audio_transcript.done")["transcript"]


def test_the_example_of_a_slow_agent():
    lab = Lab(script=load(shipped()["slow_agent"]), turn_detection=VAD)
    first = lab.say(clip(speech(), 1000)) + lab.finish()
    begin = only(first, "input_audio_buffer.speech_stopped")["at"]
    audio = [e["at"] for e in first if e["type"] == "response.audio.delta"]
    assert audio[0] - begin == pytest.approx(4, abs=0.01)
    second = lab.say(clip(speech(), 1000)) + lab.finish()
    assert only(second, "warning")["warning"]["code"] == "slow_agent"
    third = lab.say(clip(speech(), 1000)) + lab.finish()
    assert only(third, "response.done")["response"]["status"] == "failed"


def test_the_example_of_a_long_talker():
    lab = Lab(script=load(shipped()["long_talker"]), turn_detection=VAD)
    lab.say(clip(speech(), 1000))
    lab.run(2)
    events = lab.say(speech())
    assert only(events, "response.done")["response"]["status_details"]["reason"] == "turn_detected"
    assert kinds(events)[0] == "input_audio_buffer.speech_started"


async def test_faults_of_a_reply_are_armed_when_it_begins():
    script = Script(delay_ms=20, speed=50.0, reply=(Reply(turn=1, say="Bye.", faults=("close=4000",)),))
    async with talking(script=script) as socket:
        await events(socket)
        assert socket.close_code == 4000


async def test_faults_of_a_script_apply_to_every_session():
    from voicelive_tui.loopback.service import LoopbackService

    script = Script(faults=("unknown-event@session.created",))
    async with LoopbackService(script=script) as service:
        for _ in range(2):
            async with connected(service) as socket:
                assert (await events(socket, "session.created"))[0]["type"] == "loopback.unknown"


def test_a_pattern_that_backtracks_for_ever_counts_as_not_found():
    reply = Reply(match="(a+)+$")
    begin = time.monotonic()
    assert not reply.fits(1, "text", "a" * 5000 + "b")
    assert time.monotonic() - begin < 60
    assert reply.fits(1, "text", "aaa")
