"""The basic engine's speech: with real espeak-ng, in its own voice and in a prompt's."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from webui.audio.pitch import track_pitch
from webui.engines.base import SpeechOptions, VoiceFeatures, Waveform
from webui.engines.basic import models
from webui.engines.basic.conversion import PIECE_S, resampled
from webui.engines.basic.espeak import Espeak
from webui.engines.basic.reading import ENGLISH, MANDARIN, Reader, english_phonemes, pinyin
from webui.engines.basic.synthesizer import BasicSynthesizer
from webui.engines.basic.vocoder import HOP, RATE, analyse
from webui.errors import UserError
from webui.settings import Settings

CHINESE = "今天天气很好，我们去公园散步。"
ENGLISH_TEXT = "The weather is fine, and we are going for a walk."


@pytest.fixture(scope="module")
def synthesizer() -> Iterator[BasicSynthesizer]:
    (model,) = [model for model in models(Settings()) if model.kind == "synthesizer"]
    engine = model.load("cpu")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def prompt() -> Waveform:
    """A voice far from espeak's own: another variant, higher."""
    espeak = Espeak()
    spoken = espeak.speak(
        "Many people live near the river, and all of them like to walk in the garden.", "en-us+f4", 160, 75
    )
    espeak.close()
    return spoken


@pytest.fixture(scope="module")
def voice(synthesizer: BasicSynthesizer, prompt: Waveform) -> VoiceFeatures:
    return VoiceFeatures.from_bytes(synthesizer.enrol(prompt, "").to_bytes())


@pytest.fixture
def reader() -> Iterator[Reader]:
    espeak = Espeak()
    yield Reader(espeak)
    espeak.close()


def spoken(synthesizer: BasicSynthesizer, text: str, voice: VoiceFeatures | None = None, **options: object) -> Waveform:
    pieces = list(synthesizer.speak(text, voice, SpeechOptions(**options)))  # type: ignore[arg-type]
    assert {piece.rate for piece in pieces} == {RATE}
    return Waveform(np.concatenate([piece.samples for piece in pieces]), RATE)


def voiced_shapes(waveform: Waveform) -> np.ndarray:
    """(n, 40) envelopes below 8 kHz of the loud voiced frames, in dB around their mean."""
    speech = analyse(resampled(waveform))
    loud = speech.voiced & (speech.power > np.percentile(speech.power, 95) - 6)
    bands = 10 / np.log(10) * speech.envelope[loud, 4:324].reshape(-1, 40, 8).mean(axis=2)
    return bands - bands.mean(axis=1, keepdims=True)


def median_pitch(waveform: Waveform) -> float:
    pitch = track_pitch(resampled(waveform), RATE, HOP)
    return float(np.median(pitch[pitch > 0]))


def test_both_models_are_listed_without_loading_anything(settings: Settings) -> None:
    listed = {model.kind: model for model in models(settings)}
    assert {model.name for model in listed.values()} == {"basic"}
    assert listed["recognizer"].capabilities.languages == ("en",)
    assert listed["synthesizer"].capabilities.pronunciation
    assert "espeakng-loader" in listed["synthesizer"].revision


@pytest.mark.parametrize(
    ("text", "shortest", "longest"),
    [
        (CHINESE, 2.0, 6.0),
        (ENGLISH_TEXT, 2.0, 5.0),
        ("我叫John Smith，今年25岁。", 2.0, 6.0),
        ("1,234", 1.0, 4.0),
        ("好", 0.1, 1.0),
    ],
)
def test_speech_has_a_plausible_length(
    synthesizer: BasicSynthesizer, text: str, shortest: float, longest: float
) -> None:
    speech = spoken(synthesizer, text)
    assert shortest < speech.seconds < longest
    assert speech.samples.dtype == np.float32
    assert 0.05 < np.abs(speech.samples).max() <= 0.98


def test_speed_changes_the_length(synthesizer: BasicSynthesizer) -> None:
    normal, fast, slow = (spoken(synthesizer, ENGLISH_TEXT, speed=speed).seconds for speed in (1.0, 2.0, 0.5))
    assert fast < 0.65 * normal
    assert slow > 1.5 * normal


def test_a_cloned_voice_has_the_prompts_pitch_and_level(
    synthesizer: BasicSynthesizer, prompt: Waveform, voice: VoiceFeatures
) -> None:
    own, cloned = spoken(synthesizer, CHINESE), spoken(synthesizer, CHINESE, voice)
    wanted = median_pitch(prompt)
    assert abs(np.log2(median_pitch(own) / wanted)) > 0.5
    assert abs(np.log2(median_pitch(cloned) / wanted)) < 0.15
    assert cloned.seconds == pytest.approx(own.seconds, abs=0.02)
    assert np.isfinite(cloned.samples).all()
    assert np.abs(cloned.samples).max() <= 0.98


def test_the_timbre_comes_nearer_with_similarity(
    synthesizer: BasicSynthesizer, prompt: Waveform, voice: VoiceFeatures
) -> None:
    known = voiced_shapes(prompt)

    def away(waveform: Waveform) -> float:
        """Mean distance of a frame to the prompt's nearest, in dB."""
        asked = voiced_shapes(waveform)
        squares = (asked**2).sum(axis=1)[:, None] - 2 * asked @ known.T + (known**2).sum(axis=1)
        return float(np.sqrt(squares.min(axis=1) / known.shape[1]).mean())

    own = away(spoken(synthesizer, ENGLISH_TEXT))
    clear, middle, alike = (
        away(spoken(synthesizer, ENGLISH_TEXT, voice, similarity=similarity)) for similarity in (0.0, 0.5, 1.0)
    )
    assert own > clear > middle > alike
    assert alike < 0.7 * own


def test_the_seed_and_only_the_seed_changes_the_samples(synthesizer: BasicSynthesizer, voice: VoiceFeatures) -> None:
    first, again, other = (spoken(synthesizer, "你好吗？", voice, seed=seed).samples for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert len(first) == len(other)
    assert not np.array_equal(first, other)


def test_a_prompt_without_a_voice_is_refused(synthesizer: BasicSynthesizer) -> None:
    noise = np.random.default_rng(0).standard_normal(48000).astype(np.float32) * 0.1
    for samples in (noise, np.zeros(48000, np.float32), np.zeros(0, np.float32)):
        with pytest.raises(UserError) as raised:
            synthesizer.enrol(Waveform(samples, 16000), "")
        assert raised.value.code == "PROMPT_NO_VOICE"


def test_a_telephone_prompt_is_known_as_narrow(synthesizer: BasicSynthesizer, prompt: Waveform) -> None:
    import soxr

    telephone = Waveform(soxr.resample(prompt.samples, prompt.rate, 8000), 8000)
    narrow = synthesizer.enrol(telephone, "")
    assert narrow.facts["bandwidth"] <= 4000
    speech = spoken(synthesizer, CHINESE, narrow)
    power = np.abs(np.fft.rfft(speech.samples)) ** 2
    frequency = np.fft.rfftfreq(len(speech.samples), 1 / RATE)
    assert power[frequency > 4500].sum() > 1e-4 * power.sum()  # espeak's own highs are still there


def test_conversion_keeps_length_and_words_in_pieces(synthesizer: BasicSynthesizer, voice: VoiceFeatures) -> None:
    source = spoken(synthesizer, ENGLISH_TEXT)
    long = Waveform(np.tile(source.samples, 8), RATE)
    assert long.seconds > PIECE_S
    pieces = list(synthesizer.convert(long, voice))
    assert len(pieces) > 1
    assert all(piece.seconds <= PIECE_S for piece in pieces)
    assert sum(len(piece.samples) for piece in pieces) == len(long.samples)
    assert abs(np.log2(median_pitch(pieces[0]) / np.exp(voice.facts["log_pitch"][0]))) < 0.15


def test_silence_stays_silent_when_converted(synthesizer: BasicSynthesizer, voice: VoiceFeatures) -> None:
    (piece,) = synthesizer.convert(Waveform(np.zeros(16000, np.float32), 16000), voice)
    assert np.abs(piece.samples).max() < 1e-3
    assert list(synthesizer.convert(Waveform(np.zeros(0, np.float32), 16000), voice)) == []


def test_marks_change_what_is_read(reader: Reader) -> None:
    assert pinyin("爱好") == ["ai4", "hao4"]
    assert reader.read("好[h][ào]", "zh") == reader.read("[hǎo][hao4]", "zh") != reader.read("好好", "zh")
    (run,) = reader.read("[HH][AH0][L][OW1]", "en")
    assert run.voice == ENGLISH
    assert run.text == "[[h@l'oU]] "
    assert english_phonemes(("M", "AY0")) == "maI"


def test_a_mark_changes_the_sound(synthesizer: BasicSynthesizer) -> None:
    assert not np.array_equal(spoken(synthesizer, "他爱[hao3]").samples, spoken(synthesizer, "他爱[hao4]").samples)
    assert np.array_equal(spoken(synthesizer, "他爱[hao4]").samples, spoken(synthesizer, "他爱[h][ào]").samples)


def test_each_language_has_its_voice(reader: Reader) -> None:
    runs = reader.read("我叫John Smith，你好 3", "zh")
    assert [run.voice for run in runs] == [MANDARIN, ENGLISH, MANDARIN]
    assert runs[2].text.endswith("3")
    assert [run.voice for run in reader.read("5 dogs", "en")] == [ENGLISH]
    assert reader.read("[[h@]]{}<x>", "en")[0].text == "h@x"  # espeak's own marks cannot be smuggled in
    assert reader.read("[breath]", "zh") == []
    assert reader.read("a\ud800\0b", "en")[0].text == "ab"


def test_rare_characters_are_not_dropped(reader: Reader) -> None:
    (run,) = reader.read("\U0003134a", "zh")
    assert run.voice == MANDARIN
    assert run.text.strip()


def test_nothing_to_say_is_said_so(synthesizer: BasicSynthesizer) -> None:
    with pytest.raises(UserError) as raised:
        list(synthesizer.speak("[breath]", None, SpeechOptions()))
    assert raised.value.code == "NOTHING_TO_SAY"


def test_a_wrong_mark_reaches_the_user(synthesizer: BasicSynthesizer) -> None:
    with pytest.raises(UserError) as raised:
        list(synthesizer.speak("爱[haoo4]", None, SpeechOptions()))
    assert raised.value.code == "UNKNOWN_PRONUNCIATION"


def test_two_may_speak_at_once(synthesizer: BasicSynthesizer, voice: VoiceFeatures) -> None:
    texts = [CHINESE, ENGLISH_TEXT, "第三个人说三。"]
    alone = [spoken(synthesizer, text, voice).samples for text in texts]
    together: dict[int, np.ndarray] = {}

    def speak(index: int) -> None:
        together[index] = spoken(synthesizer, texts[index], voice).samples

    threads = [threading.Thread(target=speak, args=(index,)) for index in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, samples in enumerate(alone):
        assert np.array_equal(together[index], samples)
