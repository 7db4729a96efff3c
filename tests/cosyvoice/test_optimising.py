"""int8 quantisation: how near it comes, and when a model on the CPU is computed with it."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch

from webui.cli.application import main
from webui.engines.cosyvoice import models, optimising
from webui.engines.cosyvoice.matrices import matrix
from webui.engines.cosyvoice.runtime import Runtime
from webui.settings import Settings

from .device_parity import differences

CPU = torch.device("cpu")


def pair(bias: bool = False, loud: float = 1.0):
    """A matrix (96, 128) and its int8 form; one of the rows times `loud`."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(96, 128, generator=generator)
    weight[3] *= loud
    given = torch.randn(96, generator=generator) if bias else None
    return [matrix(weight, given, CPU, dtype) for dtype in (torch.float32, torch.int8)]


def apart(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The relative difference in each column."""
    return (found - wanted).norm(dim=0) / wanted.norm(dim=0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("frames", [1, 7, 300])
def test_a_product_comes_near(frames, bias):
    exact, rounded = pair(bias)
    x = torch.randn(2, frames, 128, generator=torch.Generator().manual_seed(2))
    x[0, 0] *= 1000
    found, wanted = rounded(x), exact(x)
    assert found.shape == wanted.shape and found.dtype == torch.float32
    quiet = (slice(1, None),) if frames == 1 else (slice(None), slice(1, None))
    errors = (found[quiet] - wanted[quiet]).norm(dim=-1) / wanted[quiet].norm(dim=-1)
    assert 1e-4 < errors.max() < 0.03  # rounded, and on a scale of its own each row


def test_each_output_has_a_scale_of_its_own():
    exact, rounded = pair(loud=1000)
    x = torch.randn(500, 128, generator=torch.Generator().manual_seed(2))
    assert apart(rounded(x), exact(x)).max() < 0.02


def test_it_takes_a_single_row_and_silence_and_adds_to_what_is_there():
    exact, rounded = pair()
    x = torch.randn(128, generator=torch.Generator().manual_seed(2))
    assert rounded(x).shape == (96,)
    torch.testing.assert_close(rounded(torch.zeros(2, 128)), torch.zeros(2, 96))
    base = torch.ones(1, 96)
    torch.testing.assert_close(rounded.onto(base, x[None]), rounded(x[None]) + 1)
    torch.testing.assert_close(base, torch.ones(1, 96))
    assert (rounded.onto(base, x[None]) - exact.onto(base, x[None])).norm() < 0.02 * exact(x).norm()


def test_the_model_in_8_bits_is_about_as_near_the_reference_as_in_bfloat16(cosyvoice_folder):
    kinds = ("float32", "int8", "bfloat16")
    exact, eight, short = (differences(Runtime.load(cosyvoice_folder, "cpu", kind)) for kind in kinds)
    assert exact["logits"] < eight["logits"] < 2 * short["logits"]
    assert exact["mel, mean"] < eight["mel, mean"] < short["mel, mean"]


def test_what_is_near_and_faster_is_used():
    near, far, fast, slow = 0.04, 0.06, 1.5, 1.0
    both = {"llm": fast, "flow": fast}
    assert optimising.worth({"llm": near, "flow": near}, both) == ("llm", "flow")
    assert optimising.worth({"llm": far, "flow": near}, both) == ("flow",)
    assert optimising.worth({"llm": near, "flow": near}, {"llm": fast, "flow": slow}) == ("llm",)
    assert optimising.worth({"llm": far, "flow": near}, {"llm": fast, "flow": slow}) == ()


@pytest.fixture
def settings(tmp_path: Path, cosyvoice_folder) -> Settings:
    shutil.copytree(cosyvoice_folder, tmp_path / "models" / "tiny")
    return Settings(data=tmp_path / "data", models=tmp_path / "models")


def loaded_in(settings: Settings, device: str, caplog: pytest.LogCaptureFixture) -> str:
    """What the log says of the numbers that the model is computed in."""
    caplog.clear()
    with caplog.at_level(logging.INFO, "webui.engines.cosyvoice.synthesizer"):
        models(settings)[0].load(device).close()
    return caplog.messages[-1]


def test_the_command_tries_it_on_the_models_own_weights(settings, capsys, caplog):
    where = ["--models", str(settings.models), "--data", str(settings.data)]
    assert models(settings)[0].optimised is None
    assert main(["models", "optimise", "tiny", *where]) == 0
    shown = capsys.readouterr().out
    assert "llm int8" in shown and "flow int8" in shown
    report = optimising.find(settings.models / "tiny", settings)
    assert report is not None and set(report.gains) == {"llm", "flow"} and max(report.errors.values()) < 0.05
    assert models(settings)[0].optimised == report.shown()
    assert loaded_in(settings, "cpu", caplog).count("torch.int8") == len(report.use)


@pytest.mark.parametrize(("use", "shown"), [(("flow",), "int8 + float32"), (("llm", "flow"), "int8"), ((), "float32")])
def test_the_cpu_computes_as_the_report_says(settings, caplog, use, shown):
    kept(settings, use)
    assert models(settings)[0].optimised["use"] == shown
    said = loaded_in(settings, "cpu", caplog)
    assert [f"{part} in torch.int8" in said for part in ("language model", "flow")] == ["llm" in use, "flow" in use]


def test_other_weights_or_a_damaged_report_count_for_nothing(settings):
    file = kept(settings, ("llm", "flow"))
    changed = settings.models / "tiny" / "flow.pt"
    report = file.read_text()
    changed.write_bytes(changed.read_bytes() + b"\0")
    assert models(settings)[0].optimised is None
    file.write_text(report[:-9])
    assert models(settings)[0].optimised is None


def kept(settings: Settings, use: tuple[str, ...]) -> Path:
    """A report that was made before."""
    revision = models(settings)[0].revision
    file = settings.cache / "optimised" / "tiny" / "int8.json"
    file.parent.mkdir(parents=True)
    numbers = {"llm": 0.01, "flow": 0.01}
    report = {"revision": revision, "use": use, "plain": "float32", "errors": numbers, "gains": numbers, "format": 1}
    file.write_text(json.dumps(report))
    return file
