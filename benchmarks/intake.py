"""What taking in a long recording costs: CPU seconds and memory of this process and of the decoding child.

    python -m benchmarks.intake [--hours 1 10] [--format mp3]

Prints one JSON line per length. The recording is generated (44.1 kHz stereo) in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np

from webui.audio.intake import Decoder
from webui.audio.vad import SpeechDetector
from webui.audio.working_copy import WorkingCopyWriter
from webui.settings import Settings

RATE = 44_100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--format", default="mp3", choices=["mp3", "aac"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for hours in options.hours:
            path = Path(folder) / f"long.{options.format}"
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # its memory must not count
                pool.submit(write_recording, path, hours).result()
            print(json.dumps(measure(path, hours)), flush=True)


def measure(path: Path, hours: float) -> dict[str, Any]:
    """Decode, write the working copy and find speech, as a job does."""
    decoder = Decoder(Settings(max_audio_hours=24))
    decoder.probe(path, path.name)
    session = SpeechDetector().session()
    session.feed(np.zeros(16_000, np.int16))
    child = decoder._idle[0]._process.pid
    idle = (memory("self"), memory(str(child)))
    peaks = list(idle)
    began, cpu = time.monotonic(), own_cpu()
    with decoder.decode(path, path.name) as decoding, WorkingCopyWriter(path.with_suffix(".copy")) as copy:
        for number, block in enumerate(decoding):
            copy.write(block)
            session.feed(block)
            if number % 20 == 0:
                peaks = [max(peaks[0], memory("self")), max(peaks[1], memory(str(child)))]
        session.finish()
        seconds = copy.seconds
    wall, cpu = time.monotonic() - began, own_cpu() - cpu
    child_cpu = cpu_of(child)
    decoder.close()
    path.with_suffix(".copy").unlink()
    return {
        "benchmark": "intake",
        "format": path.suffix[1:],
        "hours": hours,
        "decoded_s": round(seconds),
        "wall_s": round(wall, 1),
        "cpu_s": {"decode": round(child_cpu, 1), "copy_and_vad": round(cpu, 1)},
        "rss_mb": {"parent_idle": idle[0], "parent_growth": peaks[0] - idle[0], "child_peak": peaks[1]},
    }


def write_recording(path: Path, hours: float) -> None:
    """A minute of speech-like noise bursts, encoded once and repeated: frames of MP3 and ADTS stand alone."""
    rng = np.random.default_rng(0)
    envelope = np.clip(np.sin(2 * np.pi * 3 * np.arange(60 * RATE) / RATE), 0, 1) * 0.3
    minute = (rng.standard_normal((60 * RATE, 2)) * envelope[:, None] * 8000).astype(np.int16).reshape(1, -1)
    codec, options = {"mp3": ("libmp3lame", {"write_xing": "0", "id3v2_version": "0"}), "aac": ("aac", {})}[
        path.suffix[1:]
    ]
    with av.open(str(path), "w", options=options) as container:
        stream: Any = container.add_stream(codec, rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(minute, "s16", "stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    encoded = path.read_bytes()
    with path.open("wb") as file:
        for _ in range(round(hours * 60)):
            file.write(encoded)


def memory(process: str) -> int:
    """Resident memory, MB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize() >> 20


def own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_of(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
