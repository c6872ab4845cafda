import numpy as np
import pytest

from tests.audio.blocks import hear, play_block, tone
from voicelive_tui.audio.engine import AudioEngine
from voicelive_tui.audio.format import BLOCK_BYTES, silence


def test_the_last_voiced_chunk_is_loud_and_above_the_noise(clock):
    engine = AudioEngine()
    hear(engine, clock, tone(-70, 400))
    while engine.chunk():
        pass
    assert engine.last_voiced_at is None
    hear(engine, clock, tone(-25, 400))
    while chunk := engine.chunk():
        assert engine.last_voiced_at == pytest.approx(chunk.at + 0.04)
    spoken_until = engine.last_voiced_at
    hear(engine, clock, tone(-60, 400))
    while engine.chunk():
        pass
    assert engine.last_voiced_at == spoken_until == pytest.approx(1000.8)


def test_a_steady_hum_is_not_speech_for_long(clock):
    engine = AudioEngine()
    for _ in range(60):
        hear(engine, clock, tone(-35, 400))
        while engine.chunk():
            pass
    assert engine.last_voiced_at < clock.now - 5


def test_a_microphone_of_zeros_is_reported_unless_it_is_muted(clock):
    engine = AudioEngine()

    def listen(pcm: bytes, seconds: float) -> str:
        for _ in range(int(seconds / 0.4)):
            hear(engine, clock, (pcm * 20)[: 20 * BLOCK_BYTES])
            while engine.chunk():
                pass
        return engine.complaint()

    assert listen(tone(-60), 4) == ""
    assert listen(silence(480), 2) == ""
    assert "only zeros" in listen(silence(480), 2)
    assert listen(tone(-60), 0.4) == ""
    engine.muted = True
    assert listen(tone(-60), 8) == ""


def test_a_clipping_microphone_is_reported_for_a_while(clock):
    engine = AudioEngine()
    loud = np.clip(np.sin(np.arange(960) * 0.3) * 60000, -32768, 32767).astype("<i2").tobytes()
    hear(engine, clock, loud)
    engine.chunk()
    assert "clips" in engine.complaint()
    clock.now += 5
    assert engine.complaint() == ""
    hear(engine, clock, tone(-3.02, 40))  # a full-scale sine is loud, not clipped
    engine.chunk()
    assert engine.complaint() == ""


@pytest.mark.parametrize(
    ("gain", "echo", "is_monitor"), [(1.0, 0.0, True), (0.3, 0.0, True), (0.3, 0.3, False), (0.0, 0.0, False)]
)
def test_the_speaker_s_own_signal_as_the_microphone_is_reported(clock, gain, echo, is_monitor):
    engine = AudioEngine()
    noise = np.random.default_rng(1).integers(-8000, 8000, 144_000).astype("<i2").tobytes()
    engine.play("item_a", noise)
    engine.finish("item_a")
    heard = silence(480)
    before = np.zeros(480)
    for _ in range(260):
        played = play_block(engine, clock.now)
        hear(engine, clock, heard)
        sound = np.frombuffer(played, "<i2")
        room = np.random.default_rng(2).integers(-30, 30, sound.size)
        heard = np.rint(sound * gain + np.roll(before, 99) * echo + room).astype("<i2").tobytes()
        before = sound
        while engine.chunk():
            pass
    assert ("speaker's monitor" in engine.complaint()) is is_monitor
    hear(engine, clock, tone(-30, 400))
    while engine.chunk():
        pass
    assert is_monitor or engine.complaint() == ""
