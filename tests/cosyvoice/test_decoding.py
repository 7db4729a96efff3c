"""Decoding by graphs is decoding eagerly; where a device cannot do it, nothing else changes."""

from __future__ import annotations

import json
import logging
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from webui.engines import cosyvoice
from webui.engines.cosyvoice import decoding, graphs
from webui.engines.cosyvoice.folder import TOKENIZER
from webui.engines.cosyvoice.llm import SpeechLanguageModel
from webui.engines.cosyvoice.sampling import ForcedTokens, RepetitionAwareSampler
from webui.engines.cosyvoice.weights import Weights
from webui.settings import Settings

from .graphs_kit import Graph, Nan, Refusing, Slow, Wrong, install

TEXT, PROMPT = list(range(100, 140)), list(range(30))
CPU = torch.device("cpu")


def load(folder, dtype=torch.float32):
    config = json.loads((folder / TOKENIZER / "config.json").read_text())
    return SpeechLanguageModel(Weights(folder / "llm.pt"), config, CPU, dtype)


class Heard:
    """A sampler that keeps the logits it was shown."""

    def __init__(self, sampler):
        self.sampler, self.logits = sampler, []

    def __call__(self, logits, decoded, may_end):
        self.logits.append(logits.clone())
        return self.sampler(logits, decoded, may_end)


def speak(model, count=60, seed=3, text=TEXT):
    """Tokens and the logits of each step."""
    heard = Heard(RepetitionAwareSampler(seed))
    tokens = list(model.generate(text, PROMPT, heard, count, count))
    return tokens, torch.stack(heard.logits)


@pytest.fixture(scope="module")
def eager(cosyvoice_folder):
    return speak(load(cosyvoice_folder))


@pytest.fixture
def quick(monkeypatch):
    """A replay takes half the time of what it replaces."""
    monkeypatch.setattr(graphs, "_seconds", lambda work: 1.0 if not hasattr(work, "__self__") else 0.5)


@pytest.fixture
def capturing(monkeypatch, quick, cosyvoice_folder):
    """Gives a model with graphs of a kind, that decodes over 96, 128 and 4096 positions, and those it makes."""
    monkeypatch.setattr(decoding, "LENGTHS", (96, 128, 4096))

    def make(kind=Graph, dtype=torch.float32):
        made = install(partial(monkeypatch.setattr, raising=False), torch.cpu, kind)
        return load(cosyvoice_folder, dtype), made

    return make


def test_a_device_without_graphs_has_no_graphs(cosyvoice_folder):
    assert load(cosyvoice_folder).by_graphs is None


def test_graph_decoding_is_eager_decoding(capturing, eager):
    model, made = capturing()
    tokens, logits = speak(model)
    assert tokens == eager[0]
    assert (logits - eager[1]).abs().max() <= 1e-5
    assert len(made) == 3
    assert sum(graph.replays for graph in made) == 59 + 3  # each step, and once for each trial


def test_the_same_seed_gives_the_same_whatever_was_said_before(capturing):
    model, made = capturing()
    tokens, logits = speak(model)
    assert speak(model, seed=4, text=TEXT[:20])[0] != tokens
    again = speak(model)
    assert again[0] == tokens
    assert torch.equal(again[1], logits)
    assert len(made) == 3


def test_numbers_left_by_an_overflow_do_not_reach_the_next_request(capturing):
    model, _ = capturing()
    _, logits = speak(model)
    model.by_graphs._cache.kv.fill_(torch.nan)
    assert torch.equal(speak(model)[1], logits)


def test_in_half_the_bits_a_graph_passes_its_trial_too(capturing):
    model, made = capturing(dtype=torch.bfloat16)
    speak(model)
    assert len(made) == 3
    assert not model.by_graphs.given_up


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Refusing, "not permitted when stream is capturing"), (Wrong, "difference"), (Nan, "difference nan")],
)
def test_a_graph_that_fails_or_errs_leaves_decoding_as_it_was(capturing, eager, caplog, kind, reason):
    model, made = capturing(kind)
    with caplog.at_level(logging.INFO, decoding.__name__):
        tokens, logits = speak(model)
        speak(model)
    assert tokens == eager[0]
    assert torch.equal(logits, eager[1])
    assert len(made) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert reason in caplog.text


@pytest.mark.parametrize("kind", [Graph, Refusing])
def test_a_capture_leaves_the_thread_in_its_stream(capturing, kind):
    model, made = capturing(kind)
    with torch.cpu.stream(torch.cpu.Stream()):
        before = torch.cpu.current_stream()
        speak(model)
        assert made
        assert torch.cpu.current_stream() is before


def test_all_captures_of_a_device_share_a_stream(capturing):
    model, made = capturing()
    speak(model)
    assert len(made) == 3
    assert len({id(graph.stream) for graph in made}) == 1


def test_a_trial_waits_for_nobody_elses_work(monkeypatch):
    monkeypatch.delattr(torch.cpu, "synchronize")
    ones = torch.ones(3)
    capturing = graphs.CapturedGraph(SimpleNamespace(replay=lambda: None), ones)
    assert graphs.try_out(capturing, lambda: ones, torch.float32).difference == 0


def test_a_graph_that_is_slower_leaves_decoding_as_it_was(capturing, eager, caplog, monkeypatch):
    monkeypatch.undo()
    model, made = capturing(Slow)
    tokens, logits = speak(model)
    assert tokens == eager[0]
    assert torch.equal(logits, eager[1])
    assert model.by_graphs.given_up
    assert "ms replayed" in caplog.text
    replays = made[0].replays
    speak(model)
    assert [graph.replays for graph in made] == [replays]


def test_a_place_that_was_captured_as_a_number_is_noticed(capturing, caplog):
    model, _ = capturing()
    step = model._static_step
    fixed = decoding.GraphDecoding(
        model.by_graphs._cache,
        lambda token, position, *rest: step(token, torch.from_numpy(position.numpy().copy()), *rest),
        model._eager_step,
    )
    model.by_graphs = fixed
    speak(model)
    assert fixed.given_up
    assert "difference" in caplog.text


def test_a_graph_refused_in_mid_request_lets_it_go_on(capturing, eager, monkeypatch):
    model, made = capturing()
    monkeypatch.setattr(graphs, "WARM_UPS", 0)
    tried = []

    def once(*given):
        tried.append(given)
        if len(tried) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return capture(*given)

    capture = graphs.capture
    monkeypatch.setattr(graphs, "capture", once)
    tokens, logits = speak(model)
    assert tokens == eager[0]
    assert (logits - eager[1]).abs().max() <= 1e-5
    assert made[0].replays == 1 + 24
    assert model.by_graphs.given_up


def test_two_requests_at_once_do_not_meet(capturing, eager):
    model, made = capturing()
    first = model.generate(TEXT, PROMPT, RepetitionAwareSampler(3), 60, 60)
    started = [next(first) for _ in range(10)]
    assert speak(model)[0] == eager[0]
    assert [*started, *first] == eager[0]
    assert sum(graph.replays for graph in made) == 59 + 3


def test_a_request_that_was_dropped_gives_the_cache_back(capturing):
    model, made = capturing()
    next(model.generate(TEXT, PROMPT, RepetitionAwareSampler(3), 60, 60))
    speak(model)
    assert sum(graph.replays for graph in made) == 59 + 3


def test_what_might_outgrow_the_cache_is_eager(capturing):
    model, made = capturing()
    tokens = model.generate(TEXT, PROMPT, ForcedTokens([5] * 9000), 0, decoding.POSITIONS - 71)
    assert [next(tokens) for _ in range(3)] == [5] * 3
    assert made == []


@pytest.mark.parametrize(
    ("dtype", "error", "passes"),
    [
        (torch.float32, 1e-4, True),
        (torch.float32, 1e-2, False),
        (torch.bfloat16, 1e-2, True),
        (torch.bfloat16, 0.2, False),
    ],
)
def test_rounding_is_allowed_as_far_as_the_format_rounds(quick, dtype, error, passes):
    logits = torch.tensor([-10.0, 3.0, 7.0])
    capturing = graphs.CapturedGraph(SimpleNamespace(replay=lambda: None), logits + 10 * error)
    assert graphs.try_out(capturing, lambda: logits, dtype).passed is passes


@pytest.mark.parametrize("wanted", [True, False])
def test_who_wants_no_graphs_gets_none(capturing, cosyvoice_folder, tmp_path, wanted):
    capturing()
    (model,) = cosyvoice.models(Settings(models=tmp_path, model_path=cosyvoice_folder, device_graphs=wanted))
    assert (model.load("cpu")._loaded.language_model.by_graphs is not None) is wanted
