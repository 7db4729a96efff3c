"""The comparison with stock FunASR: what it runs, how it groups segments, what it prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks import transcribe
from webui.engines.base import Waveform
from webui.pages import application


def of(*seconds: float) -> list[Waveform]:
    return [Waveform(np.zeros(round(16000 * each), np.float32), 16000) for each in seconds]


def test_batches_are_those_of_a_job() -> None:
    lengths = [[each.seconds for each in batch] for batch in transcribe.batches(of(3, 4, 20, 2, 1), seconds=7)]
    assert lengths == [[3, 4], [20], [2, 1]]
    assert len(list(transcribe.batches(of(1, 1, 1), seconds=0))) == 3
    assert [len(batch) for batch in transcribe.batches(of(*[1] * 70), seconds=300)] == [64, 6]


def test_each_way_is_compared_with_stock_of_the_same_batch() -> None:
    runs = {
        "stock, batch 1": (40.0, "你好吗"),
        "stock, batch full": (10.0, "你好吗"),
        "torch, batch full": (5.0, "你好"),
    }
    results = transcribe.summary({name: {"wall_s": wall, "text": text} for name, (wall, text) in runs.items()})
    assert results["torch, batch full"] == {"wall_s": 5.0, "times_stock": 2.0, "text_difference": 0.3333}
    assert results["stock, batch 1"] == {"wall_s": 40.0}


def test_accelerators_run_with_one_segment_and_with_full_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["transcribe", "--random", "sensevoice,nano", "a.wav", "--device", "cuda:0"])
    arguments = transcribe.parse()
    assert (arguments.random, arguments.batch) == (["sensevoice", "nano"], ["1", "full"])
    assert arguments.ways == ("stock", "torch") and arguments.file == Path("a.wav")
    monkeypatch.setattr(sys, "argv", ["transcribe", "--random", "whisper", "a.wav"])
    with pytest.raises(SystemExit):
        transcribe.parse()


def test_a_run_prints_speed_and_memory(
    model_folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoken = application.STATIC / "samples" / "sample_en.wav"
    command = ["transcribe", str(model_folders / "sensevoice"), str(spoken), "--ways", "torch"]
    monkeypatch.setattr(sys, "argv", [*command, "--threads", "1", "--repeat", "2"])
    transcribe.main()
    result = json.loads(capsys.readouterr().out)["sensevoice"]["torch"]
    assert result["audio_s"] == round(2 * soundfile.info(spoken).duration, 1)
    assert result["model_x_real_time"] > result["x_real_time"] > 0
    assert 0 < result["outside_model"] < 1 and result["peak_mb"] > 100 and "text" not in result
