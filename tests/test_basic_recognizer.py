"""English recognition with real pocketsphinx, on the sample recording and on words with pauses between them."""

from __future__ import annotations

import threading
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soxr

from benchmarks.make_samples import ENGLISH, FOLDER, word_error_rate
from webui.engines.base import EngineError, Recognition, RecognitionOptions, Waveform
from webui.engines.basic import models
from webui.engines.basic.recognizer import BasicRecognizer
from webui.settings import Settings


@pytest.fixture(scope="module")
def recognizer() -> BasicRecognizer:
    (model,) = [model for model in models(Settings()) if model.kind == "recognizer"]
    engine: BasicRecognizer = model.load("cpu")
    return engine


def read(path: Path) -> Waveform:
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32768)
        return Waveform(samples, file.getframerate())


@pytest.fixture(scope="module")
def sample() -> Waveform:
    return read(FOLDER / "sample_en.wav")


@pytest.fixture(scope="module")
def result(recognizer: BasicRecognizer, sample: Waveform) -> Recognition:
    return recognizer.recognize([sample], RecognitionOptions())[0]


@pytest.fixture(scope="module")
def short(sample: Waveform) -> Waveform:
    """The first sentence."""
    return Waveform(sample.samples[: int(2.6 * sample.rate)], sample.rate)


def test_the_sample_recording_is_recognised(result: Recognition) -> None:
    assert word_error_rate(ENGLISH, result.text) < 0.2
    assert result.text == result.text_raw == " ".join(word.text for word in result.words)
    assert result.language == "en"
    assert result.confidence is not None
    assert 0 < result.confidence <= 1


def test_word_times_are_in_order_and_over_sound(result: Recognition, sample: Waveform) -> None:
    for one, two in pairwise(result.words):
        assert 0 <= one.start < one.end <= two.start + 1e-6
    assert result.words[-1].end <= sample.seconds
    for word in result.words:
        part = sample.samples[int(word.start * sample.rate) : int(word.end * sample.rate)]
        assert np.abs(part).max() > 0.02, word


def test_words_lie_where_they_were_said(recognizer: BasicRecognizer, result: Recognition, sample: Waveform) -> None:
    """With a second of silence put into a pause, the words after it come a second later."""
    one, two = next((one, two) for one, two in pairwise(result.words) if two.start - one.end > 0.3)
    cut = int((one.end + two.start) / 2 * sample.rate)
    parted = [sample.samples[:cut], np.zeros(sample.rate, np.float32), sample.samples[cut:]]
    (later,) = recognizer.recognize([Waveform(np.concatenate(parted), sample.rate)], RecognitionOptions())
    assert later.words[-1].text == result.words[-1].text
    assert later.words[-1].start - result.words[-1].start == pytest.approx(1, abs=0.1)


def test_one_result_for_each_waveform(recognizer: BasicRecognizer, short: Waveform) -> None:
    silence = Waveform(np.zeros(16000, np.float32), 16000)
    nothing = Waveform(np.zeros(0, np.float32), 16000)
    results = recognizer.recognize([silence, short, nothing, short], RecognitionOptions("en"))
    assert len(results) == 4
    assert results[0].text == results[2].text == ""
    assert "london" in results[1].text
    assert results[1] == results[3]  # what came before changes nothing


def test_other_rates_are_resampled(recognizer: BasicRecognizer, short: Waveform) -> None:
    faster = Waveform(soxr.resample(short.samples, short.rate, 44100), 44100)
    (result,) = recognizer.recognize([faster], RecognitionOptions("en-GB"))
    assert "london" in result.text
    assert result.words[-1].end <= short.seconds


@pytest.mark.parametrize("language", ["zh", "de", "yue"])
def test_other_languages_need_a_model(recognizer: BasicRecognizer, short: Waveform, language: str) -> None:
    with pytest.raises(EngineError) as raised:
        recognizer.recognize([short], RecognitionOptions(language))
    assert raised.value.code == "MODEL_NEEDED"


def test_threads_may_share_one(recognizer: BasicRecognizer, short: Waveform) -> None:
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(recognizer.recognize([short], RecognitionOptions())[0].text))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 2
    assert texts[0] == texts[1] != ""


@pytest.mark.parametrize("name", ["sample_en", "sample_zh", "sample_prompt"])
def test_the_samples_are_small_mono_recordings(name: str) -> None:
    waveform = read(FOLDER / f"{name}.wav")
    assert waveform.rate == 16000
    assert 5 <= waveform.seconds <= 15
    assert sum(path.stat().st_size for path in FOLDER.glob("*.wav")) < 1_000_000
