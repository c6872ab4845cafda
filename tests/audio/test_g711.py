"""The tables of G.711, against values from the recommendation."""

import numpy as np
import pytest

from voicelive_tui.audio.g711 import ALAW, ULAW


@pytest.mark.parametrize(
    ("table", "code", "value"),
    [
        (ULAW, 0xFF, 0), (ULAW, 0x7F, 0), (ULAW, 0x80, 32124), (ULAW, 0x00, -32124), (ULAW, 0xFE, 8),
        (ALAW, 0xD5, 8), (ALAW, 0x55, -8), (ALAW, 0xAA, 32256), (ALAW, 0x2A, -32256),
    ],
)  # fmt: skip
def test_codes_have_the_values_of_the_recommendation(table: np.ndarray, code: int, value: int) -> None:
    assert table[code] == value


@pytest.mark.parametrize("table", [ULAW, ALAW])
def test_a_table_is_symmetric_about_zero(table: np.ndarray) -> None:
    assert sorted(table.tolist()) == sorted((-table).tolist())
