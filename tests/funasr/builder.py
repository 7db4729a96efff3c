"""Model folders of the released architectures with random weights: reduced for tests, full size for benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

_FRONTEND = {
    "fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10, "lfr_m": 7, "lfr_n": 6,
}  # fmt: skip
_TAGS = ["<|zh|>", "<|en|>", "<|yue|>", "<|ja|>", "<|ko|>", "<|nospeech|>", "<|HAPPY|>", "<|NEUTRAL|>"]
_TAGS += ["<|EMO_UNKNOWN|>", "<|Speech|>", "<|withitn|>", "<|woitn|>"]


def sense_voice(folder: Path, full: bool = False, width: int = 64, blocks: int = 3) -> Path:
    """SenseVoiceSmall: 234 M parameters in full, some 0.3 M reduced to `width` and `blocks`."""
    vocabulary = 25055 if full else 120
    _write_sentencepiece(folder, vocabulary)
    config = {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {
            **_sanm_encoder(50 if full else blocks, 512 if full else width),
            "tp_blocks": 20 if full else 2,
        },
        "frontend": "WavFrontend",
        "frontend_conf": _FRONTEND,  # no dither, as in the published configuration: FunASR's default is then noise
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
    }
    return _finish(folder, config, {"tokenizer_conf": {"bpemodel": "bpe.model"}})


def paraformer(folder: Path, full: bool = False, contextual: bool = True, streaming: bool = False) -> Path:
    """SeACo-Paraformer (247 M parameters in full), plain Paraformer, or the streaming one."""
    width, vocabulary = (512, 8404) if full else (64, 120)
    (folder / "tokens.json").write_text(json.dumps(_characters(vocabulary), ensure_ascii=False), "utf-8")
    seg_dict = "".join(f"{token} {token}\n" for token in _characters(vocabulary)[3:-1])
    (folder / "seg_dict").write_text(seg_dict, "utf-8")
    predictor: dict[str, Any] = {"idim": width, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
    config: dict[str, Any] = {
        "model": "Paraformer",
        "model_conf": {"ctc_weight": 0.0, "lsm_weight": 0.1, "length_normalized_loss": True, "predictor_bias": 1},
        "encoder": "SANMEncoder",
        "encoder_conf": _sanm_encoder(50 if full else 3, width),
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": _sanm_decoder(16 if full else 3, 2048 if full else 96, 11),
        "predictor": "CifPredictorV2",
        "predictor_conf": predictor,
        "frontend": "WavFrontend",
        "frontend_conf": _FRONTEND,
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
    }
    if contextual:
        config |= _contextual(width, full, vocabulary)
        config["model_conf"] |= config.pop("bias_conf")
        predictor |= {"smooth_factor2": 0.25, "noise_threshold2": 0.01, "upsample_times": 3}
        predictor |= {"use_cif1_cnn": False, "upsample_type": "cnn_blstm"}
    if streaming:
        config |= {"model": "ParaformerStreaming", "encoder": "SANMEncoderChunkOpt", "frontend": "WavFrontendOnline"}
        config["encoder_conf"] |= {"chunk_size": [12, 15], "stride": [8, 10], "pad_left": [0, 0]}
        config["encoder_conf"] |= {"encoder_att_look_back_factor": [4, 4], "decoder_att_look_back_factor": [1, 1]}
        config["encoder_conf"] |= {"input_layer": "pe_online"}
        config["decoder_conf"] |= {"sanm_shfit": 5}
        predictor |= {"tail_mask": False}
    return _finish(folder, config, {"tokenizer_conf": {"token_list": "tokens.json", "seg_dict": "seg_dict"}})


def nano(folder: Path, with_ctc: bool = True) -> Path:
    """Fun-ASR-Nano in small: SenseVoice encoder, adaptor, a Qwen3 of two layers; some releases lack the CTC head."""
    _write_sentencepiece(folder, 120)
    tokens = _write_qwen(folder / "Qwen3-0.6B")
    config = {
        "model": "FunASRNano",
        "model_conf": {"length_normalized_loss": True},
        "audio_encoder": "SenseVoiceEncoderSmall",
        "audio_encoder_conf": {**_sanm_encoder(2, 64), "tp_blocks": 1, "freeze": True},
        "audio_adaptor": "Transformer",
        "audio_adaptor_conf": {"downsample_rate": 1, "ffn_dim": 64, "llm_dim": 64, "encoder_dim": 64, "n_layer": 1},
        "llm": "Qwen3-0.6b",
        "llm_conf": {"hub": "hf", "freeze": True, "llm_dtype": "fp32"},
        "ctc_decoder": "Transformer",
        "ctc_decoder_conf": {"downsample_rate": 1, "ffn_dim": 64, "llm_dim": 64, "encoder_dim": 64, "n_layer": 1},
        "ctc_tokenizer": "SentencepiecesTokenizer",
        "ctc_tokenizer_conf": {},
        "ctc_vocab_size": 121,
        "ctc_conf": {},
        "dataset_conf": {"do_think": True, "sys_prompt": True},
        "frontend": "WavFrontend",
        "frontend_conf": _FRONTEND,
        "tokenizer": "HuggingfaceTokenizer",
        "tokenizer_conf": {},
    }
    model = {"init_param_path": tokens.name}
    metas = {"tokenizer_conf": model, "llm_conf": model, "ctc_tokenizer_conf": {"bpemodel": "bpe.model"}}
    _finish(folder, config, metas)
    _say_letters(folder)
    if not with_ctc:
        without(folder, "ctc")
    return folder


def campplus(folder: Path) -> Path:
    """CAM++ of reduced size; its prints are meaningless, and the same for the same sound."""
    import torch

    from webui.engines.funasr.folder import read
    from webui.engines.funasr.loading import construct

    sizes = {"feat_dim": 80, "embedding_size": 24, "growth_rate": 8, "bn_size": 2, "init_channels": 16}
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": "CAMPPlus", "model_conf": sizes}), "utf-8")
    (folder / "model.pt").write_bytes(b"")
    described = read(folder)
    assert described is not None
    torch.manual_seed(7)
    torch.save(construct(described).model.state_dict(), folder / "model.pt")
    return folder


def _say_letters(folder: Path) -> None:
    """Let the language model choose among a…z only, so that its random bytes are text."""
    import torch
    from transformers import AutoTokenizer

    letters = AutoTokenizer.from_pretrained(folder / "Qwen3-0.6B").convert_tokens_to_ids(
        list("abcdefghijklmnopqrstuvwxyz")
    )
    state = torch.load(folder / "model.pt", weights_only=True)
    for key in [key for key in state if key.endswith(("embed_tokens.weight", "lm_head.weight"))]:
        kept = torch.zeros_like(state[key])
        kept[letters] = state[key][letters]
        state[key] = kept
    torch.save(state, folder / "model.pt")


def without(folder: Path, prefix: str) -> None:
    """Take the weights that begin with `prefix` out of the folder's file."""
    import torch

    state = torch.load(folder / "model.pt", weights_only=True)
    torch.save({key: value for key, value in state.items() if not key.startswith(prefix)}, folder / "model.pt")


def _write_qwen(folder: Path) -> Path:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: index for index, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>")
    wrapped.save_pretrained(folder)
    Qwen3Config(
        vocab_size=len(wrapped),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        tie_word_embeddings=True,
        eos_token_id=wrapped.eos_token_id,
        pad_token_id=wrapped.pad_token_id,
        architectures=["Qwen3ForCausalLM"],
    ).save_pretrained(folder)
    return folder


def _contextual(width: int, full: bool, vocabulary: int) -> dict[str, Any]:
    return {
        "model": "SeacoParaformer",
        "bias_conf": {"inner_dim": width, "bias_encoder_type": "lstm", "NO_BIAS": vocabulary - 27},
        "seaco_decoder": "ParaformerSANMDecoder",
        "seaco_decoder_conf": {
            **_sanm_decoder(6, 1024 if full else 96, 21),
            "use_output_layer": False,
            "wo_input_layer": True,
        },
        "predictor": "CifPredictorV3",
    }


def _sanm_encoder(blocks: int, width: int) -> dict[str, Any]:
    return {
        "output_size": width,
        "attention_heads": 4,
        "linear_units": width * 4,
        "num_blocks": blocks,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "attention_dropout_rate": 0.1,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": 11,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
    }


def _sanm_decoder(blocks: int, units: int, kernel: int) -> dict[str, Any]:
    return {
        "attention_heads": 4,
        "linear_units": units,
        "num_blocks": blocks,
        "att_layer_num": blocks,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "self_attention_dropout_rate": 0.1,
        "src_attention_dropout_rate": 0.1,
        "kernel_size": kernel,
        "sanm_shfit": 0,
    }


def _characters(count: int) -> list[str]:
    return ["<blank>", "<s>", "</s>", *(chr(0x4E00 + index) for index in range(count - 4)), "<unk>"]


def _write_sentencepiece(folder: Path, count: int) -> None:
    from sentencepiece import sentencepiece_model_pb2 as proto

    model = proto.ModelProto()
    pieces = ["<unk>", "<s>", "</s>", *_TAGS, "▁", "，", "。", *"0123456789abcdefghijklmnopqrstuvwxyz"]
    pieces += [chr(0x4E00 + index) for index in range(count - len(pieces))]
    for index, piece in enumerate(pieces):
        kind = {0: 2, 1: 3, 2: 3}.get(index, 4 if piece.startswith("<|") else 1)
        model.pieces.add(piece=piece, score=-float(index), type=kind)
    model.trainer_spec.model_type = 2  # BPE
    model.trainer_spec.vocab_size = count
    model.normalizer_spec.name = "identity"
    (folder / "bpe.model").write_bytes(model.SerializeToString())


def _finish(folder: Path, config: dict[str, Any], metas: dict[str, Any]) -> Path:
    """Write the configuration and random weights, as a release has them."""
    import torch

    from webui.engines.funasr.folder import read
    from webui.engines.funasr.loading import construct

    size = config["frontend_conf"]["n_mels"] * config["frontend_conf"]["lfr_m"]
    _write_cmvn(folder / "am.mvn", size)
    metas = {"init_param": "model.pt", "config": "config.yaml", "frontend_conf": {"cmvn_file": "am.mvn"}, **metas}
    (folder / "configuration.json").write_text(json.dumps({"framework": "pytorch", "file_path_metas": metas}), "utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    (folder / "model.pt").write_bytes(b"")
    described = read(folder)
    assert described is not None
    torch.manual_seed(7)
    torch.save(construct(described).model.state_dict(), folder / "model.pt")
    return folder


def _write_cmvn(file: Path, size: int) -> None:
    generator = np.random.default_rng(3)
    shift = " ".join(f"{number:.4f}" for number in generator.normal(-8, 1, size))
    scale = " ".join(f"{number:.4f}" for number in generator.uniform(0.1, 0.3, size))
    file.write_text(
        f"<Nnet>\n<Splice> {size} {size}\n[ 0 ]\n<AddShift> {size} {size}\n<LearnRateCoef> 0 [ {shift} ]\n"
        f"<Rescale> {size} {size}\n<LearnRateCoef> 0 [ {scale} ]\n</Nnet>\n",
        "utf-8",
    )
