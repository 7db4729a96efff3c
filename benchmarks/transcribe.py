"""Stock FunASR against ours on one recording: CPU seconds, real-time factor, memory, difference in text.

    python benchmarks/transcribe.py MODEL_DIR FILE [--threads 2] [--vad FSMN_DIR]
    python benchmarks/transcribe.py --random sensevoice|paraformer FILE

Each runs in a process of its own with as many threads: FunASR's AutoModel with its speech detector, then ours from
the file to the text with torch, with the exported encoder in fp32, and in int8. With `--vad` all use FSMN-VAD, so
that the segments are the same and the texts can be compared. `--random` builds the full-size architecture with
random weights, whose text means nothing; int8 is then judged by the error of the hidden states. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webui.engines.base import RecognitionOptions, Waveform
from webui.settings import Settings

WAYS = ("stock", "torch", "fp32", "int8")
END_SILENCE_MS, LONGEST_MS = 800, 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("file", type=Path)
    parser.add_argument("--random", choices=("sensevoice", "paraformer"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vad", type=Path, help="an FSMN-VAD folder for all; without it each uses its own Silero")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.random:
            arguments.model = build_random(arguments.random, Path(temporary))
        results = {way: run(way, arguments) for way in arguments.ways}
    print(json.dumps(summary(results), ensure_ascii=False))


def build_random(kind: str, folder: Path) -> Path:
    from tests.funasr import builder

    target = folder / kind
    target.mkdir()
    return {"sensevoice": builder.sense_voice, "paraformer": builder.paraformer}[kind](target, full=True)


def run(way: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """One way in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, str(arguments.model), str(arguments.file)]
    command += ["--child", way, "--threads", str(arguments.threads)]
    command += ["--vad", str(arguments.vad)] if arguments.vad else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def summary(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    stock = results.get("stock")
    for way, result in results.items():
        if stock and way != "stock":
            result["times_stock"] = round(stock["cpu_s"] / result["cpu_s"], 2)
            result["text_difference"] = round(difference(stock["text"], result["text"]), 4)
    return {way: {key: value for key, value in result.items() if key != "text"} for way, result in results.items()}


def difference(wanted: str, found: str) -> float:
    """The edit distance of two texts, by the length of the first."""
    row = list(range(len(found) + 1))
    for index, character in enumerate(wanted, 1):
        diagonal, row[0] = row[0], index
        for place, other in enumerate(found, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (character != other))
    return row[-1] / max(1, len(wanted))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """In the child: load, then transcribe, counting this process and the decoding child."""
    import torch

    torch.set_num_threads(arguments.threads)
    prepare = prepare_stock if arguments.child == "stock" else prepare_ours
    imported = import_funasr()
    begun = time.process_time()
    transcribe, model_seconds, extra = prepare(arguments)
    loaded_cpu, loaded_peak = time.process_time() - begun, peak_mb()
    weights = (arguments.model / "model.pt").stat().st_size / 2**20
    before, wall = cpu_seconds(), time.perf_counter()
    text, seconds = transcribe()
    used = cpu_seconds() - before
    result = {
        "cpu_s": round(used, 2),
        "wall_s": round(time.perf_counter() - wall, 2),
        "rtf": round(used / seconds, 4),
        "audio_s": round(seconds, 1),
        "load_cpu_s": round(loaded_cpu, 2),
        "load_peak_over_weights": round((loaded_peak - imported) / weights, 2),
        "peak_mb": round(peak_mb()),
        "text": text,
        **extra,
    }
    if model_seconds is not None:
        result["outside_model"] = round(1 - model_seconds() / used, 3)
    return result


def import_funasr() -> float:
    """Import what both ways need, so that the peak of loading is the model's; the memory so far in MB."""
    from webui.engines.funasr.fence import load_tables

    load_tables()
    return peak_mb()


def prepare_stock(arguments: argparse.Namespace) -> tuple[Callable[[], tuple[str, float]], None, dict[str, Any]]:
    import soundfile
    from funasr import AutoModel

    vad = {"vad_model": str(arguments.vad)} if arguments.vad else {"vad_model": "silero-vad"}
    model = AutoModel(
        model=str(arguments.model),
        device="cpu",
        ncpu=arguments.threads,
        disable_update=True,
        disable_pbar=True,
        log_level="ERROR",
        frontend_conf={"dither": 0.0},
        vad_kwargs={"max_single_segment_time": LONGEST_MS, "disable_update": True},
        **vad,
    )

    def transcribe() -> tuple[str, float]:
        from webui.engines.funasr import transcript

        found = model.generate(
            input=str(arguments.file), use_itn=False, language="auto", max_end_silence_time=END_SILENCE_MS
        )
        text, _ = transcript.strip_tags(found[0]["text"] if found else "")
        return text.replace(" ", ""), soundfile.info(arguments.file).duration

    return transcribe, None, {}


def prepare_ours(
    arguments: argparse.Namespace,
) -> tuple[Callable[[], tuple[str, float]], Callable[[], float], dict[str, Any]]:
    from webui.engines.funasr import folder as folders
    from webui.engines.funasr import opening, optimising

    settings = Settings(data=Path(tempfile.gettempdir()) / "shengfang-benchmark", models=arguments.model.parent)
    folder = folders.read(arguments.model)
    assert folder is not None
    extra: dict[str, Any] = {}
    if arguments.child != "torch":
        exported = optimising.find(folder, settings) or in_a_child(arguments)
        assert exported is not None
        extra["hidden_error"] = {
            name: float(f"{error:.2g}") for name, error in exported.report.errors.items() if arguments.child in name
        }
    recognizer = opening.open_recognizer(folder, "cpu", settings, precision=arguments.child)
    seconds = stopwatch(recognizer)
    return lambda: transcribe_ours(arguments, settings, recognizer), seconds, extra


def in_a_child(arguments: argparse.Namespace) -> Any:
    """Export in another process, so that its memory is not counted."""
    from webui.engines.funasr import folder as folders
    from webui.engines.funasr import optimising

    code = (
        "import sys; from pathlib import Path; from webui.settings import Settings;"
        "from webui.engines.funasr import folder, optimising; path = Path(sys.argv[1]);"
        "optimising.optimise(folder.read(path), Settings(data=Path(sys.argv[2]), models=path.parent))"
    )
    data = Path(tempfile.gettempdir()) / "shengfang-benchmark"
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-W", "ignore", "-c", code, str(arguments.model), str(data)]
    subprocess.run(command, check=True, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = folders.read(arguments.model)
    assert folder is not None
    return optimising.find(folder, Settings(data=data, models=arguments.model.parent))


def stopwatch(recognizer: Any) -> Callable[[], float]:
    """CPU seconds in the model: encoder, decoder and predictor, without features, tokens and times."""
    total = 0.0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            nonlocal total
            begun = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                total += time.process_time() - begun

        return wrapper

    if hasattr(recognizer, "_encoder"):
        recognizer._encoder.best_tokens = timed(recognizer._encoder.best_tokens)
    else:
        model = recognizer.built.model
        for owner, name in ((model.encoder, "forward"), (model.decoder, "forward"), (model, "calc_predictor")):
            setattr(owner, name, timed(getattr(owner, name)))
        if hasattr(model, "calc_predictor_timestamp"):
            model.calc_predictor_timestamp = timed(model.calc_predictor_timestamp)
    return lambda: total


def transcribe_ours(arguments: argparse.Namespace, settings: Settings, recognizer: Any) -> tuple[str, float]:
    """From the file to the text, segment by segment, as a job does."""
    import numpy as np

    from webui.audio.intake import Decoder

    decoder = Decoder(settings)
    session = detector(arguments).session()
    spans, blocks = [], []
    with decoder.decode(arguments.file, arguments.file.name) as decoding:
        for block in decoding:
            blocks.append(block.reshape(-1))
            spans += session.feed(blocks[-1])
    spans += session.finish()
    decoder.close()
    samples = np.concatenate(blocks)
    segments = [
        Waveform(samples[int(span.start * 16000) : int(span.end * 16000)].astype(np.float32) / 32768, 16000)
        for span in spans
    ]
    found = recognizer.recognize(segments, RecognitionOptions(itn=False))
    return "".join(result.text for result in found).replace(" ", ""), len(samples) / 16000


def detector(arguments: argparse.Namespace) -> Any:
    if not arguments.vad:
        from webui.audio.vad import SpeechDetector

        return SpeechDetector()
    from webui.engines.funasr.folder import read
    from webui.engines.funasr.vad import FsmnDetector

    folder = read(arguments.vad)
    assert folder is not None
    return FsmnDetector(folder, max_segment=LONGEST_MS / 1000)


def cpu_seconds() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def peak_mb() -> float:
    """Of this process alone: getrusage counts what the parent held when it forked."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
