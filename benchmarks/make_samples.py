"""Makes the sample recordings of the pages: all synthetic, spoken by espeak-ng.

The English sentences, the voice and the rate were chosen, among those tried, for the basic engine to recognise
them; `python -m benchmarks.make_samples` writes the files and prints its word error rate on them.
"""

from __future__ import annotations

import argparse
import json
import re
import wave
from pathlib import Path

import numpy as np
import soxr

from webui.audio.aigc_label.label import AigcLabel, write_metadata
from webui.engines.base import RecognitionOptions, RecognizerCapabilities, Samples, Waveform
from webui.engines.basic.espeak import Espeak
from webui.engines.basic.reading import Reader
from webui.engines.basic.recognizer import BasicRecognizer
from webui.text.sentences import split

RATE = 16_000
FOLDER = Path(__file__).resolve().parent.parent / "webui" / "pages" / "static" / "samples"
PAUSE_S = 0.45
LEVEL = 0.6  # of the loudest sample

ENGLISH = (
    "The president will travel to London. The government will increase the budget next year. "
    "The company reported strong sales in the third quarter. Thank you very much for your time."
)
MANDARIN = "各位同事，大家上午好。今天的会议有三个议题，请大家先看一下手里的材料。"
PROMPT = "今天天气很好，我们一起去公园散步，顺便拍几张照片吧。"


def speech(text: str, espeak: Espeak, variant: str, rate: int, pitch: int) -> Samples:
    """The text at RATE with a pause after each sentence, in a variant ("+f2") of espeak's voices."""
    reader = Reader(espeak)
    pieces: list[Samples] = []
    for sentence in split(text):
        for run in reader.read(sentence.text, sentence.language):
            spoken = espeak.speak(run.text, run.voice + variant, rate, pitch)
            pieces.append(soxr.resample(spoken.samples, spoken.rate, RATE))
        pieces.append(np.zeros(int(PAUSE_S * RATE), np.float32))
    samples = np.concatenate([np.zeros(RATE // 4, np.float32), *pieces])
    return (samples * (LEVEL / np.abs(samples).max())).astype(np.float32)


def write(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def word_error_rate(said: str, heard: str) -> float:
    """Levenshtein distance in words over the number of words said."""
    reference, words = (re.findall(r"[a-z']+", text.lower()) for text in (said, heard))
    row = list(range(len(words) + 1))
    for index, wanted in enumerate(reference, 1):
        above, row = row, [index]
        for place, word in enumerate(words, 1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (word != wanted)))
    return row[-1] / len(reference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    folder: Path = parser.parse_args().out
    espeak = Espeak()
    english = speech(ENGLISH, espeak, "+f2", rate=160, pitch=50)
    mandarin = speech(MANDARIN, espeak, "", rate=165, pitch=45)
    prompt = speech(PROMPT, espeak, "+f4", rate=175, pitch=60)
    espeak.close()
    for name, samples in (("en", english), ("zh", mandarin), ("prompt", prompt)):
        path = folder / f"sample_{name}.wav"
        write(path, samples)
        write_metadata(path, AigcLabel("", f"shengfang-sample-{name}"))  # inputs for trying: no audible label
    (folder / "sample_prompt.txt").write_text(PROMPT + "\n", encoding="utf-8")
    recognizer = BasicRecognizer(RecognizerCapabilities())
    (heard,) = recognizer.recognize([Waveform(english, RATE)], RecognitionOptions())
    seconds = {
        name: round(len(made) / RATE, 1) for name, made in (("en", english), ("zh", mandarin), ("prompt", prompt))
    }
    print(json.dumps({"seconds": seconds, "wer": round(word_error_rate(ENGLISH, heard.text), 3), "heard": heard.text}))


if __name__ == "__main__":
    main()
