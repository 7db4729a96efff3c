"""The benchmark's random folder has the official keys, and its figures are of every stage."""

from __future__ import annotations

import re

import torch

from benchmarks import cosyvoice as benchmark
from webui.engines import cosyvoice


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
