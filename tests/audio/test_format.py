from voicelive_tui.audio.format import (
    BLOCK_SECONDS,
    FLOOR_DBFS,
    duration_ms,
    ms_to_samples,
    samples_to_ms,
    silence,
)
from voicelive_tui.session.reading import SILENCE_DBFS
from voicelive_tui.wire.events import BYTES_PER_MS


def test_durations_and_sample_counts_convert_into_each_other():
    assert samples_to_ms(480) == 20
    assert ms_to_samples(40) == 960
    assert duration_ms(silence(24_000)) == 1000
    assert BLOCK_SECONDS == 0.02


def test_the_session_which_may_not_import_audio_has_the_same_format():
    assert len(silence(ms_to_samples(1))) == BYTES_PER_MS
    assert FLOOR_DBFS == SILENCE_DBFS
