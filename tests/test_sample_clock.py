"""A recording's time is its container's: late sound and holes in it, and what is no hole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.film_kit import RATE, film, frames
from tests.speech_kit import tone
from webui.audio import sample_clock
from webui.audio.intake import Decoder
from webui.settings import Settings


@pytest.fixture
def decoder(settings: Settings) -> Iterator[Decoder]:
    decoder = Decoder(settings)
    yield decoder
    decoder.close()


def recording(
    path: Path, codec: str, pieces: list[tuple[float, float]], *, picture: float = 0.0, rate: int = RATE
) -> Path:
    """A tone in `pieces` (from, to in seconds of the clock)."""
    return film(path, codec, [(start, tone(end - start, rate)) for start, end in pieces], picture=picture, rate=rate)


def decoded(decoder: Decoder, path: Path, **options: Any) -> tuple[np.ndarray, list[str]]:
    with decoder.decode(path, path.name, on_the_clock=True, **options) as decoding:
        blocks = list(decoding)
    return np.concatenate(blocks), [warning.code for warning in decoding.warnings]


def sounding(samples: np.ndarray) -> list[tuple[float, float]]:
    """From and to in seconds, of what is louder than silence for longer than 0.1 s apart."""
    loud = np.flatnonzero(np.abs(samples[:, 0].astype(int)) > 1000) / RATE
    breaks = np.flatnonzero(np.diff(loud) > 0.1)
    return [(float(part[0]), float(part[-1])) for part in np.split(loud, breaks + 1)]


def about(*spans: tuple[float, float]) -> list[Any]:
    return [pytest.approx(span, abs=0.1) for span in spans]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "pcm_s16le"), ("a.mkv", "aac"), ("a.mp4", "aac"), ("a.ts", "aac"), ("a.ts", "mp2")]
)
@pytest.mark.parametrize("late", [5.0, 12.0])
def test_sound_that_begins_late_in_a_film_has_the_time_of_the_film(
    decoder: Decoder, tmp_path: Path, name: str, codec: str, late: float
) -> None:
    path = recording(tmp_path / name, codec, [(late, late + 3)], picture=late + 3)
    samples, warnings = decoded(decoder, path)
    assert sounding(samples) == about((late, late + 3))
    assert warnings == []


@pytest.mark.parametrize(
    ("name", "codec", "rate"), [("a.mka", "pcm_s16le", RATE), ("a.mka", "pcm_u8", RATE), ("a.ts", "mp2", RATE)]
)
def test_a_hole_between_packets_is_as_long_as_its_time_stamps_say(
    decoder: Decoder, tmp_path: Path, name: str, codec: str, rate: int
) -> None:
    path = recording(tmp_path / name, codec, [(0, 2), (5, 7)], rate=rate)
    samples, warnings = decoded(decoder, path)
    assert sounding(samples) == about((0, 2), (5, 7))
    assert np.abs(samples[3 * RATE : 4 * RATE]).max() < 300
    assert warnings == []


def test_every_channel_of_a_call_keeps_the_clock(decoder: Decoder, tmp_path: Path) -> None:
    samples, _ = decoded(decoder, recording(tmp_path / "a.mka", "pcm_s16le", [(0, 1), (3, 4)]), channels="split")
    assert sounding(samples) == about((0, 1), (3, 4))


@pytest.mark.parametrize(("name", "codec", "rate"), [("a.webm", "libopus", 48_000), ("a.m4a", "aac", 44_100)])
def test_a_codec_s_delay_is_no_silence(decoder: Decoder, tmp_path: Path, name: str, codec: str, rate: int) -> None:
    path = recording(tmp_path / name, codec, [(0, 3)], rate=rate)
    with decoder.decode(path, name) as plain:
        expected = np.concatenate(list(plain))
    assert np.array_equal(decoded(decoder, path)[0], expected)


def test_time_stamps_that_waver_are_no_holes(decoder: Decoder, tmp_path: Path) -> None:
    path = tmp_path / "a.mka"
    with av.open(str(path), "w") as container:
        sound: Any = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number, frame in enumerate(frames(0, tone(4, RATE))):
            for packet in sound.encode(frame):
                packet.pts = packet.dts = packet.pts + (0, 400, 600, 100)[number % 4]
                container.mux(packet)
    samples, _ = decoded(decoder, path)
    assert len(samples) == 4 * RATE


def test_many_small_losses_add_up_to_the_time_that_passed(decoder: Decoder, tmp_path: Path) -> None:
    """A packet of 20 ms is lost every 0.2 s, as on a bad line."""
    pieces = [(n * 0.2, n * 0.2 + 0.18) for n in range(100)]
    samples, _ = decoded(decoder, recording(tmp_path / "a.mka", "pcm_s16le", pieces))
    assert len(samples) / RATE == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("second", [sample_clock.MOST_SECONDS + 10, 10 * 3600.0])
def test_a_hostile_hole_makes_no_hours_of_silence(decoder: Decoder, tmp_path: Path, second: float) -> None:
    path = recording(tmp_path / "a.mka", "pcm_s16le", [(0, 1), (second, second + 1)])
    assert len(decoded(decoder, path)[0]) / RATE == pytest.approx(2, abs=0.1)


def test_all_holes_together_are_bounded_too(decoder: Decoder, tmp_path: Path) -> None:
    path = recording(tmp_path / "a.mka", "pcm_s16le", [(n * 1500.0, n * 1500.0 + 1) for n in range(6)])
    assert len(decoded(decoder, path)[0]) / RATE < sample_clock.MOST_SECONDS_IN_ALL + 10


def test_a_transport_stream_that_jumps_to_another_clock_goes_straight_on(decoder: Decoder, tmp_path: Path) -> None:
    path = recording(tmp_path / "a.ts", "mp2", [(0, 2), (700, 702)])
    assert len(decoded(decoder, path)[0]) / RATE == pytest.approx(4, abs=0.2)


def test_recordings_put_one_behind_the_other_follow_each_other(decoder: Decoder, tmp_path: Path) -> None:
    first = recording(tmp_path / "a.ogg", "libopus", [(0, 2)], rate=48_000).read_bytes()
    (tmp_path / "b.ogg").write_bytes(first + first)
    assert len(decoded(decoder, tmp_path / "b.ogg")[0]) / RATE == pytest.approx(4, abs=0.1)
