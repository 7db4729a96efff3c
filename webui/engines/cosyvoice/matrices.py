"""The matrices of the language model and the flow: in floating point, or in int8 for CPUs without half precision."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F

_LARGEST = 127
_TINY = torch.finfo(torch.float32).tiny  # the scale of a row of zeros


class Matrix(Protocol):
    """x (…, in) → (…, out)."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...

    def onto(self, base: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """`base` (n, out) plus the product of x (n, in)."""
        ...


def matrix(
    weight: torch.Tensor, bias: torch.Tensor | None, device: torch.device, dtype: torch.dtype
) -> FloatMatrix | Int8Matrix:
    """From weight (out, in) and bias (out,), a copy on `device`; torch.int8 on the CPU, else a floating type."""
    if dtype is torch.int8:
        return Int8Matrix(weight.float(), None if bias is None else bias.float())
    weight = weight.to(device, dtype, copy=True)
    return FloatMatrix(weight, None if bias is None else bias.to(device, dtype, copy=True))


def between(dtype: torch.dtype) -> torch.dtype:
    """What everything but the matrices is computed in."""
    return torch.float32 if dtype is torch.int8 else dtype


class FloatMatrix:
    """A product of one floating type."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self._weight, self._bias)

    def onto(self, base: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return torch.addmm(base, x, self._weight.T)  # the matrices this is for have no bias


class Int8Matrix:
    """int8 quantisation: a scale for each row of the weights, and one for each row of x found as it comes.

    float32 in and out. Symmetric rounding to -127…127 (Jacob et al. 2018), rows on their own so that one loud frame
    does not coarsen the others.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        scale = _scale(weight)
        self._weight = _whole(weight, scale).T  # (in, out), as the product reads it
        self._scale, self._bias = scale[:, 0], bias

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        scale = _scale(rows)
        product = torch._int_mm(_whole(rows, scale), self._weight).float().mul_(self._scale).mul_(scale)
        if self._bias is not None:
            product += self._bias
        return product.view(*x.shape[:-1], -1)

    def onto(self, base: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self(x).add_(base)


def _scale(rows: torch.Tensor) -> torch.Tensor:
    """(n, width) → (n, 1)."""
    return rows.abs().amax(1, keepdim=True).clamp_min_(_TINY) / _LARGEST


def _whole(rows: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (rows / scale).round_().to(torch.int8)
