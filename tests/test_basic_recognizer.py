"""English recognition with real pocketsphinx, on the sample recording and on words with pauses between them."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
import wave
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soxr
from pocketsphinx import Decoder

from benchmarks.make_samples import ENGLISH, FOLDER, word_error_rate
from webui.engines.base import EngineError, Recognition, RecognitionOptions, Waveform
from webui.engines.basic import models
from webui.engines.basic.pocketsphinx import Pocketsphinx
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


@pytest.fixture
def pocketsphinx() -> Iterator[Pocketsphinx]:
    recognizer = Pocketsphinx()
    yield recognizer
    recognizer.close()


def pcm(waveform: Waveform) -> bytes:
    return (np.clip(waveform.samples, -1, 1) * 32767).astype("<i2").tobytes()


def worker_id(pocketsphinx: Pocketsphinx) -> int:
    assert pocketsphinx._worker is not None
    return pocketsphinx._worker.process.pid


def test_the_worker_finds_what_the_library_finds_here(pocketsphinx: Pocketsphinx, short: Waveform) -> None:
    decoder = Decoder(samprate=16000.0, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(pcm(short), full_utt=True)
    decoder.end_utt()
    wanted = [(one.word, one.start_frame, one.end_frame, one.prob) for one in decoder.seg()]
    assert [tuple(one) for one in pocketsphinx.words(pcm(short))] == wanted != []


def test_nobody_else_waits_while_a_segment_is_recognised(pocketsphinx: Pocketsphinx, sample: Waveform) -> None:
    """The library holds the interpreter's lock for seconds."""
    thread = threading.Thread(target=pocketsphinx.words, args=(pcm(sample),))
    thread.start()
    waits = []
    while thread.is_alive():
        before = time.perf_counter()
        time.sleep(0.005)
        waits.append(time.perf_counter() - before)
    assert len(waits) > 20 and max(waits) < 0.5


def test_a_killed_worker_is_started_again(pocketsphinx: Pocketsphinx, short: Waveform) -> None:
    before, first = pocketsphinx.words(pcm(short)), worker_id(pocketsphinx)
    os.kill(first, signal.SIGKILL)
    assert pocketsphinx.words(pcm(short)) == before and worker_id(pocketsphinx) != first


def test_a_worker_that_hangs_is_ended(
    pocketsphinx: Pocketsphinx, short: Waveform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webui.engines.basic.pocketsphinx.TIME_LIMIT_S", 1)
    monkeypatch.setattr("webui.engines.basic.pocketsphinx._PER_SECOND", 3)
    first = worker_id(pocketsphinx)
    os.kill(first, signal.SIGSTOP)
    assert pocketsphinx.words(pcm(short)) and worker_id(pocketsphinx) != first


def test_closing_ends_the_process_even_at_work(pocketsphinx: Pocketsphinx, sample: Waveform) -> None:
    failures: list[str] = []

    def work() -> None:
        try:
            pocketsphinx.words(pcm(sample) * 20)
        except EngineError as error:
            failures.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.5)
    process = pocketsphinx._worker.process  # type: ignore[union-attr]
    began = time.monotonic()
    pocketsphinx.close()
    thread.join()
    assert failures == ["ENGINE_FAILED"] and process.poll() is not None and time.monotonic() - began < 5


def test_the_worker_writes_no_file_and_has_no_network(pocketsphinx: Pocketsphinx) -> None:
    here, there = (Path(f"/proc/{pid}") for pid in ("self", worker_id(pocketsphinx)))
    assert "NoNewPrivs:\t1" in (there / "status").read_text()
    assert re.search(r"Max file size +0 +0", (there / "limits").read_text())
    if os.geteuid() == 0:
        assert (here / "ns" / "net").readlink() != (there / "ns" / "net").readlink()
