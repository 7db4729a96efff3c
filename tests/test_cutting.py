"""Cutting at the quietest place, whatever the length, the rate and the place."""

from __future__ import annotations

import numpy as np
import pytest

from tests.speech_kit import tone
from webui.audio.cutting import pieces, quietest

RATE = 16_000


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 48_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_quietest_place_is_in_the_middle_of_the_pause(rate: int, dtype: type[np.floating]) -> None:
    samples = tone(3, rate).astype(dtype)
    samples[2 * rate : 2 * rate + rate // 10] = 0
    assert 2 * rate <= quietest(samples, rate) < 2 * rate + rate // 10


def test_each_piece_ends_in_the_pause_near_its_end() -> None:
    samples = tone(20, RATE)
    pauses = [4.5, 9.0, 13.0, 17.5]
    for pause in pauses:
        samples[round(pause * RATE) : round((pause + 0.1) * RATE)] = 0
    cut = list(pieces(samples, RATE, most=5, search=2))
    ends = np.cumsum([len(piece) for piece in cut])[:-1] / RATE
    assert np.abs(ends - (np.array(pauses) + 0.05)).max() <= 0.05
    assert np.array_equal(np.concatenate(cut), samples)


@pytest.mark.parametrize("seconds", [0.01, 4.99, 5.0])
def test_what_is_short_enough_stays_whole(seconds: float) -> None:
    samples = tone(seconds, RATE)
    assert [len(piece) for piece in pieces(samples, RATE, most=5, search=2)] == [len(samples)]


def test_nothing_has_no_pieces() -> None:
    assert list(pieces(np.zeros(0, np.float32), RATE, most=5, search=2)) == []


def test_steady_sound_is_cut_within_the_search() -> None:
    lengths = [len(piece) / RATE for piece in pieces(tone(30, RATE), RATE, most=5, search=2)]
    assert all(3 <= length <= 5 for length in lengths[:-1]) and lengths[-1] <= 5
