"""Which speaker embeddings belong to one voice: clustered at bounded memory for recordings of any length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Embedding = NDArray[np.float32]

_SAME = 0.6  # cosine above which two clusters are one voice
_MOST_AT_ONCE = 1500  # embeddings clustered exactly; the rest joins the nearest voice
_MOST_SPEAKERS = 15


def cluster(embeddings: Sequence[Embedding | None], speakers: int | None = None) -> list[int]:
    """A speaker's number for each embedding, in order of first appearance; where there is none, that of the one before.

    Agglomerative by cosine of the clusters' sums. Memory grows with the square of `_MOST_AT_ONCE` only: of longer
    recordings an even sample is clustered, and the rest joins the nearest voice.
    """
    known = [index for index, vector in enumerate(embeddings) if vector is not None]
    if not known:
        return [0] * len(embeddings)
    vectors = np.stack([np.asarray(embeddings[index], np.float32) for index in known])
    sample = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), _MOST_AT_ONCE)).astype(int))
    centres = _merge(vectors[sample], speakers)
    nearest = (vectors @ centres.T).argmax(axis=1)
    return _in_order_of_appearance(len(embeddings), dict(zip(known, nearest.tolist(), strict=True)))


def _merge(vectors: Embedding, speakers: int | None) -> Embedding:
    """Join the two most similar clusters until they are `speakers`, or different enough: unit centres."""
    sums, alive = vectors.copy(), np.ones(len(vectors), bool)
    similar = _cosines(sums)
    enough = _MOST_SPEAKERS if speakers is None else speakers
    while alive.sum() > 1:
        first, second = np.unravel_index(int(similar.argmax()), similar.shape)
        if alive.sum() <= enough and (speakers is not None or similar[first, second] < _SAME):
            break
        sums[first] += sums[second]
        alive[second] = False
        row = _unit(sums) @ _unit(sums[first : first + 1])[0]
        row[~alive], row[first] = -2, -2
        similar[first], similar[:, first] = row, row
        similar[second], similar[:, second] = -2, -2
    return _unit(sums[alive])


def _cosines(vectors: Embedding) -> Embedding:
    units = _unit(vectors)
    similar = units @ units.T
    np.fill_diagonal(similar, -2)
    return similar


def _unit(vectors: Embedding) -> Embedding:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), np.float32)


def _in_order_of_appearance(count: int, found: dict[int, int]) -> list[int]:
    numbers: dict[int, int] = {}
    labels: list[int] = []
    for index in range(count):
        if index in found:
            labels.append(numbers.setdefault(found[index], len(numbers)))
        else:
            labels.append(labels[-1] if labels else 0)
    return labels
