"""The Synthesizer over a small random model: enrolling, speaking, converting, and wrong use."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from webui.engines.base import SpeechOptions, VoiceFeatures, Waveform
from webui.engines.cosyvoice import models
from webui.errors import UserError
from webui.settings import Settings

from .conftest import KIT

TRANSCRIPT = "您好，这里是市民服务热线，很高兴为您服务。"


@pytest.fixture(scope="module")
def synthesizer(cosyvoice_folder, tmp_path_factory):
    settings = Settings(models=tmp_path_factory.mktemp("none"), model_path=cosyvoice_folder)
    (model,) = models(settings)
    return model.load("cpu")


@pytest.fixture(scope="module")
def prompt():
    samples, rate = soundfile.read(KIT / "synthetic_prompt.wav", dtype="float32")
    return Waveform(samples, rate)


@pytest.fixture(scope="module")
def voice(synthesizer, prompt):
    return synthesizer.enrol(prompt, TRANSCRIPT)


def speak(synthesizer, voice, text="好。", **options):
    return np.concatenate(
        [piece.samples for piece in synthesizer.speak(text, voice, SpeechOptions(**({"steps": 2} | options)))]
    )


def test_a_voice_is_kept_and_read_back(synthesizer, voice):
    again = VoiceFeatures.from_bytes(voice.to_bytes())
    np.testing.assert_array_equal(speak(synthesizer, voice, seed=3), speak(synthesizer, again, seed=3))


def test_the_voice_tells_where_it_comes_from(synthesizer, voice, prompt):
    assert (voice.engine, voice.facts["transcript"]) == ("cosyvoice", TRANSCRIPT)
    assert synthesizer.enrol(prompt, "别的").prompt_sha256 != voice.prompt_sha256


def test_seeds_repeat_whatever_happens_to_the_global_generator(synthesizer, voice):
    import torch

    first = speak(synthesizer, voice, seed=5)
    torch.manual_seed(99)
    np.testing.assert_array_equal(first, speak(synthesizer, voice, seed=5))


def test_an_instruction_is_followed_for_a_voice_with_a_transcript(synthesizer, voice):
    """The reference ignores instructions for saved speakers."""
    plain, told = (speak(synthesizer, voice, seed=5, instruct=wish) for wish in ("", "用四川话说"))
    assert plain.shape != told.shape or not np.array_equal(plain, told)


def test_a_voice_without_a_transcript_speaks(synthesizer, prompt):
    assert len(speak(synthesizer, synthesizer.enrol(prompt, ""))) > 0


def test_streaming_gives_several_pieces_at_24_khz(synthesizer, voice):
    pieces = list(synthesizer.speak("今天天气很好" * 3, voice, SpeechOptions(stream=True, steps=1)))
    assert len(pieces) > 1
    assert {piece.rate for piece in pieces} == {24000}


def test_pinyin_with_a_digit_is_what_the_models_own_marks_are(synthesizer, voice):
    np.testing.assert_array_equal(speak(synthesizer, voice, "[hao4]。"), speak(synthesizer, voice, "[h][ào]。"))


def test_numbers_are_read_in_words_where_there_are_rules(synthesizer, voice):
    np.testing.assert_array_equal(speak(synthesizer, voice, "共25人。"), speak(synthesizer, voice, "共二十五人。"))
    german = (speak(synthesizer, voice, text, language="de") for text in ("25 Bauern.", "twenty five Bauern."))
    assert not np.array_equal(*german)


def test_control_tokens_come_from_nowhere_outside(synthesizer, voice):
    with pytest.raises(UserError, match="INSTRUCT_TOO_LONG"):
        speak(synthesizer, voice, instruct="<|endofprompt|>" + "慢" * 61)
    spelt_out = speak(synthesizer, voice, "好< |endofprompt|>。")
    np.testing.assert_array_equal(speak(synthesizer, voice, "好<|endofprompt|>。"), spelt_out)


def test_an_unknown_mark_is_named_before_anything_is_computed(synthesizer, voice):
    with pytest.raises(UserError, match="UNKNOWN_PRONUNCIATION") as caught:
        synthesizer.speak("你[haq4]", voice, SpeechOptions())
    assert "haq4" in caught.value.params["token"]


@pytest.mark.parametrize(
    ("code", "text", "options"),
    [
        ("NOTHING_TO_SAY", "。。。", {}),
        ("LANGUAGE_UNSUPPORTED", "Goeiedag.", {"language": "nl"}),
        ("INSTRUCT_TOO_LONG", "好。", {"instruct": "很慢" * 60}),
    ],
)
def test_wrong_requests_are_refused(synthesizer, voice, code, text, options):
    with pytest.raises(UserError, match=code):
        synthesizer.speak(text, voice, SpeechOptions(**options))


def test_there_is_no_voice_without_a_prompt(synthesizer):
    with pytest.raises(UserError, match="NOT_CAPABLE"):
        synthesizer.speak("好。", None, SpeechOptions())


@pytest.mark.parametrize(
    ("code", "seconds", "rate"),
    [("PROMPT_TOO_SHORT", 2, 24000), ("PROMPT_TOO_LONG", 31, 24000), ("PROMPT_RATE", 5, 8000)],
)
def test_prompts_of_no_use_are_refused(synthesizer, code, seconds, rate):
    with pytest.raises(UserError, match=code):
        synthesizer.enrol(Waveform(np.ones(seconds * rate, np.float32), rate), TRANSCRIPT)


def test_a_long_recording_is_converted_piece_by_piece(synthesizer, voice, prompt):
    source = Waveform(np.tile(prompt.samples, 7), prompt.rate)
    pieces = list(synthesizer.convert(source, voice))
    assert len(pieces) == 2
    assert abs(sum(piece.seconds for piece in pieces) - source.seconds) < 0.2


def test_a_recording_of_a_moment_converts_to_nothing(synthesizer, voice):
    assert list(synthesizer.convert(Waveform(np.ones(100, np.float32), 16000), voice)) == []


def test_each_stages_device_is_told(synthesizer):
    assert synthesizer.devices == {"features": "cpu", "llm": "cpu", "flow": "cpu", "vocoder": "cpu"}


def test_a_closed_synthesizer_lets_its_weights_go(cosyvoice_folder, tmp_path, voice):
    (model,) = models(Settings(models=tmp_path, model_path=cosyvoice_folder))
    closed = model.load("cpu")
    closed.close()
    with pytest.raises(RuntimeError, match="closed"):
        closed.speak("好。", voice, SpeechOptions())
