"""The tensors of a weight file: memory-mapped, read safely, taken by key and checked for their shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from webui.engines.cosyvoice.folder import broken
from webui.errors import UserError


class Weights:
    """The tensors of one `.pt` file, memory-mapped, taken by key."""

    def __init__(self, path: Path) -> None:
        """Raises UserError MODEL_BROKEN where the file is missing, cut off, or holds more than tensors."""
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
