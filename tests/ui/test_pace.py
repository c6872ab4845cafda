import pytest
from msgspec.structs import replace

from tests import states
from voicelive_tui.ui.pace import LEAN, NORMAL, Pacing, has_news, notable

SOUND = "input_audio_buffer.append"


def test_audio_in_both_directions_is_not_notable():
    state = states.SPEAKING
    log = states.event(state.log, 30.0, "out", "input_audio_buffer.append", size=10)
    counted = replace(state, log=log, counts=replace(state.counts, events_out=500))
    assert not notable(state, counted)
    assert not has_news(state, counted)
    assert notable(state, replace(state, transcript=state.transcript[:1]))
    assert has_news(state, replace(state, log=states.event(log, 31.0, "in", "response.done")))


def test_more_audio_of_an_answer_is_not_notable_but_its_first_and_every_word_is():
    state = states.SPEAKING
    *before, last = state.transcript

    def with_last(**changes):
        return replace(state, transcript=(*before, replace(last, **changes)))

    assert not notable(state, with_last(audio_ms=last.audio_ms + 200))
    assert notable(state, with_last(audio_ms=last.audio_ms * 1.1 + 600))
    assert notable(with_last(audio_ms=0.0), state)
    assert notable(state, with_last(audio_ms=last.audio_ms + 200, text=last.text + " word"))
    assert notable(state, replace(state, transcript=tuple(before)))


def with_event(state, type_):
    return replace(state, log=states.event(state.log, 30.0, "out", type_, size=10))


def draws(pacing, shown, *, begin, seconds, kind):
    """How often a log that grows by 25 events a second is drawn, looked at 20 times a second."""
    state = logged = shown
    drawn = 0
    for look in range(round(begin * 20), round((begin + seconds) * 20)):
        state = with_event(state, kind)
        show, log = pacing.decide(shown, logged, state, look / 20)
        shown, logged = state if show else shown, state if log else logged
        drawn += log
    return drawn


@pytest.mark.parametrize(
    ("rates", "least", "most"),
    [(NORMAL, 8, 12), (LEAN, 1, 2)],
)
def test_counts_are_drawn_once_a_second_in_a_conversation_and_less_often_on_a_slow_line(rates, least, most):
    assert least <= draws(Pacing(0.0, rates), states.LISTENING, begin=0, seconds=10, kind=SOUND) <= most


def test_counts_are_hardly_drawn_within_three_seconds_after_the_last_event():
    pacing = Pacing(0.0, NORMAL)
    pacing.decide(states.LISTENING, states.LISTENING, states.IDLE, 0.0)
    draws(pacing, states.IDLE, begin=0, seconds=3, kind=SOUND)
    assert draws(pacing, states.IDLE, begin=3, seconds=9, kind=SOUND) <= 1


def test_news_is_drawn_at_every_look():
    assert draws(Pacing(0.0, NORMAL), states.LISTENING, begin=0, seconds=2, kind="response.done") == 40


def test_a_state_is_drawn_once():
    pacing = Pacing(0.0, NORMAL)
    assert pacing.decide(states.IDLE, states.IDLE, states.LISTENING, 1.0) == (True, True)
    assert pacing.decide(states.LISTENING, states.LISTENING, states.LISTENING, 9.0) == (False, False)


def test_quiet_ends_with_news_and_never_begins_while_somebody_speaks():
    pacing = Pacing(0.0, NORMAL)
    assert pacing.quiet(states.IDLE, 60.0)
    assert not pacing.quiet(states.LISTENING, 60.0)
    pacing.decide(states.IDLE, states.IDLE, with_event(states.IDLE, "response.done"), 60.0)
    assert not pacing.quiet(states.IDLE, 61.0)


@pytest.mark.parametrize(
    ("rate", "is_flood"),
    [(60, False), (300, False), (2000, True)],
)
def test_only_a_high_rate_of_events_slows_the_frames_down(rate, is_flood):
    pacing, state, now, sent = Pacing(0.0, NORMAL), states.IDLE, 0.0, 0
    pacing.pause(state, now)
    for _ in range(20):
        pause = pacing.pause(state, now)
        now += pause
        while sent < rate * now:
            state, sent = with_event(state, "response.audio.delta"), sent + 1
    assert (pause > NORMAL.frame) is is_flood


def test_events_that_came_while_nothing_was_drawn_are_not_a_flood():
    pacing, state = Pacing(0.0, NORMAL), states.IDLE
    pacing.pause(state, 0.0)
    for _ in range(250):  # ten seconds of microphone
        state = with_event(state, SOUND)
    assert pacing.pause(state, 10.0) == NORMAL.frame
