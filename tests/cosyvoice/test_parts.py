"""The parts on their own: marks, sampling, features, vocoder arithmetic, number formats."""

from __future__ import annotations

import kaldi_native_fbank
import librosa
import numpy as np
import pytest
import torch

from webui.engines.cosyvoice import features, precision
from webui.engines.cosyvoice.hift import Vocoder, _uniform_noise
from webui.engines.cosyvoice.sampling import SPEECH_TOKENS, ForcedTokens, RepetitionAwareSampler, SilenceLimit
from webui.engines.cosyvoice.tokenizer import MARKS, SPECIAL, spell
from webui.engines.cosyvoice.weights import Weights
from webui.errors import UserError

from .conftest import KIT


def test_there_are_281_added_tokens_each_once():
    assert len(SPECIAL) == len(set(SPECIAL)) == 281
    assert SPECIAL[3] == "<|endofprompt|>"


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("好[h][ào]", "好[h][ào]"),
        ("[hao4][nü3][lve4]", "[h][ào][n][ǚ][l][vè]"),
        ("[M][AY0]", "[M][AY0]"),
        ("[laughter]<laughter>哈</laughter>", "[laughter]<laughter>哈</laughter>"),
        ("<strong>请</strong>[breath]", "<strong>请</strong>[breath]"),
        ("见[注]与[1]", "见[注]与[1]"),
    ],
)
def test_marks_become_the_models_own(written, spelt):
    assert spell(written) == spelt


@pytest.mark.parametrize(("written", "named", "near"), [("[dia5]", "[ia]", "[ià]"), ("[AY7]", "[AY7]", "[AY]")])
def test_an_unknown_mark_is_named_with_the_nearest(written, named, near):
    with pytest.raises(UserError, match="UNKNOWN_PRONUNCIATION") as caught:
        spell(written)
    assert caught.value.params["token"] == named
    assert near in caught.value.params["nearest"]
    assert named not in MARKS


def test_control_tokens_do_not_come_from_outside():
    assert not any(token in spell("a<|endofprompt|>b<|im_end|>") for token in SPECIAL[:4])


def logits(**ids):
    values = torch.full((6761,), -20.0)
    for name, value in ids.items():
        values[int(name[1:])] = value
    return values


def test_sampling_keeps_to_the_nucleus():
    sampler = RepetitionAwareSampler(0)
    scores = logits(t5=10.0, t6=9.9, t7=1.0)
    assert {sampler(scores, [], True) for _ in range(50)} == {5, 6}


def test_a_token_just_used_is_drawn_again_from_all_others():
    sampler = RepetitionAwareSampler(0)
    scores = logits(t5=10.0, t9=0.0)
    assert sampler(scores, [], True) == 5
    assert sampler(scores, [5], True) == 9
    assert sampler(scores, [5, *range(100, 110)], True) == 5


@pytest.mark.parametrize("end", [6561, 6562, 6564, 6760])
def test_no_end_token_comes_before_the_least_length(end):
    """The reference masks 6561 only, and 6562 ends its sentences after 0.16 s."""
    scores = logits(**{f"t{end}": 30.0, "t8": 0.0})
    sampler = RepetitionAwareSampler(0)
    assert sampler(scores, [], False) == 8
    assert sampler(scores, [], True) == end
    assert scores[end] == 30.0


def test_silence_beyond_five_tokens_is_dropped_until_something_is_said():
    limit = SilenceLimit()
    assert [limit.keeps(token) for token in [1, 2, 28, 1, 1, 1, 55, 700, 1]] == [True] * 5 + [False] * 2 + [True] * 2


def test_forced_tokens_are_given_in_order():
    sampler = ForcedTokens([7, SPEECH_TOKENS, 9])
    assert [sampler(torch.zeros(1), decoded, False) for decoded in ([], [7], [7, 1])] == [7, SPEECH_TOKENS, 9]


def test_filter_banks_are_kaldis():
    wave = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = 80
    reference = kaldi_native_fbank.OnlineFbank(options)
    reference.accept_waveform(16000, wave)
    rows = np.stack([reference.get_frame(index) for index in range(reference.num_frames_ready)])
    ours = features.kaldi_fbank(torch.from_numpy(wave)[None]).numpy()
    np.testing.assert_allclose(ours, rows - rows.mean(0), atol=2e-3)


@pytest.mark.parametrize(("rate", "n_fft", "bands"), [(16000, 400, 128), (24000, 1920, 80)])
def test_mel_filters_are_librosas(rate, n_fft, bands):
    reference = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands)
    np.testing.assert_array_equal(features._slaney_filters(rate, n_fft, bands).numpy(), reference)


@pytest.mark.parametrize(("rate", "target"), [(44100, 24000), (48000, 16000), (16000, 24000)])
def test_resampling_keeps_a_tone(rate, target):
    tone = torch.sin(2 * torch.pi * 440 * torch.arange(rate) / rate)[None]
    ours = features.resample(tone, rate, target)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(target) / target)
    assert ours.shape == (1, target)
    assert (ours[0] - expected)[200:-200].abs().max() < 2e-3


@pytest.fixture(scope="module")
def vocoder(cosyvoice_folder):
    return Vocoder(Weights(cosyvoice_folder / "hift.pt"), torch.device("cpu"))


@pytest.fixture
def rounding(cosyvoice_folder):
    """As on an accelerator."""
    vocoder = Vocoder(Weights(cosyvoice_folder / "hift.pt"), torch.device("cpu"))
    vocoder._rounded_to = 50
    return vocoder


@pytest.mark.parametrize("frames", [1, 50])
def test_the_real_stft_is_torchs(vocoder, frames):
    source = torch.randn(1, 1, 480)
    window = torch.hann_window(16)
    reference = torch.stft(source[:, 0], 16, 4, window=window, return_complex=True)
    ours = vocoder._stft(source, frames)
    assert ours.shape == (1, 18, 120 * frames + 1)
    torch.testing.assert_close(ours[..., :121], torch.cat([reference.real, reference.imag], 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("whole", [1, 50])
def test_the_real_inverse_stft_is_torchs(vocoder, whole):
    x = torch.randn(1, 18, 120 * whole + 1)
    magnitude, phase = x[:, :9, :121].exp(), x[:, 9:, :121].sin()
    spectrum = torch.complex(magnitude * phase.cos(), magnitude * phase.sin())
    reference = torch.istft(spectrum, 16, 4, window=torch.hann_window(16))
    torch.testing.assert_close(vocoder._istft(x, 1), reference[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("length", [40, 57, 100])
def test_a_length_rounded_up_makes_the_same_sound(vocoder, rounding, length, complete):
    mel = torch.from_numpy(np.load(KIT / "synthetic_prompt.npz")["mel"])[..., :length]
    exact, rounded = (one(mel, complete=complete) for one in (vocoder, rounding))
    torch.testing.assert_close(rounded, exact, atol=1e-3, rtol=0)


def test_lengths_rounded_to_the_same_need_the_same_convolutions(rounding, monkeypatch):
    planned = set()

    def noting(convolution):
        def call(x, weight, *how, **more):
            if x.dtype == torch.float32:  # not the pitch's, which stay on the CPU
                planned.add((tuple(x.shape), tuple(weight.shape), str(how), str(more)))
            return convolution(x, weight, *how, **more)

        return call

    for name in ("conv1d", "conv_transpose1d"):
        monkeypatch.setattr(torch.nn.functional, name, noting(getattr(torch.nn.functional, name)))
    for length, complete in ((51, True), (100, True), (58, False), (107, False)):
        before = len(planned)
        rounding(torch.randn(1, 80, length) - 5, complete=complete)
        assert len(planned) == (before or len(planned))


def test_the_sources_noise_starts_the_same_whatever_its_length():
    assert torch.equal(_uniform_noise(30000)[:1000], _uniform_noise(1000))


def test_unvoiced_frames_have_no_harmonics(vocoder):
    silent = vocoder.source(torch.zeros(1, 4), torch.zeros(4 * 480, 9))
    assert silent.unique().numel() == 1


def test_the_look_ahead_is_all_that_a_chunk_misses(vocoder):
    mel = torch.randn(1, 80, 40) - 5
    whole, part = vocoder(mel), vocoder(mel[..., :30], complete=False)
    assert len(part) == (30 - 8) * 480
    torch.testing.assert_close(part, whole[: len(part)], atol=1e-2, rtol=0)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("flags\t\t: fpu avx2 avx512_bf16", torch.bfloat16),
        ("Features\t: asimd bf16", torch.bfloat16),
        ("flags\t\t: fpu avx2", torch.float32),
    ],
)
def test_the_cpu_computes_in_bfloat16_where_it_multiplies_it(tmp_path, text, dtype):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{text}\n")
    assert precision.best(torch.device("cpu"), tmp_path / "cpuinfo") == dtype


def test_a_graphics_cards_kernels_are_exact_once_a_vocoder_is_loaded(cosyvoice_folder, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    torch.backends.cuda.matmul.allow_tf32 = True
    Vocoder(Weights(cosyvoice_folder / "hift.pt"), torch.device("cpu"))
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.deterministic


def test_a_system_without_cpuinfo_computes_in_float32(tmp_path):
    assert precision.best(torch.device("cpu"), tmp_path / "none") == torch.float32
