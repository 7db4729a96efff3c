"""How fast speech is found: times real time on one thread, fed second by second.

    python -m benchmarks.vad [--minutes 10] [--audio FILE.wav]

Prints one JSON line. Without --audio the recording is generated (noise bursts).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import soundfile

from webui.audio.resampling import resample
from webui.audio.vad import RATE, SpeechDetector


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--audio", type=Path)
    options = parser.parse_args()
    samples = np.resize(recording(options.audio), int(options.minutes * 60 * RATE))
    session = SpeechDetector().session()
    session.feed(samples[:RATE])
    began, cpu = time.monotonic(), time.process_time()
    spans = 0
    for at in range(0, len(samples), RATE):
        spans += len(session.feed(samples[at : at + RATE]))
    spans += len(session.finish())
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    seconds = len(samples) / RATE
    result = {"benchmark": "vad", "audio_s": seconds, "spans": spans, "wall_s": round(wall, 2)}
    print(json.dumps(result | {"cpu_s": round(cpu, 2), "times_real_time": round(seconds / cpu)}))


def recording(path: Path | None) -> np.ndarray:
    """float32 mono at 16 kHz."""
    if path is None:
        bursts = np.clip(np.sin(2 * np.pi * 3 * np.arange(60 * RATE) / RATE), 0, 1)
        return (np.random.default_rng(0).standard_normal(60 * RATE) * bursts * 0.1).astype(np.float32)
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(samples.mean(axis=1), rate, RATE)


if __name__ == "__main__":
    main()
