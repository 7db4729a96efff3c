"""How often a prompt of one voice, and of two, is said to hold two: `python -m benchmarks.two_voices EVAL_FOLDER`.

EVAL_FOLDER holds `speech/` and `voiceprompts/` with recordings of one person each, and of conversations. Prompts are
these recordings and cuts of 4 to 20 s; those of two voices: one person's speech, followed or interrupted by another's.
"""

from __future__ import annotations

import re
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

from webui.audio.loudness import speech_level
from webui.audio.pitch import track_pitch
from webui.audio.prompts import MOST_SECONDS, judge
from webui.audio.resampling import resample
from webui.audio.samples import Samples

RATE = 16_000
SPEECH = ("en_speakers", "zh_speakers", "en", "zh", "yue", "ru")
# Repeated in another format or cut from another one; whispered; not known to be one person.
LEFT_OUT = re.compile(r"jfk\.(mp3|flac)|basic_ref|example_zh|MEETING|hello_en|\.tar|\.sph")
SAME_SPEAKER = re.compile(r"Resemblyzer__(\d+)-|Pytorch__([ab])_|speechbrain__(spk\d)_|__(sense)_and")
CONVERSATIONS = ("X2zqiX6yL3I.mp3", "tst00.wav", "IB4002.Mix-Headset-clip.wav", "dev00.wav")
LENGTHS = (4, 5, 7, 10, 14, 20)  # seconds
PAIRS = 300


def main(folder: Path) -> None:
    random = np.random.default_rng(1)
    voices = recordings(folder)
    usual = {name: pitch_of(samples) for name, samples in voices.items()}
    alone = [found(piece) for samples in voices.values() for piece in pieces(samples, random)]
    print(f"one voice: {sum(alone)} of {len(alone)} prompts of {len(voices)} people ({np.mean(alone):.1%})")
    told = defaultdict(list)
    while sum(map(len, told.values())) < PAIRS:
        one, other = random.choice(sorted(voices), 2, replace=False)
        parts = [cut(voices[name], random.uniform(2.5, 10), random) for name in (one, other)]
        if all(map(len, parts)):
            octaves = abs(np.log2(usual[one] / usual[other]))
            apart = "over 0.5" if octaves > 0.5 else "0.3 to 0.5" if octaves > 0.3 else "below 0.3"
            told[apart].append(found(mixed(*parts, interrupted=random.random() < 0.3)))
    for apart, results in sorted(told.items()):
        print(f"two voices {apart} octaves apart: {np.mean(results):.0%} of {len(results)}")
    for name in CONVERSATIONS:
        (path,) = (folder / "speech" / "multispk").glob(f"*{name}")
        samples = read(path)
        parts = [samples[at : at + 12 * RATE] for at in range(0, len(samples) - 12 * RATE + 1, 4 * RATE)]
        print(f"conversation {name}, 12 s of it: {np.mean([found(part) for part in parts]):.0%} of {len(parts)}")
    began, ten = time.process_time(), np.resize(voices["1688"], 10 * RATE)
    track_pitch(ten.astype(np.float64), RATE, RATE // 100)
    print(f"pitch of 10 s: {time.process_time() - began:.3f} CPU seconds")


def recordings(folder: Path) -> dict[str, Samples]:
    """Speaker → all of their speech, at one level."""
    voices: dict[str, Samples] = {}
    folders = [folder / "voiceprompts", *(folder / "speech" / name for name in SPEECH)]
    for path in sorted(path for one in folders for path in one.iterdir()):
        if not LEFT_OUT.search(path.name):
            same = SAME_SPEAKER.search(path.name)
            name = next(filter(None, same.groups())) if same else path.name
            voices[name] = np.concatenate([voices.get(name, np.zeros(0, np.float32)), read(path)])
    return voices


def read(path: Path) -> Samples:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = resample(samples.mean(axis=1), rate, RATE)
    return mono * np.float32(0.1 / (speech_level(mono, RATE) or 1))


def pitch_of(samples: Samples) -> float:
    pitch = track_pitch(samples.astype(np.float64), RATE, RATE // 100)
    return float(np.median(pitch[pitch > 0]))


def pieces(samples: Samples, random: np.random.Generator) -> list[Samples]:
    """The whole, if it is a prompt, and for each length two cuts for each time that it fits, at most five."""
    whole = [samples] if LENGTHS[0] * RATE <= len(samples) <= MOST_SECONDS * RATE else []
    counts = {length: min(5, 2 * (len(samples) // (length * RATE))) for length in LENGTHS}
    return whole + [cut(samples, length, random) for length, count in counts.items() for _ in range(count)]


def cut(samples: Samples, seconds: float, random: np.random.Generator) -> Samples:
    """So much from anywhere; nothing where there is less."""
    spare = len(samples) - round(seconds * RATE)
    start = random.integers(0, spare + 1) if spare >= 0 else len(samples)
    return samples[start : start + round(seconds * RATE)]


def mixed(one: Samples, other: Samples, interrupted: bool) -> Samples:
    middle = len(one) // 2 if interrupted else len(one)
    return np.concatenate([one[:middle], other, one[middle:]])


def found(samples: Samples) -> bool:
    """Whether the prompt is warned of; what is refused for other reasons is not."""
    return any(finding.code == "PROMPT_VOICES" for finding in judge(samples, RATE).findings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
