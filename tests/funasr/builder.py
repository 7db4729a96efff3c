"""Model folders of the released architectures with random weights: reduced for tests, full size for benchmarks.

File names and configurations are those of the releases, with what is of use to a training only.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

_FRONTEND = {
    "fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10, "lfr_m": 7, "lfr_n": 6,
}  # fmt: skip
_TRAINING: dict[str, Any] = {
    "train_conf": {"accum_grad": 1, "max_epoch": 150, "val_scheduler_criterion": ["valid", "acc"]},
    "optim": "adam",
    "optim_conf": {"lr": 0.0005},
    "scheduler": "warmuplr",
    "scheduler_conf": {"warmup_steps": 30000},
    "dataset_conf": {"index_ds": "IndexDSJsonl", "batch_size": 1, "rate": "${optim_conf.lr}"},
}
_MASKS: dict[str, Any] = {
    "specaug": "SpecAugLFR",
    "specaug_conf": {"apply_time_warp": False, "apply_freq_mask": True, "freq_mask_width_range": [0, 30]}
    | {"lfr_rate": 6, "num_freq_mask": 1, "apply_time_mask": True, "time_mask_width_range": [0, 12]},
    "ctc_conf": {"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True, "ignore_nan_grad": True},
    "normalize": None,
}
_SPECTOK = "chn_jpn_yue_eng_ko_spectok.bpe.model"
_TAGS = ["<|zh|>", "<|en|>", "<|yue|>", "<|ja|>", "<|ko|>", "<|nospeech|>", "<|HAPPY|>", "<|NEUTRAL|>"]
_TAGS += ["<|EMO_UNKNOWN|>", "<|Speech|>", "<|withitn|>", "<|woitn|>"]


def sense_voice(folder: Path, full: bool = False, width: int = 64, blocks: int = 3) -> Path:
    """SenseVoiceSmall: 234 M parameters in full, some 0.3 M reduced to `width` and `blocks`."""
    vocabulary = 25055 if full else 120
    pieces = _write_sentencepiece(folder / _SPECTOK, vocabulary)
    (folder / "tokens.json").write_text(json.dumps([*pieces[1:], pieces[1]]), "utf-8")  # of other tools, not of FunASR
    config = {
        **_TRAINING,
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {
            **_sanm_encoder(50 if full else blocks, 512 if full else width),
            "tp_blocks": 20 if full else 2,
        },
        "frontend": "WavFrontend",
        # no dither, as in the published configuration: FunASR's default is then noise
        "frontend_conf": {**_FRONTEND, "cmvn_file": None},
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
    }
    return _finish(folder, config, {"tokenizer_conf": {"bpemodel": _SPECTOK}})


def paraformer(
    folder: Path, full: bool = False, contextual: bool = True, streaming: bool = False, plain_class: str = "Paraformer"
) -> Path:
    """SeACo-Paraformer (247 M parameters in full), plain Paraformer or another class, or the streaming one."""
    width, vocabulary = (512, 8404) if full else (64, 120)
    (folder / "tokens.json").write_text(json.dumps(_characters(vocabulary), ensure_ascii=False), "utf-8")
    seg_dict = "".join(f"{token} {token}\n" for token in _characters(vocabulary)[3:-1])
    (folder / "seg_dict").write_text(seg_dict, "utf-8")
    predictor: dict[str, Any] = {"idim": width, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
    config: dict[str, Any] = {
        **_TRAINING,
        **_MASKS,
        "model": plain_class,
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
    if plain_class == "ContextualParaformer":
        config["decoder"] = "ContextualParaformerDecoder"
        config["model_conf"] |= {"inner_dim": width}
    if contextual:
        config |= _contextual(width, full, vocabulary)
        config["model_conf"] |= config.pop("bias_conf")
    if contextual or plain_class == "BiCifParaformer":
        config["predictor"] = "CifPredictorV3"
        predictor |= {"smooth_factor2": 0.25, "noise_threshold2": 0.01, "upsample_times": 3}
        predictor |= {"use_cif1_cnn": False, "upsample_type": "cnn_blstm"}
    if streaming:
        config |= {"model": "ParaformerStreaming", "encoder": "SANMEncoderChunkOpt", "frontend": "WavFrontendOnline"}
        config["encoder_conf"] |= {"chunk_size": [12, 15], "stride": [8, 10], "pad_left": [0, 0]}
        config["encoder_conf"] |= {"encoder_att_look_back_factor": [4, 4], "decoder_att_look_back_factor": [1, 1]}
        config["encoder_conf"] |= {"input_layer": "pe_online"}
        config["decoder_conf"] |= {"sanm_shfit": 5}
        predictor |= {"tail_mask": False}
    return _finish(folder, config, {"tokenizer_conf": {"token_list": "tokens.json", "seg_dict_file": "seg_dict"}})


def nano(folder: Path, with_ctc: bool = True, full: bool = False) -> Path:
    """Fun-ASR-Nano (0.9 G parameters in full): SenseVoice encoder, adaptor, Qwen3; some releases lack the CTC head."""
    vocabulary = _write_tiktoken(folder / "multilingual.tiktoken")
    tokens = _write_qwen(folder / "Qwen3-0.6B", full)
    width = 512 if full else 64
    layer = {"downsample_rate": 1, "ffn_dim": 2048 if full else 64, "llm_dim": width, "encoder_dim": width}
    layer |= {"n_layer": 5 if full else 1, "freeze": False}
    config = {
        "model": "FunASRNano",
        "model_conf": {"length_normalized_loss": True},
        "audio_encoder": "SenseVoiceEncoderSmall",
        "audio_encoder_conf": {
            **_sanm_encoder(50 if full else 2, width),
            "tp_blocks": 20 if full else 1,
            "freeze": True,
            "freeze_layer_num": -1,
        },
        "audio_adaptor": "Transformer",
        "audio_adaptor_conf": {**layer, "n_layer": 2 if full else 1, "use_low_frame_rate": True},
        "llm": "Qwen3-0.6b",
        "llm_conf": {
            "hub": "hf",
            "freeze": True,
            "llm_dtype": "bf16",
            "init_param_path": "elsewhere/Qwen3-0.6B",
            "use_lora": True,  # merged into the weights
            "lora_conf": {"task_type": "CAUSAL_LM", "r": 16, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]},
        },
        "ctc_decoder": "Transformer",
        "detach_ctc_decoder": True,
        "ctc_decoder_conf": layer,
        "ctc_vocab_size": 60515 if full else vocabulary + 1,
        "ctc_conf": {"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True, "ignore_nan_grad": True},
        "ctc_weight": 1e-5,
        "dataset_conf": {
            "do_think": False,
            "sys_prompt": True,
            "ctc_tokenizer": "SenseVoiceTokenizer",
            "ctc_tokenizer_conf": {"vocab_path": None, "is_multilingual": True, "num_languages": 8749},
        },
        "ctc_tokenizer": "${dataset_conf.ctc_tokenizer}",
        "ctc_tokenizer_conf": "${dataset_conf.ctc_tokenizer_conf}",
        "train_conf": {"use_lora": "${llm_conf.use_lora}"},
        "frontend": "WavFrontend",
        "frontend_conf": {**_FRONTEND, "cmvn_file": None},
        "tokenizer": "HuggingfaceTokenizer",
        "tokenizer_conf": {"init_param_path": "${llm_conf.init_param_path}"},
    }
    tiktoken = {"ctc_tokenizer_conf": {"vocab_path": "multilingual.tiktoken"}}
    _finish(folder, config, {"llm_conf": {"init_param_path": tokens.name}, "dataset_conf": tiktoken}, cmvn=False)
    _as_released(folder)
    if not with_ctc:
        without(folder, "ctc")
    return folder


def campplus(folder: Path, full: bool = False) -> Path:
    """CAM++ (7 M parameters in full); its embeddings are meaningless, and the same for the same sound."""
    sizes = {"feat_dim": 80, "embedding_size": 24, "growth_rate": 8, "bn_size": 2, "init_channels": 16}
    if full:
        sizes |= {"embedding_size": 192, "growth_rate": 32, "bn_size": 4, "init_channels": 128}
    config = {
        "model": "CAMPPlus",
        "model_conf": {**sizes, "config_str": "batchnorm-relu", "memory_efficient": True, "output_level": "segment"},
        "frontend": "WavFrontend",
        "frontend_conf": {"fs": 16000},
    }
    return _finish(folder, config, {"init_param": "campplus_cn_common.bin"}, cmvn=False)


def punctuation(folder: Path, full: bool = False, words: tuple[str, ...] = ()) -> Path:
    """ct-punc (70 M parameters in full, most of them the embedding); its marks are meaningless.

    `words`: of the large one, which goes by words that jieba finds.
    """
    import torch

    vocabulary, width = (272727, 256) if full else (300, 32)
    (folder / "tokens.json").write_text(json.dumps([*words, *_characters(vocabulary - len(words))]), "utf-8")
    metas: dict[str, Any] = {"tokenizer_conf": {"token_list": "tokens.json"}}
    if words:
        (folder / "jieba_usr_dict").write_text("".join(f"{word}\n" for word in words), "utf-8")
        metas["jieba_usr_dict"] = "jieba_usr_dict"
    config = {
        "model": "CTTransformer",
        "model_conf": {
            "ignore_id": 0,
            "embed_unit": width,
            "att_unit": width,
            "dropout_rate": 0.1,
            "punc_list": ["<unk>", "_", ",", "。", "?", "、"],
            "punc_weight": [1.0] * 6,
            "sentence_end_id": 3,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": {**_sanm_encoder(4, width), "input_size": width, "attention_heads": 8, "padding_idx": 0},
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>"},
    }
    _finish(folder, config, metas, cmvn=False)
    state = torch.load(folder / "model.pt", weights_only=True)
    state["decoder.bias"][0] = -1e4  # a trained model never sets <unk>
    torch.save(state, folder / "model.pt")
    return folder


def _as_released(folder: Path) -> None:
    """In bfloat16; the language model chooses among a…z only, so that its random bytes are text."""
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
    merged = {key: value.to(torch.bfloat16) for key, value in state.items() if ".lora_" not in key}
    torch.save(merged, folder / "model.pt")


def saved_as(file: Path, wrapper: str = "", prefix: str = "", legacy: bool = False) -> None:
    """The weights in another of the forms in which checkpoints are saved."""
    import torch

    state = {prefix + key: value for key, value in torch.load(file, weights_only=True).items()}
    saved = {wrapper: state, "epoch": 3, "optimizer": {"lr": 0.1}} if wrapper else state
    torch.save(saved, file, _use_new_zipfile_serialization=not legacy)


def without(folder: Path, prefix: str) -> None:
    """Take the weights that begin with `prefix` out of the folder's file."""
    import torch

    state = torch.load(folder / "model.pt", weights_only=True)
    torch.save({key: value for key, value in state.items() if not key.startswith(prefix)}, folder / "model.pt")


_QWEN = {
    "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128,
}  # fmt: skip
_SMALL_QWEN = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16,
}  # fmt: skip


def _write_qwen(folder: Path, full: bool) -> Path:
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
        vocab_size=151936 if full else len(wrapped),
        **(_QWEN if full else _SMALL_QWEN),
        tie_word_embeddings=True,
        eos_token_id=wrapped.eos_token_id,
        pad_token_id=wrapped.pad_token_id,
        architectures=["Qwen3ForCausalLM"],
    ).save_pretrained(folder)
    return folder


def _write_tiktoken(file: Path) -> int:
    """Single bytes and two merges, as the first lines of Whisper's multilingual vocabulary; the tokens in all."""
    from funasr.models.sense_voice.whisper_lib.tokenizer import get_tokenizer

    tokens = [*(bytes([byte]) for byte in range(256)), b" h", "你好".encode()[:2]]
    lines = [f"{base64.b64encode(token).decode()} {rank}" for rank, token in enumerate(tokens)]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return int(get_tokenizer(multilingual=True, num_languages=8749, vocab_path=str(file)).get_vocab_size())


def _contextual(width: int, full: bool, vocabulary: int) -> dict[str, Any]:
    return {
        "model": "SeacoParaformer",
        "bias_conf": {
            "inner_dim": width,
            "bias_encoder_type": "lstm",
            "bias_encoder_bid": False,
            "train_decoder": False,
            "NO_BIAS": vocabulary - 27,
        },
        "seaco_decoder": "ParaformerSANMDecoder",
        "seaco_decoder_conf": {
            **_sanm_decoder(4, 1024 if full else 96, 21),
            "att_layer_num": 6,
            "use_output_layer": False,
            "wo_input_layer": True,
        },
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


def _write_sentencepiece(file: Path, count: int) -> list[str]:
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
    file.write_bytes(model.SerializeToString())
    return pieces


def _finish(folder: Path, config: dict[str, Any], metas: dict[str, Any], cmvn: bool = True) -> Path:
    """Write the configuration and random weights, as a release has them."""
    import torch

    from webui.engines.funasr.folder import read
    from webui.engines.funasr.loading import construct

    metas = {"init_param": "model.pt", "config": "config.yaml", **metas}
    if cmvn:
        _write_cmvn(folder / "am.mvn", config["frontend_conf"]["n_mels"] * config["frontend_conf"]["lfr_m"])
        metas |= {"frontend_conf": {"cmvn_file": "am.mvn"}}
    described = {
        "framework": "pytorch",
        "task": "auto-speech-recognition",
        "model": {"type": "funasr"},
        "pipeline": {"type": "funasr-pipeline"},
        "model_name_in_hub": {"ms": "", "hf": ""},
        "file_path_metas": metas,
    }
    (folder / "configuration.json").write_text(json.dumps(described), "utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    (folder / metas["init_param"]).write_bytes(b"")
    found = read(folder)
    assert found is not None
    torch.manual_seed(7)
    torch.save(construct(found).model.state_dict(), folder / metas["init_param"])
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
