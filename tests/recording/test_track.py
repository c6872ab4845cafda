"""Placing blocks on a sample clock: contiguous sound, gaps, drift."""

from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio.format import SAMPLE_RATE
from voicelive_tui.recording.track import Track

BLOCK, AVERAGE = 480, 0.5


@given(st.lists(st.floats(-0.03, 0.03), min_size=1, max_size=200))
def test_jitter_never_tears_sound_apart(jitter: list[float]) -> None:
    track = Track(5.0, AVERAGE)
    places = [track.place(6.0 + number * BLOCK / SAMPLE_RATE + late, BLOCK) for number, late in enumerate(jitter)]
    assert places == [places[0] + number * BLOCK for number in range(len(jitter))]


def test_a_gap_moves_the_position_forward() -> None:
    track = Track(0.0, AVERAGE)
    assert track.place(1.0, BLOCK) == SAMPLE_RATE
    assert track.place(3.0, BLOCK) == 3 * SAMPLE_RATE
    assert track.place(3.02, BLOCK) == 3 * SAMPLE_RATE + BLOCK


def test_a_slow_device_drifts_and_the_clock_map_says_how_far() -> None:
    track = Track(0.0, AVERAGE)
    seconds, ppm = 600, 200
    for number in range(seconds * 50):
        at = number * 0.02 * (1 + ppm / 1e6)
        place = track.place(at, BLOCK)
        assert place == number * BLOCK
        assert abs(track.position(at) - place) <= 0.001 * SAMPLE_RATE
    drift = at * SAMPLE_RATE - place
    assert abs(drift - seconds * ppm / 1e6 * SAMPLE_RATE) < 10
