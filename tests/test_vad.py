"""Where somebody speaks: the model's numbers, the state machine, and hand-made labels."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.speech_kit import speech
from webui.audio.vad import FRAME, RATE, Span, SpeechDetector, SpeechOptions, SpeechProbabilities, SpeechSplitter

STEP = FRAME / RATE


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    return SpeechDetector()


def spans_of(detector: SpeechDetector, samples: np.ndarray, block: int) -> list[Span]:
    session = detector.session()
    found = [span for at in range(0, len(samples), block) for span in session.feed(samples[at : at + block])]
    return found + session.finish()


def split(probabilities: list[float], **options: float) -> list[Span]:
    splitter = SpeechSplitter(SpeechOptions(**options))
    return splitter.feed(np.array(probabilities, np.float32)) + splitter.finish(len(probabilities) * STEP)


def test_block_size_and_sample_type_do_not_change_the_result(detector: SpeechDetector) -> None:
    pause = np.zeros(2 * RATE, np.float32)
    samples = np.concatenate([pause, speech(3, RATE), pause, speech(2, RATE, 3), pause[:333]])
    whole = spans_of(detector, samples, len(samples))
    assert [(span.start, span.end) for span in whole] == [
        pytest.approx((1.9, 5.1), abs=0.2),
        pytest.approx((6.9, 9), abs=0.2),
    ]
    assert spans_of(detector, samples, 700) == whole
    assert spans_of(detector, (samples * 32768).astype(np.int16)[:, None], 16_000) == whole


def test_sessions_in_threads_do_not_disturb_each_other(detector: SpeechDetector) -> None:
    inputs = [np.concatenate([np.zeros(RATE * n, np.float32), speech(2, RATE, n)]) for n in range(1, 4)]
    expected = [spans_of(detector, samples, 4000) for samples in inputs]
    found: dict[int, list[Span]] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: spans_of(detector, inputs[n], 4000)})) for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(3)] == expected


def test_silence_and_noise_have_no_speech(detector: SpeechDetector) -> None:
    noise = 0.05 * np.random.default_rng(1).standard_normal(5 * RATE).astype(np.float32)
    assert spans_of(detector, np.zeros(5 * RATE, np.float32), 8000) == []
    assert spans_of(detector, noise, 8000) == []


def test_an_empty_recording_is_no_speech(detector: SpeechDetector) -> None:
    assert detector.session().finish() == []


def test_a_short_pause_is_bridged_and_a_long_one_ends_the_segment() -> None:
    assert len(split([0.9] * 20 + [0.1] * 8 + [0.9] * 20)) == 1
    assert len(split([0.9] * 20 + [0.1] * 20 + [0.9] * 20)) == 2


def test_probabilities_between_the_thresholds_neither_start_nor_end_speech() -> None:
    assert split([0.4] * 50) == []
    assert split([0.9] * 10 + [0.4] * 50) == [Span(0.0, pytest.approx(60 * STEP))]


def test_bursts_are_dropped_and_padding_is_kept_inside_the_recording() -> None:
    assert split([0.0] * 30 + [0.9] * 3 + [0.0] * 30) == []
    (span,) = split([0.0] * 30 + [0.9] * 30 + [0.0] * 30, padding=0.2)
    assert (span.start, span.end) == (pytest.approx(30 * STEP - 0.2), pytest.approx(60 * STEP + 0.2))
    assert split([0.9] * 30, padding=0.2) == [Span(0.0, pytest.approx(30 * STEP))]


def test_long_speech_is_cut_at_the_least_likely_place_without_a_gap() -> None:
    probabilities = [0.9] * 1000
    probabilities[500:506] = [0.45] * 6  # 16.1 s: never below the release threshold
    spans = split(probabilities, max_segment=20.0)
    assert spans[0].end == pytest.approx(503 * STEP, abs=3 * STEP)
    assert all(before.end == after.start for before, after in itertools.pairwise(spans))
    assert max(span.end - span.start for span in spans) <= 20
    assert spans[-1].end == pytest.approx(1000 * STEP)


def test_a_short_rest_after_a_cut_is_kept() -> None:
    most = int((20.0 - 0.2) / STEP)
    probabilities = [0.9] * most
    probabilities[most - 10 : most - 5] = [0.4] * 5
    spans = split(probabilities + [0.9] * 2 + [0.0] * 30)
    assert len(spans) == 2


def test_options_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="threshold"):
        SpeechOptions(threshold=0.3, release=0.5)
    with pytest.raises(ValueError, match="padding"):
        SpeechOptions(min_silence=0.1, padding=0.1)


def test_torch_is_neither_loaded_nor_slowed_down() -> None:
    code = (
        "import sys\nimport numpy as np\nfrom webui.audio.vad import SpeechDetector\n"
        "session = SpeechDetector().session(); session.feed(np.zeros(16000, np.int16)); session.finish()\n"
        "assert 'torch' not in sys.modules and 'silero_vad' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


def test_probabilities_equal_those_of_the_stock_model(tmp_path: Path) -> None:
    """In a process of its own: the stock package changes torch's threads."""
    samples = speech(20.3, RATE)
    np.save(tmp_path / "in.npy", samples)
    code = (
        "import sys, numpy as np\nfrom silero_vad import load_silero_vad\n"
        "model = load_silero_vad(sequence=True)\n"
        "np.save(sys.argv[2], model.audio_forward(np.load(sys.argv[1])))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "in.npy", tmp_path / "out.npy"], check=True)
    stock = np.load(tmp_path / "out.npy")
    own = SpeechProbabilities(SpeechDetector()._model)
    blocks = [own.feed(samples[at : at + 5000]) for at in range(0, len(samples), 5000)]
    assert np.abs(np.concatenate([*blocks, own.finish()]) - stock).max() < 1e-5


def labels(path: Path) -> list[tuple[float, float, bool]]:
    fields = path.read_text().strip().split(",")[1:]
    return [(float(a), float(b), c == "1") for a, b, c in zip(fields[::3], fields[1::3], fields[2::3], strict=True)]


def at_steps(spans: list[tuple[float, float]], steps: int) -> np.ndarray:
    times = (np.arange(steps) + 0.5) * 0.01
    return np.any([(times >= start) & (times < end) for start, end in [*spans, (-1, -1)]], axis=0)


def score(detector: SpeechDetector, folder: Path) -> tuple[float, float]:
    """F1 and recall over the clips with hand-made labels, compared each 10 ms."""
    hits = false_alarms = misses = 0
    for truth in (path for path in folder.glob("*.scv") if path.with_suffix(".wav").exists()):
        samples, rate = soundfile.read(truth.with_suffix(".wav"), dtype="int16")
        assert rate == RATE
        marked = labels(truth)
        steps = int(marked[-1][1] * 100)
        expected = at_steps([(start, end) for start, end, speech in marked if speech], steps)
        found = at_steps([(span.start, span.end) for span in spans_of(detector, samples, 16_000)], steps)
        hits += int((expected & found).sum())
        false_alarms += int((~expected & found).sum())
        misses += int((expected & ~found).sum())
    return 2 * hits / (2 * hits + false_alarms + misses), hits / (hits + misses)


def test_speech_is_found_where_people_labelled_it(detector: SpeechDetector, shared: Path) -> None:
    """By default pauses under half a second stay in, since a lost word is worse; fine settings follow the labels."""
    f1, recall = score(detector, shared / "eval" / "vadset")
    assert f1 > 0.88
    assert recall > 0.985
    fine, _recall = score(SpeechDetector(SpeechOptions(min_silence=0.1, padding=0.03)), shared / "eval" / "vadset")
    assert fine > 0.915
