"""Train the self-test model `models/selftest-zh` on the product's own `builtin` voice.

    python -m benchmarks.selftest.train --out models/selftest-zh [--utterances 6000] [--minutes 20]

FunASR's own SenseVoiceSmall class at 128 dimensions, from scratch on synthetic speech, CTC with SenseVoice's rich tags
and its with/without-ITN switch. It proves loading, tags, ITN, times and devices; it is of no use on human speech.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import shutil
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import soxr
import torch
import yaml

from benchmarks.selftest.corpus import Utterance, utterances
from webui.engines.base import SpeechOptions
from webui.engines.basic import models
from webui.settings import Settings

RATE = 16000
TAGS = ("<|zh|>", "<|nospeech|>", "<|NEUTRAL|>", "<|EMO_UNKNOWN|>", "<|Speech|>", "<|BGM|>", "<|withitn|>", "<|woitn|>")
FRONTEND = {
    "fs": RATE,
    "window": "hamming",
    "n_mels": 80,
    "frame_length": 25,
    "frame_shift": 10,
    "lfr_m": 7,
    "lfr_n": 6,
}
CONFIG: dict[str, Any] = {
    "model": "SenseVoiceSmall",
    "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
    "encoder": "SenseVoiceEncoderSmall",
    "encoder_conf": {
        "output_size": 128,
        "attention_heads": 4,
        "linear_units": 384,
        "num_blocks": 6,
        "tp_blocks": 2,
        "dropout_rate": 0.05,
        "positional_dropout_rate": 0.05,
        "attention_dropout_rate": 0.05,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": 11,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
    },
    "tokenizer": "SentencepiecesTokenizer",
    "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
    "frontend": "WavFrontend",
    "frontend_conf": {**FRONTEND, "dither": 0.0, "cmvn_file": None},
    "ctc_conf": {"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True, "ignore_nan_grad": True},
    "specaug": "SpecAugLFR",
    "specaug_conf": {
        "apply_time_warp": False,
        "apply_freq_mask": True,
        "freq_mask_width_range": [0, 16],
        "lfr_rate": 6,
        "num_freq_mask": 1,
        "apply_time_mask": True,
        "time_mask_width_range": [0, 2],
        "num_time_mask": 1,
    },
    "normalize": None,
}
MARKER = """\
# What this folder is for: it shows that loading, devices and recognition work. It does not know human speech.
purpose = "self-test"
languages = ["zh"]
"""
LAYOUT = {
    "framework": "pytorch",
    "task": "auto-speech-recognition",
    "model": {"type": "funasr"},
    "file_path_metas": {
        "init_param": "model.pt",
        "config": "config.yaml",
        "tokenizer_conf": {"bpemodel": "bpe.model"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    },
}


def train_tokenizer(folder: Path, corpus: list[Utterance]) -> sentencepiece.SentencePieceProcessor:
    """One piece a character, and SenseVoice's tags."""
    texts = [text for item in corpus for text in (item.plain, item.written)]
    characters = sorted({c for text in texts for c in text})
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts + characters),
        model_writer=model,
        vocab_size=len(characters) + len(TAGS) + 4,
        model_type="char",
        character_coverage=1.0,
        user_defined_symbols=list(TAGS),
        hard_vocab_limit=False,
        add_dummy_prefix=False,
        minloglevel=2,
        normalization_rule_name="identity",
    )
    (folder / "bpe.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def speak(corpus: list[Utterance], seed: int) -> list[np.ndarray]:
    """Every sentence by the unconverted voice at 16 kHz, at a random speed, level, margin and noise."""
    source, noise = random.Random(seed), np.random.default_rng(seed)
    voice = next(m for m in models(Settings()) if m.kind == "synthesizer").load("cpu")
    waves = []
    for item in corpus:
        options = SpeechOptions(language="zh", speed=source.choice((0.85, 1.0, 1.0, 1.0, 1.15)))
        pieces = list(voice.speak(item.plain, None, options))
        wave = soxr.resample(np.concatenate([p.samples for p in pieces]), pieces[0].rate, RATE)
        waves.append(_roughen(wave.astype(np.float32), source, noise))
    voice.close()
    return waves


def _roughen(wave: np.ndarray, source: random.Random, noise: np.random.Generator) -> np.ndarray:
    margins = [np.zeros(source.randint(0, 6000), np.float32) for _ in range(2)]
    wave = np.concatenate([margins[0], wave * 10 ** (source.uniform(-15, 3) / 20), margins[1]])
    level = np.sqrt(np.mean(wave**2)) * 10 ** (-source.uniform(20, 60) / 20)
    return wave + level * noise.standard_normal(len(wave)).astype(np.float32)


def features(waves: list[np.ndarray]) -> list[torch.Tensor]:
    """LFR filter banks, (frames, 560) each, not yet normalised."""
    from funasr.frontends.wav_frontend import WavFrontend

    frontend = WavFrontend(**FRONTEND, dither=0.0)
    return [frontend(torch.from_numpy(w)[None], torch.tensor([len(w)]))[0][0].half() for w in waves]


def write_cmvn(path: Path, items: list[torch.Tensor]) -> list[torch.Tensor]:
    """FunASR's am.mvn text format; returns the normalised features."""
    frames = torch.cat(items).float()
    mean, std = frames.mean(0), frames.std(0)
    shift = " ".join(f"{-v:.5f}" for v in mean.tolist())
    scale = " ".join(f"{1 / v:.5f}" for v in std.tolist())
    size = len(mean)
    path.write_text(
        f"<Nnet>\n<Splice> {size} {size}\n[ 0 ]\n<AddShift> {size} {size}\n<LearnRateCoef> 0 [ {shift} ]\n"
        f"<Rescale> {size} {size}\n<LearnRateCoef> 0 [ {scale} ]\n</Nnet>\n"
    )
    return [((item.float() - mean) / std).half() for item in items]


def targets(pieces: sentencepiece.SentencePieceProcessor, item: Utterance) -> list[list[int]]:
    """Ids without and with ITN: language, emotion, event, ITN tag, text."""
    head = [pieces.piece_to_id(tag) for tag in ("<|zh|>", "<|NEUTRAL|>", "<|Speech|>")]
    return [
        [*head, pieces.piece_to_id(tag), *pieces.EncodeAsIds(text)]
        for tag, text in (("<|woitn|>", item.plain), ("<|withitn|>", item.written))
    ]


def build(pieces: sentencepiece.SentencePieceProcessor) -> torch.nn.Module:
    import funasr  # noqa: F401  (fills the registry)
    from funasr.register import tables

    arguments = {key: value for key, value in CONFIG.items() if key not in ("model", "model_conf")}
    model = tables.model_classes["SenseVoiceSmall"](
        **CONFIG["model_conf"], **arguments, input_size=560, vocab_size=pieces.get_piece_size()
    )
    # The class maps the released vocabulary's tag ids to query embeddings; ours has ids of its own.
    model.lid_int_dict = {pieces.piece_to_id("<|zh|>"): 3}
    model.textnorm_int_dict = {pieces.piece_to_id("<|withitn|>"): 14, pieces.piece_to_id("<|woitn|>"): 15}
    return model.train()


def fit(model: torch.nn.Module, frames: list[torch.Tensor], wanted: list[list[list[int]]], minutes: float) -> None:
    """Cosine schedule over wall time, batches of one length."""
    order = sorted(range(len(frames)), key=lambda i: len(frames[i]))
    batches = [order[i : i + 24] for i in range(0, len(order), 24)]
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2, betas=(0.9, 0.98))
    begin, step, losses = time.monotonic(), 0, []
    while (part := (time.monotonic() - begin) / (60 * minutes)) < 1:
        batch = random.choice(batches)
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * part)) + 1e-6
        inputs = [frames[i].float() for i in batch]
        outputs = [torch.tensor(random.choice(wanted[i])) for i in batch]
        loss, stats, _ = model(
            torch.nn.utils.rnn.pad_sequence(inputs, batch_first=True),
            torch.tensor([len(x) for x in inputs]),
            torch.nn.utils.rnn.pad_sequence(outputs, batch_first=True, padding_value=-1),
            torch.tensor([len(y) for y in outputs]),
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        step += 1
        losses.append(stats["loss_ctc"].item())
        if step % 200 == 0:
            print(f"step {step} ({part:.0%}) ctc {np.mean(losses[-200:]):.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--utterances", type=int, default=6000)
    parser.add_argument("--minutes", type=float, default=20)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    random.seed(1)
    torch.manual_seed(1)
    corpus = list(islice(utterances(seed=1), given.utterances))
    pieces = train_tokenizer(given.out, corpus)
    frames = write_cmvn(given.out / "am.mvn", features(speak(corpus, seed=1)))
    model = build(pieces)
    fit(model, frames, [targets(pieces, item) for item in corpus], given.minutes)
    (given.out / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (given.out / "shengfang.toml").write_text(MARKER)
    (given.out / "configuration.json").write_text(json.dumps(LAYOUT))
    weights = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    torch.save(weights, given.out / "model.pt")
    shutil.rmtree(given.out / "__pycache__", ignore_errors=True)


if __name__ == "__main__":
    main()
