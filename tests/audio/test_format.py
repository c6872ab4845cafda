from voicelive_tui.audio.format import BLOCK_SECONDS, duration_ms, ms_to_samples, samples_to_ms, silence


def test_durations_and_sample_counts_convert_into_each_other():
    assert samples_to_ms(480) == 20
    assert ms_to_samples(40) == 960
    assert duration_ms(silence(24_000)) == 1000
    assert BLOCK_SECONDS == 0.02
