"""The benchmark's random folder has the official keys, and its figures are of every stage."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import torch

from benchmarks import cosyvoice as benchmark
from webui.engines import cosyvoice
from webui.engines.cosyvoice import graphs

from .device_parity import LIMITS
from .graphs_kit import Refusing, install

ROOT = Path(__file__).resolve().parents[2]


def kinds(keys):
    """Keys with their numbers taken out, except those of the sequences that name a layer's place."""
    return {re.sub(r"(layers|transformer_blocks)\.\d+", r"\1.N", key) for key in keys}


def test_the_full_size_weights_have_the_official_keys(cosyvoice_folder):
    for name, shapes in (
        ("llm.pt", benchmark.llm_shapes()),
        ("flow.pt", benchmark.flow_shapes()),
        ("hift.pt", benchmark.hift_shapes()),
    ):
        official = torch.load(cosyvoice_folder / name, weights_only=True, mmap=True)
        assert kinds(shapes) == kinds(official) - {"llm.model.lm_head.weight"}


def test_the_full_size_is_the_published_one():
    millions = [
        sum(torch.Size(shape).numel() for shape in shapes.values()) / 1e6
        for shapes in (benchmark.llm_shapes(), benchmark.flow_shapes(), benchmark.hift_shapes())
    ]
    assert [round(count, 1) for count in millions] == [506.1, 332.3, 20.8]


def test_every_stage_is_measured(cosyvoice_folder):
    figures = benchmark.measure(cosyvoice.load(cosyvoice_folder), tokens=80, steps=1)
    assert all(value > 0 for value in figures.values()), figures
    assert figures["total_s"] >= figures["flow_s"] + figures["vocoder_s"]


def test_no_length_is_new_twice(cosyvoice_folder, monkeypatch):
    lengths, prompts = [], []
    spoken, voice = benchmark._spoken, benchmark._voice
    monkeypatch.setattr(benchmark, "_spoken", lambda count: lengths.append(count) or spoken(count))
    monkeypatch.setattr(benchmark, "_voice", lambda count=87: prompts.append(count) or voice(count))
    monkeypatch.setattr(benchmark, "_clock", lambda _device, _repeats: lambda work: work() or 0.5)
    runtime, fresh = cosyvoice.load(cosyvoice_folder), count(1)
    assert benchmark.new_lengths(runtime, 80, 1, fresh) == {}
    runtime.device = SimpleNamespace(type="npu")
    found = [benchmark.new_lengths(runtime, 80, 1, fresh) for _ in range(2)]
    assert sorted(set(lengths)) == [74, 75, 76, 77, 78, 79, 80]
    assert sorted(set(prompts)) == [87, 88, 89, 90, 91, 92, 93]
    assert found[0] == {"rtf_of_a_new_length": round(0.5 / 78 * 25, 4), "first_sound_of_a_new_voice_s": 0.5}


def test_a_device_with_graphs_is_measured_both_ways(cosyvoice_folder, monkeypatch, capsys):
    install(partial(monkeypatch.setattr, raising=False), torch.cpu)
    monkeypatch.setattr(graphs, "_seconds", lambda work: 1.0 if not hasattr(work, "__self__") else 0.5)
    both = list(benchmark.ways(cosyvoice_folder, torch.device("cpu"), "float32", 80, 1, count(1)))
    assert [run["decoding"] for run in both] == ["graphs", "eager"]
    assert both[0].keys() == both[1].keys()
    assert [json.loads(line) for line in capsys.readouterr().err.splitlines()] == both


def test_a_graph_that_failed_is_not_reported_as_one(cosyvoice_folder, monkeypatch):
    install(partial(monkeypatch.setattr, raising=False), torch.cpu, Refusing)
    both = list(benchmark.ways(cosyvoice_folder, torch.device("cpu"), "float32", 80, 1, count(1)))
    assert [run["decoding"] for run in both] == ["eager, as capturing failed", "eager"]


def test_the_differences_from_the_reference_are_reported(tmp_path):
    found = benchmark.apart(tmp_path, torch.device("cpu"), "float32")
    assert all(found[name] <= limit for name, limit in LIMITS.items()), found


def test_ways_to_compute_a_step_are_compared(cosyvoice_folder, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda step, **_options: compiled.append(step) or step)
    figures = benchmark.compare_steps(cosyvoice.load(cosyvoice_folder))
    assert figures.keys() == {"eager", "static", "compiled"}
    assert all(seconds > 0 for seconds in figures.values())
    assert len(compiled) == 1


def test_a_lent_machine_needs_little_more_than_torch():
    """It, and the checks of the accelerator, import nothing of what the application needs besides."""
    absent = (
        "httpx fastapi uvicorn gradio pydantic sqlalchemy soundfile soxr librosa scipy transformers funasr av".split()
    )
    program = f"""
import sys
sys.modules.update(dict.fromkeys({absent}))
import benchmarks.cosyvoice, pytest, webui.engines.cosyvoice.runtime
sys.exit(pytest.main(["--collect-only", "-p", "no:cacheprovider", "tests/cosyvoice/test_accelerator.py"]))
"""
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_float32_is_the_reference" in done.stdout
