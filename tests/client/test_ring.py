"""The last seconds of captured sound."""

from hypothesis import given
from hypothesis import strategies as st

from voicelive_tui.audio.engine import Chunk
from voicelive_tui.audio.format import ms_to_samples, silence
from voicelive_tui.audio.pcm import SILENCE
from voicelive_tui.client.ring import RING_SECONDS, Ring

CHUNK_SECONDS = 0.1


def filled(seconds: float) -> Ring:
    """A ring after that much sound, captured from 0.0 on."""
    ring = Ring(RING_SECONDS)
    for number in range(round(seconds / CHUNK_SECONDS)):
        ring.add(Chunk(silence(ms_to_samples(CHUNK_SECONDS * 1000)), number * CHUNK_SECONDS, SILENCE, gated=False))
    return ring


@given(st.integers(0, 20))
def test_every_chunk_that_ends_after_the_moment_is_returned_in_order(number: int) -> None:
    since = (number + 0.5) * CHUNK_SECONDS  # in the middle of a chunk
    assert [chunk.at for chunk in filled(2.0).since(since)] == [each * CHUNK_SECONDS for each in range(number, 20)]


def test_the_oldest_sound_is_pushed_out_and_counted_as_missing() -> None:
    ring = filled(RING_SECONDS + 2.0)
    assert len(ring.since(0.0)) == RING_SECONDS / CHUNK_SECONDS
    assert round(ring.missing_ms(0.0)) == 2000
    assert round(ring.missing_ms(1.5)) == 500
    assert ring.missing_ms(2.5) == 0.0


def test_a_cleared_ring_holds_and_misses_nothing() -> None:
    ring = filled(RING_SECONDS + 1.0)
    ring.clear()
    assert ring.since(0.0) == []
    assert ring.missing_ms(0.0) == 0.0
