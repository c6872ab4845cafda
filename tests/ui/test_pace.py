from dataclasses import replace

from tests import states
from voicelive_tui.ui.pace import (
    COUNTED_EVERY,
    COUNTED_SELDOM,
    CROWD,
    CROWDED_EVERY,
    QUIET_AFTER,
    Pacing,
    has_news,
    notable,
)

SOUND = replace(states.IDLE, log=states.event(states.IDLE.log, 30.0, "out", "input_audio_buffer.append", size=10))


def test_sound_going_to_and_fro_is_not_notable():
    state = states.SPEAKING
    log = states.event(state.log, 30.0, "out", "input_audio_buffer.append", size=10)
    counted = replace(state, log=log, counts=replace(state.counts, events_out=500))
    assert not notable(state, counted)
    assert not has_news(state, counted)
    assert notable(state, replace(state, transcript=state.transcript[:1]))
    assert has_news(state, replace(state, log=states.event(log, 31.0, "in", "response.done")))


def test_more_sound_of_an_answer_is_not_notable_but_its_first_and_every_word_is():
    state = states.SPEAKING
    *before, last = state.transcript

    def with_last(**changes):
        return replace(state, transcript=(*before, replace(last, **changes)))

    assert not notable(state, with_last(audio_ms=last.audio_ms + 200))
    assert notable(state, with_last(audio_ms=last.audio_ms * 1.1 + 600))
    assert notable(with_last(audio_ms=0.0), state)
    assert notable(state, with_last(audio_ms=last.audio_ms + 200, text=last.text + " word"))
    assert notable(state, replace(state, transcript=tuple(before)))


def test_what_only_counts_up_waits_and_the_rest_does_not():
    pacing = Pacing(0.0, lean=False)
    assert pacing.decide(states.IDLE, states.IDLE, states.IDLE, 1.0) == (False, False)
    assert pacing.decide(states.IDLE, states.IDLE, SOUND, 1.0) == (True, True)
    assert pacing.due == 1.0 + COUNTED_EVERY
    assert pacing.decide(states.IDLE, states.IDLE, SOUND, 1.5) == (False, False)
    assert pacing.decide(states.IDLE, states.IDLE, states.LISTENING, 1.6)[0]
    news = replace(SOUND, log=states.event(SOUND.log, 31.0, "in", "response.done"))
    assert pacing.decide(states.IDLE, states.IDLE, news, 1.7) == (False, True)


def test_quiet_counts_seldom_and_ends_with_news():
    pacing = Pacing(0.0, lean=False)
    later = QUIET_AFTER + 1
    assert pacing.quiet(states.IDLE, later)
    assert not pacing.quiet(states.LISTENING, later)
    pacing.decide(states.IDLE, states.IDLE, SOUND, later)
    assert pacing.due == later + COUNTED_SELDOM
    pacing.decide(states.IDLE, states.IDLE, states.LISTENING, later)
    assert not pacing.quiet(states.IDLE, later + 1)


def test_of_a_flood_not_every_tick_is_drawn():
    pacing = Pacing(0.0, lean=False)
    log = SOUND.log
    for number in range(CROWD + 1):
        log = states.event(log, 31.0 + number, "in", "response.done")
    flood = replace(states.LISTENING, log=log)
    assert pacing.decide(states.IDLE, states.IDLE, flood, 1.0) == (True, True)
    assert pacing.decide(states.IDLE, states.IDLE, flood, 1.0 + CROWDED_EVERY / 2) == (False, False)
    assert pacing.decide(states.IDLE, states.IDLE, flood, 1.0 + CROWDED_EVERY * 1.01) == (True, True)
    few = replace(states.LISTENING, log=states.event(SOUND.log, 31.0, "in", "response.done"))
    assert pacing.decide(states.IDLE, states.IDLE, few, 1.0 + CROWDED_EVERY * 1.1) == (True, True)
