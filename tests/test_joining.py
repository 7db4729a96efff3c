"""Sentences joined: equal loudness, pauses by punctuation, no clicks, and where each one is heard."""

from __future__ import annotations

import numpy as np
import pytest

from webui.audio.joining import EDGE_SECONDS, TARGET_LEVEL, Joiner, pause_after
from webui.audio.loudness import LoudnessMeter, speech_level

RATE = 24_000


def speech(seconds: float, level: float, silence: float = 0.0, pitch: float = 150) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    voice = np.sin(2 * np.pi * pitch * time) + 0.5 * np.sin(2 * np.pi * 3 * pitch * time)
    quiet = np.zeros(int(silence * RATE))
    return np.concatenate([quiet, level * voice, quiet]).astype(np.float32)


def joined(*sentences: tuple[np.ndarray, str]) -> tuple[np.ndarray, list[tuple[float, float]]]:
    joiner = Joiner(RATE)
    pieces = [joiner.add(samples, text) for samples, text in sentences]
    return np.concatenate([*pieces, joiner.finish()]), joiner.spans


def part(samples: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return samples[round(span[0] * RATE) : round(span[1] * RATE)]


def test_sentences_become_equally_loud() -> None:
    samples, spans = joined((speech(2, 0.05), "一。"), (speech(1, 0.4), "二。"), (speech(3, 0.1), "三。"))
    levels = [speech_level(part(samples, span), RATE) for span in spans]
    assert levels == pytest.approx([TARGET_LEVEL] * 3, rel=0.03)


def test_a_whisper_is_not_blown_up_and_peaks_stay_below_full_scale() -> None:
    samples, _ = joined((speech(1, 0.002), "轻。"))
    assert np.abs(samples).max() < 0.02
    click = speech(2, 0.01)
    click[10_000] = 0.9
    samples, _ = joined((click, "响。"))
    assert np.abs(samples).max() <= 0.951


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("好。", 0.45),
        ("Really?”", 0.45),
        ("然后，", 0.22),
        ("a、", 0.15),
        ("wait...", 0.6),
        ("如下：", 0.35),
        ("段\n", 0.8),
        ("没完", 0),
    ],
)
def test_the_pause_follows_the_punctuation(text: str, seconds: float) -> None:
    assert pause_after(text) == seconds
    _, spans = joined((speech(1, 0.1), text), (speech(1, 0.1), "。"))
    gap = spans[1][0] - spans[0][1]
    assert gap == pytest.approx(seconds if seconds else -0.03, abs=0.001)


def test_silence_that_an_engine_left_does_not_add_up() -> None:
    _, spans = joined((speech(1, 0.1, silence=0.7), "一。"), (speech(1, 0.1, silence=0.7), "二。"))
    assert spans[0][1] - spans[0][0] == pytest.approx(1 + 2 * EDGE_SECONDS, abs=0.02)
    assert spans[1][0] - spans[0][1] == pytest.approx(0.45, abs=0.001)


def test_there_are_no_clicks_at_the_joints() -> None:
    """Constant signals would jump from one value to another: the steps stay small."""
    constant = np.full(RATE, 0.3, np.float32)
    for text in ("一。", "没完"):
        samples, _ = joined((constant, text), (-constant, "。"))
        assert np.abs(np.diff(samples)).max() < 0.01


def test_a_cross_fade_keeps_the_level() -> None:
    constant = np.full(RATE, 0.1, np.float32)
    samples, _ = joined((constant, "没完"), (constant, "。"))
    assert samples[2000:-2000] == pytest.approx(0.1, abs=1e-3)


def test_silent_and_tiny_sentences_do_no_harm() -> None:
    samples, spans = joined((np.zeros(1000, np.float32), "…"), (np.zeros(0, np.float32), ""), (speech(1, 0.1), "一。"))
    assert len(spans) == 3
    assert spans[0][0] == spans[0][1] == 0
    assert spans[2][1] - spans[2][0] == pytest.approx(1, abs=0.1)
    assert np.isfinite(samples).all()
    assert len(joined()[0]) == 0


def test_a_sentence_is_given_out_when_it_is_there() -> None:
    sentences = [(speech(1, 0.1 * n), text) for n, text in enumerate(("一，", "二", "三。", "四"), 1)]
    whole, spans = joined(*sentences)
    first = Joiner(RATE).add(*sentences[0])
    assert np.array_equal(first, whole[: len(first)])
    assert spans[-1][1] == pytest.approx(len(whole) / RATE)
    assert len(first) > 0.9 * RATE


def grown(*sentences: tuple[np.ndarray, str], size: int = RATE) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Each sentence in pieces of `size` samples."""
    joiner = Joiner(RATE)
    pieces = []
    for samples, text in sentences:
        pieces += [joiner.grow(samples[at : at + size]) for at in range(0, len(samples), size)]
        joiner.end(text)
    return np.concatenate([*pieces, joiner.finish()]), joiner.spans


def test_a_growing_sentence_is_heard_at_once_and_nothing_of_it_is_lost() -> None:
    samples, spans = grown((speech(2, 0.1), "一。"), (speech(1, 0.1), "没完"), (speech(1, 0.1), "三\n"))
    assert len(samples) == round(4.45 * RATE)
    assert np.array(spans) == pytest.approx(np.array([(0, 2), (2.45, 3.45), (3.45, 4.45)]), abs=1e-3)
    assert not samples[round(2.01 * RATE) : round(2.44 * RATE)].any()


def test_growing_sentences_get_the_level_of_what_was_heard_before() -> None:
    """A voice that speaks at one level is brought to the usual one from its first piece on, without a step."""
    samples, spans = grown(*[(speech(2, level), "好。") for level in (0.05, 0.055, 0.045)])
    levels = [speech_level(part(samples, span), RATE) for span in spans]
    assert levels == pytest.approx([TARGET_LEVEL] * 3, rel=0.15)
    first = part(samples, spans[0])
    steady = speech_level(first[:RATE], RATE)
    assert speech_level(first[RATE:], RATE) == pytest.approx(steady, rel=0.01)


def test_growing_sentences_may_begin_with_silence_and_never_clip() -> None:
    quiet = np.zeros(RATE, np.float32)
    samples, _ = grown((np.concatenate([quiet, speech(1, 0.05)]), "一。"), (np.concatenate([quiet, quiet]), "二。"))
    assert speech_level(samples, RATE) == pytest.approx(TARGET_LEVEL, rel=0.1)
    assert not samples[:RATE].any()
    samples, _ = grown((np.concatenate([speech(1, 0.05), speech(1, 0.9)]), "响。"))
    assert np.abs(samples).max() <= 0.951


def test_whole_sentences_may_follow_growing_ones() -> None:
    joiner = Joiner(RATE)
    pieces = [joiner.grow(speech(1, 0.1))]
    joiner.end("一。")
    pieces += [joiner.pause(), joiner.add(speech(1, 0.1), "二"), joiner.grow(speech(1, 0.1))]
    joiner.end("三。")
    samples = np.concatenate([*pieces, joiner.finish()])
    assert len(samples) == round(3.45 * RATE)
    assert [start for start, _ in joiner.spans] == pytest.approx([0, 1.45, 2.45], abs=1e-3)


def test_the_pause_may_be_had_before_the_next_sentence_is_there() -> None:
    joiner = Joiner(RATE)
    pieces = [joiner.add(speech(1, 0.1), "一。"), joiner.pause(), joiner.pause(), joiner.add(speech(1, 0.1), "二。")]
    whole, spans = joined((speech(1, 0.1), "一。"), (speech(1, 0.1), "二。"))
    assert np.array_equal(np.concatenate(pieces), whole)
    assert joiner.spans == spans


def test_loudness_does_not_count_pauses_and_blocks_do_not_matter() -> None:
    spoken = speech(2, 0.2)
    level = speech_level(spoken, RATE)
    with_pauses = np.concatenate([spoken, np.zeros(5 * RATE, np.float32), spoken])
    assert speech_level(with_pauses, RATE) == pytest.approx(level, rel=0.02)
    meter = LoudnessMeter(RATE)
    for at in range(0, len(with_pauses), 777):
        meter.feed(with_pauses[at : at + 777])
    assert meter.level() == pytest.approx(level, rel=0.02)
    assert speech_level(np.zeros(RATE, np.float32), RATE) is None


def silences(samples: np.ndarray) -> list[float]:
    """The silences between what is heard, those at the ends too, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.002)
    runs = np.diff(np.concatenate([[-1], loud, [len(samples)]])) - 1
    return [round(run / RATE, 3) for run in runs if run > 0.008 * RATE]


@pytest.mark.parametrize("around", [0, 0.01, 0.4])
@pytest.mark.parametrize("asked", [0.0, 0.02, 0.1, 0.8, 10.0])
@pytest.mark.parametrize("paused", [False, True])
def test_silence_that_the_text_asks_for_is_exact(asked: float, around: float, paused: bool) -> None:
    """Whatever silence the engine left, and whether or not the silence is written before the next sentence is there."""
    joiner = Joiner(RATE)
    pieces = [joiner.add(speech(1, 0.1, around), "一。", before=1.5, after=asked)]
    pieces += [joiner.pause()] if paused else []
    pieces += [joiner.add(speech(1, 0.1, around), "二", after=2.0), joiner.finish(), joiner.finish()]
    heard = silences(np.concatenate(pieces))
    assert heard == pytest.approx([1.5, *([asked] if asked > 0.008 else []), 2.0], abs=0.02)
    assert joiner.spans[1][0] - joiner.spans[0][1] == pytest.approx(asked, abs=0.065)


@pytest.mark.parametrize("size", [240, 2400, RATE, 5 * RATE])
@pytest.mark.parametrize("around", [0, 0.01, 0.4])
@pytest.mark.parametrize("asked", [0.0, 0.02, 0.1, 0.8])
def test_silence_around_growing_sentences_is_exact_too(asked: float, around: float, size: int) -> None:
    joiner, pieces = Joiner(RATE), []
    for text, before, after in (("一。", 1.5, asked), ("二", None, 2.0)):
        samples = np.concatenate([speech(1, 0.1, around), speech(1, 0.1, around)])  # with silence of its own within
        for at in range(0, len(samples), size):
            pieces.append(joiner.grow(samples[at : at + size], before, after))
        joiner.end(text, after)
        pieces.append(joiner.pause())
    heard = silences(np.concatenate([*pieces, joiner.finish()]))
    within = [2 * around] if around else []
    assert heard == pytest.approx([1.5, *within, *([asked] if asked > 0.008 else []), *within, 2.0], abs=0.02)
    assert all(end - start == pytest.approx(2 + 2 * around, abs=0.065) for start, end in joiner.spans)
