"""A CosyVoice3 folder: recognised by its content, checked, and its tensors read safely."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui.devices import load_torch
from webui.engines.base import Capabilities, Model
from webui.engines.cosyvoice.prompts import INSTRUCTIONS, MOST_INSTRUCTION
from webui.errors import UserError

if TYPE_CHECKING:
    import torch

    from webui.settings import Settings

LANGUAGES = ("zh", "yue", "en", "ja", "ko", "de", "es", "fr", "it", "ru")
LEAST_RATE = 16000  # Hz, of a prompt
CAPABILITIES = Capabilities(
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


def models(settings: Settings) -> list[Model]:
    """The CosyVoice folders under `settings.models` and the one at `settings.model_path`."""
    return [_model(folder) for folder in _candidates(settings) if _is_cosyvoice(folder)]


def language_model(folder: Path) -> Path:
    """`llm.rl.pt` where it is there, else `llm.pt` (which may be missing)."""
    return next((folder / name for name in LANGUAGE_MODELS if (folder / name).is_file()), folder / "llm.pt")


def problem(folder: Path) -> tuple[str, Mapping[str, Any]] | None:
    """Why `folder` cannot be used, as (code, params) of errors.toml; None where all files are there.

    A weight file that was cut off lacks the directory at its end, which is quickly seen.
    """
    version = _other_version(folder)
    if version:
        return _broken(folder, "COSYVOICE_VERSION", version=version)
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not language_model(folder).is_file():
        missing.insert(0, "llm.pt")
    if missing:
        return _broken(folder, "FILES_MISSING", files=", ".join(missing))
    weights = (language_model(folder), folder / "flow.pt", folder / "hift.pt")
    damaged = next((path.name for path in weights if not zipfile.is_zipfile(path)), None)
    return _broken(folder, "FILE_DAMAGED", file=damaged) if damaged else None


def broken(folder: Path, reason: str, **params: Any) -> UserError:
    """MODEL_BROKEN for this folder; `reason` is a code of errors.toml, `params` name file and key."""
    code, filled = _broken(folder, reason, **params)
    return UserError(code, **filled)


def _broken(folder: Path, reason: str, **params: Any) -> tuple[str, Mapping[str, Any]]:
    return "MODEL_BROKEN", {"model": folder.name, "reason": {"code": reason, "params": params}}


def read_config(folder: Path) -> dict[str, Any]:
    """The Qwen2 `config.json`. Raises UserError MODEL_BROKEN."""
    path = folder / TOKENIZER / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return {key: config[key] for key in ("num_attention_heads", "num_key_value_heads")} | config
    except (OSError, ValueError, KeyError, TypeError):
        raise broken(folder, "FILE_DAMAGED", file=f"{TOKENIZER}/config.json") from None


class Weights:
    """The tensors of one `.pt` file, memory-mapped, taken by key."""

    def __init__(self, path: Path) -> None:
        """Raises UserError MODEL_BROKEN where the file is missing, cut off, or holds more than tensors."""
        import torch

        self.path = path
        try:
            tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            self._tensors: dict[str, torch.Tensor] = {
                key.removeprefix("generator."): value for key, value in tensors.items()
            }
        except FileNotFoundError:
            raise broken(path.parent, "FILES_MISSING", files=path.name) from None
        except Exception:  # torch raises a dozen kinds for a file that is no checkpoint
            raise broken(path.parent, "FILE_DAMAGED", file=path.name) from None

    def __contains__(self, key: str) -> bool:
        return key in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def take(self, key: str, *shape: int) -> torch.Tensor:
        """The tensor of `key`; `shape` as expected, -1 = any size.

        Raises UserError MODEL_BROKEN naming file and key.
        """
        tensor = self._tensors.get(key)
        if tensor is None or not hasattr(tensor, "shape"):
            raise self.missing(key)
        sizes = tuple(tensor.shape)
        wanted = tuple(got if want == -1 else want for want, got in zip(shape, sizes, strict=False))
        if shape and (wanted != sizes or len(shape) != len(sizes)):
            raise self.misshapen(key, shape)
        return tensor

    def count(self, prefix: str) -> int:
        """How many numbered entries follow `prefix` ("layers." → 24)."""
        numbers = {key.removeprefix(prefix).split(".", 1)[0] for key in self._tensors if key.startswith(prefix)}
        if not numbers:
            raise self.missing(f"{prefix}0")
        return len(numbers)

    def missing(self, key: str) -> UserError:
        """MODEL_BROKEN: the file lacks `key`."""
        return broken(self.path.parent, "WEIGHT_MISSING", file=self.path.name, key=key)

    def misshapen(self, key: str, expected: tuple[int, ...]) -> UserError:
        """MODEL_BROKEN: `key` has another shape than `expected` (-1 = any size)."""
        shape, wanted = (str(tuple(sizes)).replace("-1", "…") for sizes in (self._tensors[key].shape, expected))
        return broken(self.path.parent, "WEIGHT_SHAPE", file=self.path.name, key=key, shape=shape, expected=wanted)


def _candidates(settings: Settings) -> list[Path]:
    folders = sorted(path for path in settings.models.iterdir() if path.is_dir()) if settings.models.is_dir() else []
    return folders + ([settings.model_path] if settings.model_path and settings.model_path.is_dir() else [])


def _is_cosyvoice(folder: Path) -> bool:
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


def _model(folder: Path) -> Model:
    return Model(
        name=folder.name,
        engine="cosyvoice",
        kind="synthesizer",
        revision=_revision(folder),
        capabilities=CAPABILITIES,
        load=partial(_load, folder),
        device_kinds=("any",),
        default_rank=30,
        size_bytes=sum(path.stat().st_size for path in _files(folder)),
        problem=problem(folder),
        check_text=_check_text,
    )


def _files(folder: Path) -> list[Path]:
    named = (folder / name for name in NEEDED)
    return [path for path in (language_model(folder), *named) if path.is_file()]


def _revision(folder: Path) -> str:
    """A hash over the names and sizes of the files that are loaded."""
    names = "|".join(f"{path.name}:{path.stat().st_size}" for path in _files(folder))
    return hashlib.sha256(names.encode()).hexdigest()[:12]


def _check_text(text: str) -> None:
    from webui.engines.cosyvoice.tokenizer import spell

    spell(text)


def _load(folder: Path, device: str) -> Any:
    load_torch()
    from webui.engines.cosyvoice.synthesizer import CosyVoiceSynthesizer

    found = problem(folder)
    if found:
        raise UserError(found[0], **found[1])
    return CosyVoiceSynthesizer.load(folder, device, _revision(folder))
