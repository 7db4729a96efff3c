#!/usr/bin/env python3
"""Expand this kit into a CosyVoice3 model directory in the official file layout.

    python build_model_dir.py OUT [--old-weight-norm]

The weights are small and random: the directory proves that a runtime computes what the reference computes, and says
nothing about how a voice sounds. Rows of the text embedding that no test sentence uses are zero, and the two ONNX
files are stand-ins with the official inputs and outputs. Needs torch.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch

HERE = Path(__file__).parent
BASE_VOCABULARY = 151643  # so that <|endofprompt|> becomes id 151646, as in the released tokenizer


def build(out: Path, old_weight_norm: bool = False) -> None:
    blank = out / "CosyVoice-BlankEN"
    blank.mkdir(parents=True, exist_ok=True)
    for name in ("flow.pt", "hift.pt", "campplus.onnx", "speech_tokenizer_v3.onnx"):
        shutil.copy(HERE / name, out / name)
    for name in ("config.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(HERE / name, blank / name)

    vocabulary = json.loads((HERE / "vocab_real.json").read_text(encoding="utf-8"))
    for index in range(BASE_VOCABULARY - len(vocabulary)):
        vocabulary[f"\u0100filler{index}"] = len(vocabulary)
    (blank / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")

    compact = torch.load(HERE / "llm_compact.pt", weights_only=True)
    embedding = torch.zeros(compact["embed_size"])
    embedding[compact["embed_rows"]] = compact["embed_values"]
    weights = dict(compact["weights"])
    weights["llm.model.model.embed_tokens.weight"] = embedding
    torch.save(weights, out / "llm.pt")

    if old_weight_norm:
        renamed = {
            key.replace(".parametrizations.weight.original0", ".weight_g").replace(
                ".parametrizations.weight.original1", ".weight_v"
            ): value
            for key, value in torch.load(out / "hift.pt", weights_only=True).items()
        }
        torch.save(renamed, out / "hift.pt")
    torch.save({}, out / "spk2info.pt")
    (out / "cosyvoice3.yaml").write_text("sample_rate: 24000\ntoken_frame_rate: 25\ntoken_mel_ratio: 2\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--old-weight-norm", action="store_true", help="write hift.pt with weight_g / weight_v keys")
    arguments = parser.parse_args()
    build(arguments.out, arguments.old_weight_norm)
