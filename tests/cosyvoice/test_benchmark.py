"""The benchmark's random folder has the official keys, and its figures are of every stage."""

from __future__ import annotations

import json
import re
from functools import partial

import torch

from benchmarks import cosyvoice as benchmark
from webui.engines import cosyvoice
from webui.engines.cosyvoice import graphs

from .device_parity import LIMITS
from .graphs_kit import Refusing, install


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


def test_a_device_with_graphs_is_measured_both_ways(cosyvoice_folder, monkeypatch, capsys):
    install(partial(monkeypatch.setattr, raising=False), torch.cpu)
    monkeypatch.setattr(graphs, "_seconds", lambda work: 1.0 if not hasattr(work, "__self__") else 0.5)
    both = list(benchmark.ways(cosyvoice_folder, torch.device("cpu"), "float32", 80, 1))
    assert [run["decoding"] for run in both] == ["graphs", "eager"]
    assert both[0].keys() == both[1].keys()
    assert [json.loads(line) for line in capsys.readouterr().err.splitlines()] == both


def test_a_graph_that_failed_is_not_reported_as_one(cosyvoice_folder, monkeypatch):
    install(partial(monkeypatch.setattr, raising=False), torch.cpu, Refusing)
    both = list(benchmark.ways(cosyvoice_folder, torch.device("cpu"), "float32", 80, 1))
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
