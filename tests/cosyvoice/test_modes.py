"""The four ways to ask, streaming, and what the language model is shown in each."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile
import torch

from webui.engines import cosyvoice
from webui.engines.base import EngineError, Waveform
from webui.engines.cosyvoice.prompts import INSTRUCTIONS, MODES, MOST_INSTRUCTION, instruction
from webui.errors import UserError

from .conftest import KIT

TEXT = "今天天气很好。"
TRANSCRIPT = "您好，这里是市民服务热线，很高兴为您服务。"


@pytest.fixture(scope="module")
def runtime(cosyvoice_folder):
    return cosyvoice.load(cosyvoice_folder)


@pytest.fixture(scope="module")
def prompt():
    return soundfile.read(KIT / "synthetic_prompt.wav", dtype="float32")


def forced(count, start=100):
    return [start + 7 * index % 6000 for index in range(count)]


def run(runtime, prompt, text=TEXT, transcript=TRANSCRIPT, **options):
    trace = {}
    result = runtime.synthesize(text, *prompt, transcript, trace=trace, **({"steps": 2} | options))
    pieces = [result] if isinstance(result, np.ndarray) else list(result)
    return pieces, trace


def test_zero_shot_shows_the_transcript_after_the_system_line_and_the_prompts_tokens(runtime, prompt):
    given = f"You are a helpful assistant.<|endofprompt|>{TRANSCRIPT}"
    _, bare = run(runtime, prompt, mode="zero_shot", forced_tokens=forced(4))
    _, whole = run(runtime, prompt, transcript=given, mode="zero_shot", forced_tokens=forced(4))
    assert bare["prompt_text_ids"].tolist() == runtime.tokenizer.encode(given)
    np.testing.assert_array_equal(bare["logits"], whole["logits"])


def test_cross_lingual_puts_the_system_line_before_the_text_and_shows_nothing_of_the_prompt(runtime, prompt):
    _, trace = run(runtime, prompt, transcript="", mode="cross_lingual", forced_tokens=forced(4))
    assert trace["prompt_text_ids"].size == 0
    assert trace["text_ids"].tolist() == runtime.tokenizer.encode(f"You are a helpful assistant.<|endofprompt|>{TEXT}")


def test_instruct_puts_the_instruction_in_the_transcripts_place(runtime, prompt):
    _, trace = run(runtime, prompt, mode="instruct", instruct="用四川话说", forced_tokens=forced(4))
    expected = "You are a helpful assistant. 请用四川话表达。<|endofprompt|>"
    assert trace["prompt_text_ids"].tolist() == runtime.tokenizer.encode(expected)
    assert trace["text_ids"].tolist() == runtime.tokenizer.encode(TEXT)


def test_what_holds_the_end_of_prompt_mark_is_left_as_it_is(runtime):
    """As the reference takes it: a system line of one's own, an instruction of CosyVoice2, the mark in the text."""
    own = "You are a helpful assistant. 请用四川话表达。<|endofprompt|>"
    cases = [
        (("zero_shot", TEXT, f"慢。<|endofprompt|>{TRANSCRIPT}", ""), (f"慢。<|endofprompt|>{TRANSCRIPT}", TEXT)),
        (("zero_shot", f"慢。<|endofprompt|>{TEXT}", TRANSCRIPT, ""), (TRANSCRIPT, f"慢。<|endofprompt|>{TEXT}")),
        (("cross_lingual", f"慢。<|endofprompt|>{TEXT}", "", ""), ("", f"慢。<|endofprompt|>{TEXT}")),
        (("instruct", TEXT, "", "用四川话说这句话<|endofprompt|>"), ("用四川话说这句话<|endofprompt|>", TEXT)),
        (("instruct", TEXT, own, ""), (own, TEXT)),
        (("instruct", TEXT, TRANSCRIPT, ""), ("You are a helpful assistant.<|endofprompt|>", TEXT)),
    ]
    for (mode, text, transcript, wish), read in cases:
        request = runtime.request(text, transcript, mode, wish)
        assert (request.prompt, request.text) == tuple(map(runtime.tokenizer.encode, read)), (mode, text)


def test_instruct_and_cross_lingual_show_the_language_model_no_speech(runtime, prompt):
    """The first logits do not change with the prompt's recording, as they do in zero-shot."""
    samples, rate = prompt
    other = (samples[::-1].copy(), rate)
    for mode, same in (("zero_shot", False), ("cross_lingual", True), ("instruct", True)):
        first, second = (
            run(runtime, one, mode=mode, instruct="开心", forced_tokens=forced(1))[1]["logits"]
            for one in (prompt, other)
        )
        assert bool((first == second).all()) is same, mode


def test_conversion_feeds_the_sources_tokens_to_the_flow(runtime, prompt):
    samples, rate = prompt
    pieces, trace = run(runtime, prompt, text=samples[: 2 * rate], mode="convert")
    assert "logits" not in trace
    assert len(pieces[0]) == 2 * 24000


def test_conversion_keeps_the_prompts_tokens_and_mel_uncut(runtime, prompt):
    samples, rate = prompt
    odd = (samples[: int(3.37 * rate)], rate)
    _, converted = run(runtime, odd, text=samples[: 2 * rate], mode="convert")
    _, spoken = run(runtime, odd, mode="zero_shot", forced_tokens=forced(4))
    assert converted["flow_prompt_feat"].shape == converted["prompt_feat_raw"].shape
    assert spoken["flow_prompt_feat"].shape[1] == 2 * spoken["flow_prompt_token"].shape[1]


def test_a_stream_comes_in_chunks_of_25_50_and_100_tokens_up_to_the_prompts_border(runtime, prompt):
    samples, rate = prompt
    pieces, trace = run(runtime, (samples[: int(3.48 * rate)], rate), forced_tokens=forced(230), stream=True)
    assert trace["flow_prompt_token"].shape[1] == 87  # 13 short of the next border
    lookahead = 8 * 480
    first, second, third, last = map(len, pieces)
    assert [first + lookahead, second, third] == [(25 + 13) * 960, 50 * 960, 100 * 960]
    assert sum(map(len, pieces)) == 230 * 960
    assert trace["chunks"] == [first, second, third, last]


def test_the_first_chunk_needs_only_its_own_tokens_and_the_lookahead(runtime, prompt):
    features = runtime.encoder.features(*prompt).aligned()  # 100 tokens: on the border
    drawn = itertools.count()
    tokens = (100 + next(drawn) for _ in range(60))
    next(runtime.speak(tokens, features, stream=True))
    assert next(drawn) == 25 + 3


def test_a_streams_start_is_not_changed_by_what_follows(runtime, prompt):
    short, _ = run(runtime, prompt, forced_tokens=forced(60), stream=True)
    long, _ = run(runtime, prompt, forced_tokens=[*forced(60), *forced(40, 3000)], stream=True)
    np.testing.assert_allclose(short[0], long[0], atol=1e-5)


def test_a_stream_shorter_than_a_chunk_is_the_offline_result(runtime, prompt):
    streamed, _ = run(runtime, prompt, forced_tokens=forced(20), stream=True)
    (offline,), _ = run(runtime, prompt, forced_tokens=forced(20))
    assert len(streamed) == 1
    np.testing.assert_array_equal(streamed[0], offline)


def test_streams_do_not_change_each_others_chunks(runtime, prompt):
    """The reference keeps the grown chunk size for the next request."""
    sizes = [run(runtime, prompt, forced_tokens=forced(90), stream=True)[1]["chunks"] for _ in range(2)]
    assert sizes[0] == sizes[1]


NAMES = (
    "text_ids prompt_text_ids wav16k whisper_mel fbank prompt_token_raw prompt_feat_raw spk_emb flow_prompt_token "
    "flow_prompt_feat gen_token mu mel f0 source hift_wav speech chunks"
).split()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_a_trace_holds_the_same_tensors_in_every_mode(runtime, prompt, mode, stream):
    tokens = forced(60)
    pieces, trace = run(runtime, prompt, mode=mode, instruct="开心", forced_tokens=tokens, stream=stream)
    assert trace.keys() == {*NAMES} | ({"logits"} if mode != "convert" else set())
    assert trace["gen_token"].tolist() == [tokens]
    assert trace["text_ids"].dtype == trace["prompt_text_ids"].dtype == np.int64
    assert trace["mel"].shape[2] == trace["f0"].shape[1] == 120
    np.testing.assert_array_equal(trace["speech"][0], np.concatenate(pieces))


def test_silences_that_are_cut_are_not_among_the_generated_tokens(runtime, prompt):
    _, trace = run(runtime, prompt, forced_tokens=[100, *[1] * 9, 200])
    assert trace["gen_token"].tolist() == [[100, 1, 1, 1, 1, 1, 200]]
    assert len(trace["logits"]) == 11


def test_a_conversion_cuts_no_silence(runtime, prompt):
    _, trace = run(runtime, prompt, mode="convert", forced_tokens=[100, *[1] * 9, 200])
    assert trace["gen_token"].shape == (1, 11)


def test_tensors_may_stand_for_arrays(runtime, prompt):
    samples, rate = prompt
    noise = np.random.default_rng(0).random((20 * 960, 9), np.float32)
    given = {"mode": "zero_shot", "steps": 2}
    plain = runtime.synthesize(TEXT, samples, rate, TRANSCRIPT, forced_tokens=forced(20), source_noise=noise, **given)
    tensors = runtime.synthesize(
        *(TEXT, torch.from_numpy(samples)[None], rate, TRANSCRIPT),
        **given,
        forced_tokens=torch.tensor([forced(20)]),
        source_noise=torch.from_numpy(noise)[None],
    )
    np.testing.assert_array_equal(plain, tensors)


def test_a_prompt_in_stereo_is_the_mean_of_its_channels(runtime, prompt):
    samples, rate = prompt
    both = np.stack([samples * 1.5, samples * 0.5])
    (mono,), _ = run(runtime, prompt, forced_tokens=forced(4))
    for stereo in (both, both.T):
        (mixed,), _ = run(runtime, (stereo, rate), forced_tokens=forced(4))
        np.testing.assert_allclose(mixed, mono, atol=1e-3)


def test_a_recording_to_convert_may_be_an_array_a_tensor_a_waveform_or_the_prompt_itself(runtime, prompt):
    samples, rate = prompt
    sources = [samples, torch.from_numpy(samples)[None], Waveform(samples, rate), "", None]
    first, *others = (run(runtime, prompt, text=source, mode="convert")[0][0] for source in sources)
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_speech_of_no_tokens_is_an_error(runtime, prompt):
    for stream in (False, True):
        with pytest.raises(EngineError, match="no speech tokens"):
            run(runtime, prompt, mode="convert", forced_tokens=[], stream=stream)


@pytest.mark.parametrize("dtype", ["bfloat16", "torch.bfloat16", torch.bfloat16])
def test_numbers_may_be_named_or_given(cosyvoice_folder, dtype):
    assert cosyvoice.load(str(cosyvoice_folder), "cpu", dtype).flow._dtype is torch.bfloat16


def test_speed_stretches_time(runtime, prompt):
    (slow,), _ = run(runtime, prompt, forced_tokens=forced(20), speed=0.5)
    (fast,), _ = run(runtime, prompt, forced_tokens=forced(20), speed=2.0)
    assert (len(slow), len(fast)) == (40 * 960, 10 * 960)


def test_fewer_steps_give_another_mel_of_the_same_length(runtime, prompt):
    _, ten = run(runtime, prompt, forced_tokens=forced(10), steps=10)
    _, five = run(runtime, prompt, forced_tokens=forced(10), steps=5)
    difference = (ten["mel"] - five["mel"]).abs().mean()
    assert 0 < difference < 0.2


def test_the_same_seed_gives_the_same_samples_and_another_gives_others(runtime, prompt):
    first, again, other = (runtime.synthesize("好。", *prompt, TRANSCRIPT, seed=seed, steps=1) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_the_tokens_are_between_twice_and_twenty_times_the_texts(runtime):
    request = runtime.request("好。", TRANSCRIPT, "zero_shot", "")
    for seed in range(5):
        trace = {}
        list(runtime.speech_tokens(request, [], 0, seed, trace=trace))
        assert 2 * request.spoken <= len(trace["logits"]) <= 20 * request.spoken


def test_prompt_and_speech_share_the_300_seconds_of_the_flows_noise(runtime):
    request = runtime.request("好。", TRANSCRIPT, "zero_shot", "")
    assert len(list(runtime.speech_tokens(request, [], 7500 - 3))) <= 3


def test_there_are_26_trained_instructions():
    assert len(INSTRUCTIONS) == 26


@pytest.mark.parametrize(
    "wish",
    [
        "用四川话说",
        "请用四川话表达。",
        "四川话",
        "用四川方言讲",
        "请用四川话说这句话。",
        "You are a helpful assistant. 请用四川话表达。",
    ],
)
def test_a_dialect_may_be_asked_for_in_many_words(wish):
    assert instruction(wish) == "You are a helpful assistant. 请用四川话表达。<|endofprompt|>"


@pytest.mark.parametrize("wish", ["粤语", "用粤语说", "请说粤语。", "广东话", "讲广东话"])
def test_a_dialect_has_several_names(wish):
    assert instruction(wish) == "You are a helpful assistant. 请用广东话表达。<|endofprompt|>"


def test_free_words_are_passed_on():
    assert instruction("像讲故事一样说") == "You are a helpful assistant. 像讲故事一样说<|endofprompt|>"


def test_an_instruction_with_its_end_mark_is_left_alone():
    whole = "You are a helpful assistant. 请用四川话表达。<|endofprompt|>"
    assert instruction(whole) == whole


def test_long_instructions_are_refused_because_they_are_read_aloud():
    with pytest.raises(UserError, match="INSTRUCT_TOO_LONG"):
        instruction("慢" * (MOST_INSTRUCTION + 1))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("TRANSCRIPT_REQUIRED", {"transcript": " "}),
        ("TRANSCRIPT_REQUIRED", {"transcript": "You are a helpful assistant.<|endofprompt|>"}),
        ("NOTHING_TO_SAY", {"text": "……！？"}),
        ("NOTHING_TO_SAY", {"text": ""}),
    ],
)
def test_what_cannot_be_spoken_is_refused(runtime, prompt, code, change):
    with pytest.raises(UserError, match=code):
        run(runtime, prompt, **change)


@pytest.mark.parametrize(
    ("code", "seconds", "rate"),
    [("PROMPT_TOO_SHORT", 2.9, 24000), ("PROMPT_TOO_LONG", 30.1, 16000), ("PROMPT_RATE", 5, 8000)],
)
def test_prompts_of_no_use_are_refused(runtime, code, seconds, rate):
    with pytest.raises(UserError, match=code):
        run(runtime, (np.zeros(int(seconds * rate), np.float32), rate))


def test_an_unknown_mode_is_a_programming_error(runtime, prompt):
    with pytest.raises(ValueError, match="sing"):
        run(runtime, prompt, mode="sing")
