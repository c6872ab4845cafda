"""FLAC in place of WAV, by soundfile of the extra `record`: the same samples in a fraction of the bytes."""

import logging
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, cast

from voicelive_tui.audio.format import SAMPLE_RATE, SAMPLE_WIDTH
from voicelive_tui.recording.files import HEADER_BYTES, open_new

log = logging.getLogger(__name__)


def missing() -> str:
    """What to do before FLAC can be used; empty where it can."""
    return "" if find_spec("soundfile") else "FLAC needs soundfile: pip install 'voicelive-tui[record]'"


def compress(wave: Path) -> None:
    """Replace a WAV file by a FLAC file beside it; where that fails, the WAV file stays."""
    import soundfile  # noqa: PLC0415 - of an extra

    fresh, target = wave.with_suffix(".new"), wave.with_suffix(".flac")
    try:
        with (
            open_new(fresh) as file,
            soundfile.SoundFile(wave) as source,
            soundfile.SoundFile(file, "w", source.samplerate, source.channels, "PCM_16", format="FLAC") as sink,
        ):
            for block in source.blocks(SAMPLE_RATE, dtype="int16"):
                sink.write(block)
        fresh.rename(target)
        wave.unlink()
    except (OSError, RuntimeError) as error:
        log.warning("%s stays a WAV file: %s", wave, error)
        fresh.unlink(missing_ok=True)


def as_wave(file: BinaryIO, channels: int, limit: int) -> BinaryIO:
    """The samples of a FLAC file, in a temporary file behind room for the header of a WAV file.

    Raises `ValueError` for another number of channels or more bytes than the limit, `RuntimeError` if it is damaged.
    """
    import soundfile  # noqa: PLC0415 - of an extra

    with soundfile.SoundFile(file) as source:
        if source.channels != channels:
            raise ValueError(f"{source.channels} channels in place of {channels}")
        if source.frames * channels * SAMPLE_WIDTH > limit:
            raise ValueError(f"more than {limit:,} bytes of sound")
        with tempfile.TemporaryFile() as found:
            found.seek(HEADER_BYTES)
            for block in source.blocks(SAMPLE_RATE, dtype="int16"):
                found.write(block.astype("<i2").tobytes())
            found.flush()
            return cast("BinaryIO", os.fdopen(os.dup(found.fileno()), "rb"))
