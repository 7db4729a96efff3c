"""A CosyVoice3 folder: recognised by its content and checked, without torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from webui.engines import model_folders
from webui.engines.base import SynthesizerCapabilities
from webui.engines.cosyvoice.prompts import INSTRUCTIONS, MOST_INSTRUCTION
from webui.engines.weight_files import problem_of
from webui.errors import Notice, UserError
from webui.untrusted import read_json

LANGUAGES = ("zh", "yue", "en", "ja", "ko", "de", "es", "fr", "it", "ru")
LEAST_RATE = 16000  # Hz, of a prompt
CAPABILITIES = SynthesizerCapabilities(
    languages=LANGUAGES,
    streaming=True,
    instruct=True,
    instructions=tuple(INSTRUCTIONS.items()),
    instruct_characters=MOST_INSTRUCTION,
    pronunciation=True,
    convert=True,
    needs_transcript=True,
    prompt_rate=LEAST_RATE,
    own_voice=False,
    sample_rate=24000,
)
LANGUAGE_MODELS = ("llm.rl.pt", "llm.pt")  # the reinforced one makes fewer errors, where it is there
TOKENIZER = "CosyVoice-BlankEN"
NEEDED = (
    "flow.pt",
    "hift.pt",
    "campplus.onnx",
    "speech_tokenizer_v3.onnx",
    f"{TOKENIZER}/config.json",
    f"{TOKENIZER}/vocab.json",
    f"{TOKENIZER}/merges.txt",
)


def language_model(folder: Path) -> Path:
    """`llm.rl.pt` where it is there, else `llm.pt` (which may be missing)."""
    return next((folder / name for name in LANGUAGE_MODELS if (folder / name).is_file()), folder / "llm.pt")


def find_problem(folder: Path) -> Notice | None:
    """Why `folder` cannot be used; None where all files are there.

    A weight file that was cut off lacks the directory at its end, which is quickly seen.
    """
    version = _other_version(folder)
    if version:
        return broken(folder, "COSYVOICE_VERSION", version=version).notice
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not language_model(folder).is_file():
        missing.insert(0, "llm.pt")
    if missing:
        return broken(folder, "FILES_MISSING", files=", ".join(missing)).notice
    found = (problem_of(path, path.relative_to(folder).as_posix()) for path in files(folder))
    reason = next((each for each in found if each is not None), None)
    return model_folders.broken(folder.name, reason) if reason else None


def broken(folder: Path, reason: str, **params: Any) -> UserError:
    """MODEL_BROKEN for this folder; `reason` is a code of errors.toml, `params` name file and key."""
    return model_folders.broken(folder.name, Notice(reason, params)).as_error()


def read_config(folder: Path) -> dict[str, Any]:
    """The Qwen2 `config.json`. Raises UserError MODEL_BROKEN."""
    path = folder / TOKENIZER / "config.json"
    try:
        config = read_json(path)
        return {key: config[key] for key in ("num_attention_heads", "num_key_value_heads")} | config
    except (OSError, ValueError, KeyError, TypeError):
        raise broken(folder, "FILE_DAMAGED", file=f"{TOKENIZER}/config.json") from None


def files(folder: Path) -> list[Path]:
    """The files that are loaded, as far as they are there."""
    named = (folder / name for name in NEEDED)
    return [path for path in (language_model(folder), *named) if path.is_file()]


def revision(folder: Path) -> str:
    """A hash over the names and sizes of the files that are loaded."""
    names = "|".join(f"{path.name}:{path.stat().st_size}" for path in files(folder))
    return hashlib.sha256(names.encode()).hexdigest()[:12]


def is_cosyvoice(folder: Path) -> bool:
    """The vocoder beside one of the family's other files: nothing else has `hift.pt` or `campplus.onnx` so."""
    marks = ["cosyvoice.yaml", "cosyvoice2.yaml", "cosyvoice3.yaml", "hift.pt", "campplus.onnx", "flow.pt"]
    return sum((folder / name).is_file() for name in marks) >= 2


def _other_version(folder: Path) -> str | None:
    """The version of a CosyVoice folder that is not CosyVoice3."""
    if (folder / "cosyvoice3.yaml").is_file() or (folder / "speech_tokenizer_v3.onnx").is_file():
        return None
    for version, names in (("2", ("cosyvoice2.yaml", "speech_tokenizer_v2.onnx")), ("1", ("cosyvoice.yaml",))):
        if any((folder / name).is_file() for name in names):
            return f"CosyVoice{version}"
    return None
