"""Run by test_parity.py in a process of its own: what the runtime computes against what the reference computed.

    MKL_CBWR=COMPATIBLE python parity_child.py MODEL_FOLDER [DUMP RECORDING TRANSCRIPT]

Prints one JSON line: request → name of a tensor → largest difference (text where the shapes differ). Without a dump,
the requests of reference_cases.py and the kit's own. "vocoder …" is what our vocoder makes of the reference's mel.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile
import torch

from tests.cosyvoice.conftest import KIT
from tests.cosyvoice.reference_cases import CASES, RATE, TEXT, TRANSCRIPT, Case, noise, thin
from webui.engines import cosyvoice
from webui.engines.cosyvoice.flow import FRAMES_PER_TOKEN, LOOKAHEAD
from webui.engines.cosyvoice.runtime import PromptFeatures, Runtime

Tensors = dict[str, Any]
Keep = Callable[[str, np.ndarray], np.ndarray]
SOUND = ("f0", "source", "hift_wav", "speech", "chunks")


class RecordedFlow:
    """Gives the reference's mel, as far as the tokens that it is given reach."""

    def __init__(self, mel: np.ndarray) -> None:
        self._mel = torch.from_numpy(mel)

    def condition(self, tokens: torch.Tensor, mel: torch.Tensor, _speaker: torch.Tensor) -> Any:
        return PromptFeatures(tokens, mel, _speaker)

    def __call__(self, tokens: list[int], voice: PromptFeatures, *, complete: bool = True, **_options: Any) -> Any:
        known = len(voice.tokens) + len(tokens) - (0 if complete else LOOKAHEAD)
        return self._mel[:, :, : FRAMES_PER_TOKEN * known - len(voice.mel)]


def compare(runtime: Runtime, reference: Tensors, keep: Keep, *request: Any, **options: Any) -> Tensors:
    """Name → difference, of a request and of the vocoder given the reference's mel; `keep` cuts a tensor of ours to
    what is kept of the reference's.
    """
    traces: list[Tensors] = [{}, {}]
    flow = runtime.flow
    for trace, one in zip(traces, (flow, RecordedFlow(reference["mel"])), strict=True):
        runtime.flow = one
        made = runtime.synthesize(*request, trace=trace, **options)
        if options.get("stream"):
            list(made)
    runtime.flow = flow
    ours, sound = traces
    names = [name for name in reference if name in ours]
    return {name: difference(keep(name, np.asarray(ours[name])), reference[name]) for name in names} | {
        f"vocoder {name}": difference(keep(name, np.asarray(sound[name])), reference[name])
        for name in SOUND
        if name in reference
    }


def difference(got: np.ndarray, expected: np.ndarray) -> float | str:
    if got.shape != expected.shape:
        return f"{got.shape} instead of {expected.shape}"
    return float(np.abs(got.astype(np.float64) - expected).max(initial=0))


def of_dump(runtime: Runtime, dump: Path, recording: Path, transcript: str) -> Tensors:
    reference = dict(np.load(dump.with_suffix(".npz")))
    prompt = soundfile.read(recording, dtype="float32")
    forced = reference["gen_token"][0].tolist()
    steps = len(reference["logits"])  # the first ones of all
    return compare(
        runtime,
        reference,
        lambda name, tensor: tensor[:steps] if name == "logits" else tensor,
        *(TEXT, *prompt, transcript),
        mode="zero_shot",
        forced_tokens=forced,
        source_noise=np.load(f"{dump}_noise.npy"),
    )


def of_case(runtime: Runtime, kept: Any, name: str, case: Case) -> Tensors:
    reference = {key.partition("/")[2]: kept[key] for key in kept.files if key.startswith(f"{name}/")}
    return compare(
        runtime,
        reference,
        thin,
        case.text if case.tokens else case.source(),
        *(case.prompt(), RATE, case.before if case.mode == "zero_shot" else ""),
        mode=case.mode,
        instruct=case.before if case.mode == "instruct" else "",
        forced_tokens=case.forced() or None,
        source_noise=noise(),
        stream=case.stream,
    )


def reports(folder: str, *dump: str) -> Iterator[tuple[str, Tensors]]:
    runtime = cosyvoice.load(folder, "cpu", "float32")
    if dump:
        yield "zero-shot", of_dump(runtime, Path(dump[0]), Path(dump[1]), dump[2])
        return
    yield "zero-shot", of_dump(runtime, KIT / "synthetic_prompt", KIT / "synthetic_prompt.wav", TRANSCRIPT)
    kept = np.load(KIT / "modes.npz")
    for name, case in CASES.items():
        yield name, of_case(runtime, kept, name, case)


if __name__ == "__main__":
    print(json.dumps(dict(reports(*sys.argv[1:]))))
