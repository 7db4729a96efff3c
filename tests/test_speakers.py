"""Telling voices apart: few of them, one of them, ten hours of them, and a step that takes several turns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.funasr.conftest import in_child
from webui.audio.speaker_clusters import cluster
from webui.engines.base import Capabilities, EmbedderModel, Waveform
from webui.jobs.speakers import SpeakerStep

__all__ = ["in_child"]

_TEN_HOURS = """
import resource, sys
import numpy as np
from webui.audio.speaker_clusters import cluster
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
random = np.random.default_rng(0)
voices = np.linalg.qr(random.normal(size=(192, 4)))[0].T
who = random.integers(0, 4, 15_000)
prints = list((voices[who] + random.normal(0, .03, (15_000, 192))).astype(np.float32))
before = peak()
labels = cluster(prints)
order = list(dict.fromkeys(who.tolist()))
assert [order[label] for label in labels] == who.tolist()
print(peak() - before)
"""


def test_ten_hours_of_embeddings_are_told_apart_in_bounded_memory(in_child: Callable[..., str]) -> None:
    assert float(in_child(_TEN_HOURS)) < 100  # MB


def test_one_voice_is_one_speaker_and_one_segment_is_one_too() -> None:
    random = np.random.default_rng(1)
    voice = random.normal(size=192)
    same = [np.float32((noisy := voice + random.normal(0, 0.3, 192)) / np.linalg.norm(noisy)) for _ in range(40)]
    assert cluster(same) == [0] * 40
    assert cluster(same[:1]) == [0]
    assert cluster([None, same[0]]) == [0, 0]
    assert cluster([]) == []


class Printer:
    """A speaker embedding that is the segment's loudness; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def embed(self, waveform: Waveform) -> np.ndarray | None:
        level = float(np.abs(waveform.samples).max())
        self.asked.append(level)
        return None if level == 0 else np.float32([1, 0] if level > 0.3 else [0, 1])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A job of a hundred seconds, by turns loud, soft and silent, on a worker that is wanted elsewhere."""
    levels = np.tile(np.repeat([0.5, 0.1, 0.0], 16000), 34)[: 100 * 16000]
    soundfile.write(tmp_path / "work.wav", levels, 16000, "PCM_16")
    monkeypatch.setattr("webui.jobs.speakers.WORKING_COPY", "work.wav")
    rows = [SimpleNamespace(idx=n, state="done", start=n, end=n + 1, channel=0) for n in range(100)]
    printer, turns = Printer(), iter([True, True, False, False, False, False])
    yield SimpleNamespace(
        printer=printer,
        models=lambda: [EmbedderModel("campplus", "funasr", "1", Capabilities(), lambda _device: printer)],
        upload=lambda _job, name: tmp_path / name,
        jobs=SimpleNamespace(segments=lambda *_ids: rows),
        queue=SimpleNamespace(progress=lambda *_arguments: None),
        hand_over=lambda *_arguments: next(turns),
        host=SimpleNamespace(use=lambda *_arguments: contextlib.nullcontext(printer)),
    )


def test_prints_are_kept_over_turns(stage: Any, tmp_path: Path) -> None:
    claim: Any = SimpleNamespace(job=None, lease=SimpleNamespace(owner_id=1, uid="u"))
    turns = [SpeakerStep(stage, claim).run(None) for _ in range(3)]  # type: ignore[arg-type]
    assert turns[:2] == [None, None] and turns[2] is not None
    assert len(stage.printer.asked) == 100 and not (tmp_path / "voices.npz").exists()
    assert [turns[2][n] for n in range(6)] == ["1", "2", "2", "1", "2", "2"]


def test_a_torn_file_of_prints_is_begun_anew(stage: Any, tmp_path: Path) -> None:
    claim: Any = SimpleNamespace(job=None, lease=SimpleNamespace(owner_id=1, uid="u"))
    assert SpeakerStep(stage, claim).run(None) is None  # type: ignore[arg-type]
    kept = (tmp_path / "voices.npz").read_bytes()
    (tmp_path / "voices.npz").write_bytes(kept[: len(kept) // 2])
    stage.hand_over = lambda *_arguments: False
    found = SpeakerStep(stage, claim).run(None)  # type: ignore[arg-type]
    assert found is not None and len(found) == 100 and len(stage.printer.asked) == 132
