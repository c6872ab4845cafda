"""G.711: the linear value of each 8-bit code, as arrays of 256 int16 values."""

import numpy as np
import numpy.typing as npt


def _ulaw() -> npt.NDArray[np.int16]:
    """Mu-law (ITU-T G.711, table 2)."""
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw() -> npt.NDArray[np.int16]:
    """A-law (ITU-T G.711, table 1)."""
    code = np.arange(256) ^ 0x55
    exponent = (code & 0x70) >> 4
    mantissa = ((code & 0x0F) << 4) + 8
    magnitude = np.where(exponent == 0, mantissa, mantissa + 0x100 << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


ULAW, ALAW = _ulaw(), _alaw()
