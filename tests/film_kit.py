"""Films and sound files with tracks that begin late, have holes and hold what a test says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 16_000
FRAME = 1024

Piece = tuple[float, np.ndarray]  # begins at (seconds), samples (frames,) or (frames, channels) as float32


def film(path: Path, codec: str, *tracks: Sequence[Piece], picture: float = 0.0, rate: int = RATE) -> Path:
    """Sound tracks beside so many seconds of picture."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("mpeg4", rate=10) if picture else None
        sounds: list[Any] = [container.add_stream(codec, rate=rate, layout=_layout(track[0][1])) for track in tracks]
        if video is not None:
            _draw(container, video, round(picture * 10))
        for sound, track in zip(sounds, tracks, strict=True):
            for start, samples in track:
                for frame in frames(start, samples, rate):
                    container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def frames(start: float, samples: np.ndarray, rate: int = RATE) -> Iterator[Any]:
    """`samples` as frames with the time stamps of `start` seconds on."""
    whole = (samples * 32767).astype(np.int16).reshape(len(samples), -1)
    for at in range(0, len(whole), FRAME):
        packed = np.ascontiguousarray(whole[at : at + FRAME]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "s16", _layout(samples))
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(start * rate) + at
        yield frame


def _layout(samples: np.ndarray) -> str:
    return "mono" if samples.ndim == 1 else "stereo"


def _draw(container: Any, video: Any, images: int) -> None:
    video.width = video.height = 64
    for number in range(images):
        image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        image.pts = number
        container.mux(video.encode(image))
    container.mux(video.encode(None))
