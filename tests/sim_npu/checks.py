"""The simulated NPU computes right and refuses what a real one refuses.

Run by tests/test_devices_simulated.py in a process of its own: a device once registered stays for the process's life.
"""

import copy
import gc
import io
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import sim_npu

NPU = "npu:0"


@pytest.fixture
def npu():
    """A fresh simulated machine with one 8 GiB card."""
    sim_npu.install()
    sim_npu.reset()
    yield sim_npu
    sim_npu.reset()


class ConformerBlock(nn.Module):
    """Half-step feed-forwards around self-attention and a gated depthwise convolution."""

    def __init__(self, width=32, heads=4, kernel=15):
        super().__init__()
        self.ff1, self.ff2 = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width))
            for _ in range(2)
        )
        self.norm_attention = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm_conv = nn.LayerNorm(width)
        self.expand = nn.Conv1d(width, 2 * width, 1)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.batch_norm = nn.BatchNorm1d(width)
        self.project = nn.Conv1d(width, width, 1)
        self.norm_out = nn.LayerNorm(width)

    def forward(self, x, padding):
        x = x + 0.5 * self.ff1(x)
        y = self.norm_attention(x)
        x = x + self.attention(y, y, y, key_padding_mask=padding, need_weights=False)[0]
        y = F.glu(self.expand(self.norm_conv(x).transpose(1, 2)), dim=1)
        x = x + self.project(F.silu(self.batch_norm(self.depthwise(y)))).transpose(1, 2)
        return self.norm_out(x + 0.5 * self.ff2(x))


class Vocoder(nn.Module):
    """Weight-normed transposed convolution, STFT there and back: what speech synthesis ends with."""

    def __init__(self):
        super().__init__()
        self.up = nn.utils.parametrizations.weight_norm(nn.ConvTranspose1d(4, 4, 8, 4, 2))
        self.out = nn.Conv1d(4, 18, 7, padding=3)
        self.register_buffer("window", torch.hann_window(16))

    def forward(self, x):
        y = self.out(F.leaky_relu(self.up(x), 0.1))
        magnitude, phase = y[:, :9].clamp(max=2).exp(), y[:, 9:].sin()
        spectrum = torch.complex(magnitude * phase.cos(), magnitude * phase.sin())
        return torch.istft(spectrum, 16, 4, 16, self.window)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(12, 5, batch_first=True)

    def forward(self, x):
        return self.gru(self.lstm(x)[0])[0]


def same_on_npu(model, *inputs, tolerance=1e-5):
    model = model.eval()
    with torch.inference_mode():
        expected = model(*inputs)
        got = copy.deepcopy(model).to(NPU)(*(i.to(NPU) for i in inputs))
    assert got.device == torch.device(NPU)
    torch.testing.assert_close(got.cpu(), expected, atol=tolerance, rtol=tolerance)


FUNCTIONS = {
    "matmul": lambda x: x @ x.T,
    "broadcast": lambda x: x * 2 + x[:, :1],
    "softmax": lambda x: x.softmax(-1),
    "sdpa": lambda x: F.scaled_dot_product_attention(*[x.view(1, 2, 4, 8)] * 3, is_causal=True),
    "stft": lambda x: torch.view_as_real(
        torch.stft(x, 8, 4, window=torch.hann_window(8, device=x.device), return_complex=True)
    ),
    "istft": lambda x: (lambda w: torch.istft(torch.stft(x, 8, 4, window=w, return_complex=True), 8, 4, window=w))(
        torch.ones(8, device=x.device)
    ),
    "conj": lambda x: torch.view_as_real((x.to(torch.complex64) * (1 + 2j)).conj().resolve_conj()),
    "advanced index": lambda x: x[torch.tensor([1, 0], device=x.device)],
    "cpu index": lambda x: x[torch.tensor([1, 0])],
    "boolean index": lambda x: x[x > 0],
    "masked write": lambda x: x.clone().masked_fill_(x > 0, 0.0),
    "slice write": lambda x: torch.zeros_like(x).index_put_((torch.tensor([2], device=x.device),), x[0]),
    "write through a view": lambda x: (lambda y: (y[:, 1:3].mul_(3.0), y)[1])(x.clone()),
    "transpose in place": lambda x: x.clone().transpose_(0, 1) + 1,
    "out=": lambda x: torch.add(x, x, out=torch.empty(0, device=x.device)),
    "out= an input": lambda x: (lambda y: torch.mul(y, y, out=y))(x.clone()),
    "topk": lambda x: x.topk(3).values,
    "sort": lambda x: x.sort(descending=True).indices,
    "cumsum": lambda x: x.cumsum(-1),
    "pad": lambda x: F.pad(x[None], (3, 3), mode="reflect"),
    "interpolate": lambda x: F.interpolate(x[None], scale_factor=2.0, mode="linear"),
    "unfold": lambda x: x.unfold(-1, 4, 2) + 0,
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, x),
    "unique": lambda x: torch.unique_consecutive((x > 0).long().flatten()),
    "arange": lambda x: torch.arange(16, device=x.device) * 1.5 + x[0],
    "fp16": lambda x: (x.half() @ x.half().T).float(),
    "channels last": lambda x: x.view(1, 2, 4, 8).to(memory_format=torch.channels_last) * 2,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_operator_gives_the_cpu_result(npu, name):
    x = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    got = FUNCTIONS[name](x.to(NPU))
    assert got.device == torch.device(NPU)
    torch.testing.assert_close(got.cpu(), FUNCTIONS[name](x), atol=2e-3, rtol=2e-3)


def test_conformer_block(npu):
    padding = torch.zeros(2, 20, dtype=torch.bool)
    padding[1, 15:] = True
    same_on_npu(ConformerBlock(), torch.randn(2, 20, 32), padding)


def test_vocoder(npu):
    same_on_npu(Vocoder(), torch.randn(2, 4, 12), tolerance=1e-4)


def test_recurrent_layers(npu):
    same_on_npu(Recurrent(), torch.randn(2, 7, 8))


def test_training_step_gives_the_cpu_gradients(npu):
    cpu = nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(21, 1))
    on_npu = copy.deepcopy(cpu).to(NPU)
    x = torch.randn(2, 2, 9)
    cpu(x).sum().backward()
    on_npu(x.to(NPU)).sum().backward()
    for a, b in zip(cpu.parameters(), on_npu.parameters(), strict=True):
        torch.testing.assert_close(b.grad.cpu(), a.grad)
    torch.optim.AdamW(on_npu.parameters()).step()


def test_a_language_model_generates_the_same_tokens(npu):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=128,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = transformers.Qwen2ForCausalLM(config).eval()
    prompt = torch.randint(0, 128, (1, 9))
    settings = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0}
    expected = model.generate(prompt, **settings)
    with npu.trace() as ops:
        got = model.to(NPU).generate(prompt.to(NPU), **settings)
    assert got.device == torch.device(NPU)
    assert torch.equal(got.cpu(), expected)
    npu.require_ops(ops)  # torch_npu has a kernel for everything it used


# --------------------------------------------------------------- what real hardware refuses
def test_mixing_devices_raises(npu):
    for operation in (
        lambda: torch.ones(2, device=NPU) + torch.ones(2),
        lambda: torch.ones(2, 2) @ torch.ones(2, 2, device=NPU),
        lambda: F.conv1d(torch.ones(1, 1, 4, device=NPU), torch.ones(1, 1, 2)),
        lambda: F.embedding(torch.tensor([0]), torch.ones(2, 2, device=NPU)),
    ):
        with pytest.raises(RuntimeError, match=r"same device.*npu:0 and cpu"):
            operation()
    assert (torch.ones(2, device=NPU) + torch.tensor(1.0)).tolist() == [2.0, 2.0]  # a CPU scalar is welcome


def test_two_cards_are_two_devices(npu):
    npu.reset(devices=2)
    with pytest.raises(RuntimeError, match="npu:0 and npu:1"):
        torch.ones(1, 1, device="npu:0") + torch.ones(1, 1, device="npu:1")
    assert torch.ones(1, device="npu:0").to("npu:1").device.index == 1
    with torch.npu.device(1):
        assert torch.empty(1, device="npu").device.index == 1
    with pytest.raises(RuntimeError, match="Invalid NPU device ID 5"):
        torch.empty(1, device="npu:5")


def test_numpy_needs_a_copy_to_the_host(npu):
    with pytest.raises(TypeError, match="can't convert npu:0 device type tensor"):
        torch.ones(2, device=NPU).numpy()


def test_a_machine_without_cards(npu):
    npu.reset(devices=0)
    assert not torch.npu.is_available() and torch.npu.device_count() == 0
    assert not torch.accelerator.is_available()
    with pytest.raises(RuntimeError, match="has 0 NPU"):
        torch.ones(1).to(NPU)


def test_unsupported_operator(npu):
    x = torch.randn(64, device=NPU)
    npu.unsupported("aten::_fft_r2c")
    with pytest.raises(NotImplementedError, match="aten::_fft_r2c' is not currently supported on the NPU"):
        torch.stft(x, 16, window=torch.ones(16, device=NPU), return_complex=True)
    npu.reset()
    npu.unsupported("aten::_fft_r2c", on_cpu=True)
    with pytest.warns(UserWarning, match="CAUTION.*fall back to run on the CPU"):
        torch.stft(x, 16, window=torch.ones(16, device=NPU), return_complex=True)
    with warnings.catch_warnings():  # said once per operator
        warnings.simplefilter("error")
        torch.stft(x, 16, window=torch.ones(16, device=NPU), return_complex=True)


def test_unsupported_type(npu):
    npu.unsupported("aten::convolution_overrideable", dtype=torch.float64)
    x, w = torch.ones(1, 1, 4, device=NPU), torch.ones(1, 1, 2, device=NPU)
    F.conv1d(x, w)
    with pytest.raises(NotImplementedError):
        F.conv1d(x.double(), w.double())


def test_composite_names_are_refused(npu):
    with pytest.raises(ValueError, match="decomposes"):
        npu.unsupported("aten::stft")
    with pytest.raises(ValueError, match="no such operator"):
        npu.unsupported("aten::frobnicate")


def test_injected_failure_happens_the_asked_number_of_times(npu):
    npu.fail("aten::mm", "aicore timeout (507014)", times=2)
    x = torch.ones(2, 2, device=NPU)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="507014"):
            x @ x
    assert (x @ x).sum().item() == 8


def test_predicted_fallbacks(npu):
    with npu.trace() as ops:
        torch.linalg.inv(torch.eye(3, device=NPU)) @ torch.ones(3, 3, device=NPU)
    assert "aten::mm.out" in ops or "aten::mm" in ops
    assert any("linalg" in op for op in npu.cpu_fallbacks(ops))
    with pytest.raises(AssertionError, match="fall back to the CPU"):
        npu.require_ops(ops)


# ------------------------------------------------------------------------------ memory
def test_memory_is_accounted_and_runs_out(npu):
    gc.collect()
    npu.reset(memory_mb=64)
    torch.npu.empty_cache()
    before = torch.npu.memory_allocated()
    x = torch.empty(4 << 20, device=NPU)  # 16 MiB
    assert torch.npu.memory_allocated() - before == 16 << 20
    assert torch.accelerator.memory_allocated() == torch.npu.memory_allocated()
    with pytest.raises(torch.OutOfMemoryError, match=r"NPU out of memory\. Tried to allocate 64"):
        torch.empty(16 << 20, device=NPU)
    del x
    assert torch.npu.memory_allocated() == before and torch.npu.memory_reserved() >= 16 << 20
    torch.npu.empty_cache()
    free, total = torch.npu.mem_get_info()
    assert total == 64 << 20 and free >= total - before - (1 << 20)
    assert torch.npu.max_memory_allocated() >= 16 << 20


def test_moving_too_large_a_model_leaves_no_debris(npu):
    gc.collect()
    torch.npu.empty_cache()
    before = torch.npu.memory_allocated()
    npu.reset(memory_mb=8)
    model = nn.Sequential(*(nn.Linear(512, 512) for _ in range(16)))  # 16 MiB
    with pytest.raises(torch.OutOfMemoryError):
        copy.deepcopy(model).to(NPU)
    gc.collect()
    assert torch.npu.memory_allocated() == before


def test_injected_oom(npu):
    npu.oom_after(2, at_least=1 << 20)
    torch.empty(10, device=NPU)  # too small to count
    torch.empty(1 << 18, device=NPU)  # the first
    with pytest.raises(torch.OutOfMemoryError):
        torch.empty(1 << 18, device=NPU)  # the second
    torch.empty(1 << 18, device=NPU)
    npu.out_of_memory("aten::_softmax.out")
    with pytest.raises(torch.OutOfMemoryError):
        torch.ones(3, device=NPU).softmax(0)
    torch.ones(3, device=NPU).softmax(0)


# ------------------------------------------------------------------- the rest of the surface
def test_random_numbers_repeat_but_are_not_the_cpus(npu):
    def draw(device):
        torch.manual_seed(7)
        return torch.randn(8, device=device).cpu()

    assert torch.equal(draw(NPU), draw(NPU))
    assert not torch.equal(draw(NPU), draw("cpu"))
    generator = torch.Generator(device=NPU).manual_seed(3)
    first = torch.multinomial(torch.ones(50, device=NPU), 5, generator=generator)
    assert torch.equal(first, torch.multinomial(torch.ones(50, device=NPU), 5, generator=generator.manual_seed(3)))


def test_save_and_load(npu):
    model = nn.Linear(3, 2).to(NPU)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    for where, expected in ((None, "npu"), ("cpu", "cpu"), (NPU, "npu")):
        file.seek(0)
        weight = torch.load(file, map_location=where)["weight"]
        assert weight.device.type == expected
        assert torch.equal(weight.cpu(), model.weight.detach().cpu())


def test_autocast_streams_events_and_names(npu):
    with torch.autocast("npu", dtype=torch.float16):
        assert nn.Linear(2, 2).to(NPU)(torch.ones(1, 2, device=NPU)).dtype == torch.float16
    start, end = torch.npu.Event(enable_timing=True), torch.npu.Event(enable_timing=True)
    start.record()
    end.record()
    torch.npu.synchronize()
    assert start.elapsed_time(end) >= 0
    assert torch.npu.get_device_name(0).startswith("Ascend910B")
    assert torch.accelerator.current_accelerator() == torch.device("npu")
    import torch_npu

    assert torch_npu.npu is torch.npu


def test_threads_keep_their_own_current_card(npu):
    npu.reset(devices=2)
    seen = []

    def work():
        torch.npu.set_device(1)
        seen.append((torch.ones(64, 64, device="npu") @ torch.ones(64, 64, device="npu")).device.index)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert seen == [1] * 4 and torch.npu.current_device() == 0


# ----------------------------------------------------------- whole processes, as installed
def run(site: Path, code: str, **environment):
    inherited = {key: value for key, value in os.environ.items() if key != "TORCH_DEVICE_BACKEND_AUTOLOAD"}
    env = {**inherited, "PYTHONPATH": f"{site}{os.pathsep}{HERE}", **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=300)


def test_import_torch_alone_brings_the_device(npu):
    done = run(
        HERE / "site",
        "import torch; print(torch.npu.device_count(), torch.ones(2).npu().sum().item())",
        SIM_NPU_DEVICES="2",
    )
    assert done.stdout.split() == ["2", "2.0"], done.stderr


def test_another_vendors_name():
    done = run(
        HERE,
        "import torch, sim_npu; sim_npu.install(devices=2, name='mlu')\n"
        "print(torch.mlu.device_count(), torch.ones(3, device='mlu:1').sum().item(), "
        "torch.accelerator.current_accelerator(), hasattr(torch, 'npu'))",
    )
    assert done.stdout.split() == ["2", "3.0", "mlu", "False"], done.stderr


def test_torch_npu_without_cann_breaks_import_torch():
    done = run(HERE / "site" / "no_cann", "import torch")
    assert "Failed to load the backend extension: torch_npu" in done.stderr and done.returncode == 1
    done = run(
        HERE / "site" / "no_cann", "import torch; print(hasattr(torch, 'npu'))", TORCH_DEVICE_BACKEND_AUTOLOAD="0"
    )
    assert done.stdout.strip() == "False", done.stderr
