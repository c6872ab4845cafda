import pytest

from tests.audio.blocks import hear, play_block, tone
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.format import FLOOR_DBFS, silence


def test_the_playback_meter_shows_the_sound_heard_now_not_the_sound_received(clock):
    engine = AudioEngine()
    engine.play("a", silence(4800) + tone(-12, 200))
    for n in range(20):
        play_block(engine, clock.now + 0.04 + n * 0.02)
    shown = []
    for _ in range(12):
        shown.append(engine.levels().playback.rms)
        clock.now += 0.05
    # Asked every 50 ms: heard from 240 ms on, until 440 ms.
    assert shown[:5] == [FLOOR_DBFS] * 5
    assert shown[6:9] == pytest.approx([-12] * 3, abs=0.5)
    assert shown[10:] == [FLOOR_DBFS] * 2


def test_the_peak_is_held_and_then_falls(clock):
    engine = AudioEngine()
    hear(engine, clock, tone(-10, 40))
    engine.chunk()
    top = engine.levels().capture.peak
    hear(engine, clock, tone(-50, 40))
    engine.chunk()
    clock.now += 0.4
    assert engine.levels().capture.peak < -40
    clock.now += 0.6
    assert engine.levels().capture.hold == top
    clock.now += 1
    held = engine.levels().capture.hold
    assert held < top - 5
    clock.now += 10
    assert engine.levels().capture.hold == engine.levels().capture.peak


def test_the_meter_of_a_microphone_that_stopped_falls_to_silence(clock):
    engine = AudioEngine()
    hear(engine, clock, tone(-10, 40))
    engine.chunk()
    assert engine.levels().capture.rms > -12
    clock.now += 0.6
    assert engine.levels().capture.rms == FLOOR_DBFS


def test_activity_changes_when_sound_starts_or_stops_until_the_levels_are_read(clock):
    engine = AudioEngine()
    assert not engine.activity_changed()
    for dbfs, changed in ((-75, False), (-20, True), (-30, False), (-75, True)):
        hear(engine, clock, tone(dbfs, 40))
        engine.chunk()
        assert engine.activity_changed() is changed
        engine.levels()
        assert not engine.activity_changed()
    engine.play("a", tone(-20, 200))
    play_block(engine, clock.now + 0.1)  # the device holds it for a while
    assert not engine.activity_changed()
    clock.now += 0.11
    assert engine.activity_changed()
    engine.levels()
    assert not engine.activity_changed()
    clock.now += 0.3
    assert engine.activity_changed()
