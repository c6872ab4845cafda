"""The sample format of the program, and its arithmetic. Imports nothing, so that anything may import it.

Inside the program sound is always PCM16: little-endian signed 16-bit samples, one channel, 24,000 samples a second,
carried as `bytes`. Other formats are converted where they enter or leave.
"""

SAMPLE_RATE = 24_000
"""Samples a second."""
SAMPLE_WIDTH = 2
"""Bytes a sample."""
BLOCK_SAMPLES = 480
"""Samples of one callback: 20 ms."""
BLOCK_BYTES = BLOCK_SAMPLES * SAMPLE_WIDTH
BLOCK_SECONDS = BLOCK_SAMPLES / SAMPLE_RATE
FLOOR_DBFS = -96.0
"""The level of digital silence, and the lowest that is reported."""


def samples_in(pcm: bytes | memoryview) -> int:
    """The number of whole samples in the bytes."""
    return len(pcm) // SAMPLE_WIDTH


def samples_to_ms(samples: float) -> float:
    """The duration of a number of samples, in milliseconds."""
    return samples * 1000 / SAMPLE_RATE


def ms_to_samples(ms: float) -> int:
    """The number of samples nearest to a duration in milliseconds."""
    return round(ms * SAMPLE_RATE / 1000)


def duration_ms(pcm: bytes | memoryview) -> float:
    """The duration of the bytes, in milliseconds."""
    return samples_to_ms(samples_in(pcm))


def silence(samples: int) -> bytes:
    """Digital silence of that many samples."""
    return bytes(samples * SAMPLE_WIDTH)
