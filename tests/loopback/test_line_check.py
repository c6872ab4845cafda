"""The content of answers, as a function of the turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.loopback.input_buffer import Measurement
from voicelive_tui.loopback.line_check import MAX_CHARACTERS, Stimulus, line_check, plan
from voicelive_tui.loopback.script import Call, Reply, Script
from voicelive_tui.speech.voice import open_voice


def heard(level=-20.0, peak=-8.0, floor=-70.0, speech_ms=2400):
    return Measurement(2000, speech_ms, level, peak, floor)


def spoken(**figures):
    return Stimulus("speech", 1, "", heard(**figures))


def test_the_line_check_reports_its_measurements():
    text = line_check(spoken())
    assert text.startswith("I heard you for 2.4 seconds")
    for figure in ("-20 dBFS", "peak -8", "noise floor -70"):
        assert figure in text


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({}, "good line"),
        ({"peak": -0.2}, "turn the microphone down"),
        ({"level": -45.0}, "turn the microphone up"),
        ({"floor": -30.0}, "nearer to the microphone"),
        ({"speech_ms": 0}, "I heard no speech in 2.0 seconds"),
    ],
)
def test_the_verdict_fits_the_figures(figures, says):
    assert says in line_check(spoken(**figures))


def test_an_answer_to_speech_is_long_enough_to_be_interrupted():
    pytest.importorskip("espeakng_loader")
    assert 6000 <= open_voice().speak(line_check(spoken())).duration_ms <= 10_000


def test_typed_text_is_repeated_with_its_length_and_long_text_shortened():
    assert '"' not in line_check(Stimulus("text", 1, "x"))
    assert "You typed: hello" in line_check(Stimulus("text", 1, "hello"))
    assert "5 characters" in line_check(Stimulus("text", 1, "hello"))
    assert "1 character." in line_check(Stimulus("text", 1, "x"))
    assert len(line_check(Stimulus("text", 1, "x" * 5000))) < 600


def test_variables_are_filled_in():
    script = Script(reply=(Reply(say="{turn} {text} {duration} {level} {peak} {floor} {output}|"),))
    assert plan(script, Stimulus("speech", 3, "hi", heard()), [], "auto").say == "3 hi 2.4 -20 -8 -70 |"
    assert plan(script, Stimulus("tool", 3, "out"), [], "auto").say == "3 out 0.0    out|"
    quoting = Script(reply=(Reply(say="<{history}>"),))
    assert plan(quoting, Stimulus("text", 3, "three"), [], "auto", ["one", "two", "three"]).say == "<one | two | three>"


@given(st.text(max_size=50))
def test_variables_in_the_users_text_are_not_filled_in(text):
    script = Script(reply=(Reply(say="<{text}>"),))
    assert plan(script, Stimulus("text", 1, text), [], "auto").say == f"<{text}>"


def test_a_forced_function_is_called_even_if_the_script_has_another():
    tools = [{"type": "function", "name": name} for name in ("one", "two")]
    script = Script(reply=(Reply(calls=(Call("one"),)),))
    forced = plan(script, Stimulus("text", 1, "x"), tools, {"type": "function", "name": "two"})
    assert [call.name for call in forced.calls] == ["two"]
    assert plan(script, Stimulus("text", 1, "x"), tools, "none").calls == ()


def test_answers_are_limited_in_length():
    script = Script(reply=(Reply(say="You typed {text}"),))
    said = plan(script, Stimulus("text", 1, "x" * 1_000_000), [], "auto").say
    assert len(said) == MAX_CHARACTERS
    assert said.endswith("xxx ...")
