"""Stock FunASR against ours on one recording: times real time, CPU seconds, memory, difference in text.

    python benchmarks/transcribe.py MODEL_DIR FILE [--threads 2] [--vad FSMN_DIR]
    python benchmarks/transcribe.py --random sensevoice,paraformer,nano FILE [--device cuda:0] [--batch 1|full]

Each way runs in a process of its own with as many threads: FunASR's AutoModel with its speech detector, then ours from
the file to the text: with torch and, on a CPU, with the exported encoder in fp32 and in int8. With `--vad` all use
FSMN-VAD, so that the segments are the same and the texts can be compared.

On an accelerator each way runs with one segment at a time and with full batches (300 s of audio in stock, what the
model's capabilities say in ours), after a warm-up, the best of three; `--repeat` lengthens the recording. Figures there
are wall seconds: `x_real_time` from the file to the text, `model_x_real_time` without decoding and speech detection.

`--random` builds the full-size architecture with random weights, whose text means nothing; int8 is then judged by the
error of the hidden states, and Fun-ASR-Nano writes `--tokens` tokens for every segment. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import soundfile
from rapidfuzz.distance import Levenshtein

from webui import devices
from webui.engines.base import RecognitionOptions, Waveform
from webui.engines.funasr import folder as folders
from webui.engines.funasr.onnx import export
from webui.jobs.context import MOST_IN_BATCH
from webui.settings import Settings

WAYS = ("stock", "torch", "fp32", "int8")
MAKERS = {"sensevoice": "sense_voice", "paraformer": "paraformer", "nano": "nano"}  # in tests/funasr/builder.py
END_SILENCE_MS, LONGEST_MS = 800, 20_000
ACCELERATOR_RUNS = 3
FULL_S = 300  # of audio in a batch, FunASR's default
ROOT = Path(__file__).resolve().parent.parent
DATA = Path(tempfile.gettempdir()) / "shengfang-benchmark"


def main() -> None:
    arguments = parse()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        arguments.file = repeated(arguments.file, arguments.repeat, Path(temporary))
        report = {"benchmark": "transcribe", "device": device_name(arguments.device), "threads": arguments.threads}
        for model in [build_random(kind, Path(temporary)) for kind in arguments.random] or [arguments.model]:
            report[model.name] = compare(model, arguments)
    print(json.dumps(report, ensure_ascii=False))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", help="a model folder, without --random")
    parser.add_argument("file", type=Path)
    parser.add_argument("--random", type=kinds, default=[], metavar=",".join(MAKERS))
    parser.add_argument("--device", default="cpu", help="cpu, cuda:0, npu:0")
    parser.add_argument("--batch", choices=("1", "full"), help="on an accelerator; both by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vad", type=Path, help="an FSMN-VAD folder for all; without it each uses its own Silero")
    parser.add_argument("--ways", nargs="+", choices=WAYS)
    parser.add_argument("--repeat", type=int, default=1, help="the recording so many times over")
    parser.add_argument("--tokens", type=int, default=25, help="that a random Nano writes for a segment")
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.model is None and not arguments.random:
        parser.error("a model folder or --random is needed")
    on_cpu = arguments.device == "cpu"
    arguments.batch = [arguments.batch] if arguments.batch else ["1"] if on_cpu else ["1", "full"]
    arguments.ways = arguments.ways or (WAYS if on_cpu else WAYS[:2])
    return arguments


def kinds(given: str) -> list[str]:
    if unknown := set(given.split(",")) - set(MAKERS):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(MAKERS)}")
    return given.split(",")


def repeated(file: Path, times: int, folder: Path) -> Path:
    if times == 1:
        return file
    samples, rate = soundfile.read(file, dtype="int16")
    soundfile.write(folder / "repeated.wav", np.concatenate([samples] * times), rate)
    return folder / "repeated.wav"


def device_name(device: str) -> str:
    return next((f"{each.id} ({each.name})" for each in devices.probe() if each.id == device), device)


def build_random(kind: str, folder: Path) -> Path:
    from tests.funasr import builder

    target = folder / kind
    target.mkdir()
    getattr(builder, MAKERS[kind])(target, full=True)
    return target


def compare(model: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Every way and batch; not every model has an exported form."""
    ways = [way for way in arguments.ways if way in ("stock", "torch") or export.optimisable(read(model))]
    results = {}
    for way, batch in itertools.product(ways, arguments.batch):
        results[way if len(arguments.batch) == 1 else f"{way}, batch {batch}"] = run(way, batch, model, arguments)
    return summary(results)


def read(model: Path) -> folders.Folder:
    folder = folders.read(model)
    if folder is None:
        raise SystemExit(f"{model} is no FunASR folder")
    return folder


def run(way: str, batch: str, model: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """One way in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, str(model), str(arguments.file)]
    command += ["--child", way, "--batch", batch, "--device", arguments.device, "--threads", str(arguments.threads)]
    command += ["--vad", str(arguments.vad)] if arguments.vad else []
    command += ["--tokens", str(arguments.tokens if arguments.random else 0)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def summary(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The results with what they are in stock's, of the same batch; without the texts."""
    for name, result in results.items():
        stock = results.get(name.replace(name.split(",")[0], "stock"))
        if stock and stock is not result:
            spent = "cpu_s" if "cpu_s" in result else "wall_s"
            result["times_stock"] = round(stock[spent] / result[spent], 2)
            edits = Levenshtein.distance(stock["text"], result["text"])
            result["text_difference"] = round(edits / max(1, len(stock["text"])), 4)
    return {name: {key: value for key, value in each.items() if key != "text"} for name, each in results.items()}


@dataclass
class Stopwatch:
    """Wall and CPU seconds spent in functions that are wrapped by it."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def over(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall += time.perf_counter() - wall
            self.cpu += time.process_time() - cpu

    def time(self, owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            with self.over():
                return function(*arguments, **options)

        setattr(owner, name, timed)


@dataclass(frozen=True)
class Prepared:
    """`recognition`: from segments to texts; `model`: what of it the model itself computes, None where unknown."""

    transcribe: Callable[[], str]
    recognition: Stopwatch
    model: Stopwatch | None
    extra: dict[str, Any]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """In the child: load, then transcribe, counting this process and the decoding child."""
    torch = devices.load_torch()
    torch.set_num_threads(arguments.threads)
    imported = import_funasr()
    begun = time.process_time()
    prepared = (prepare_stock if arguments.child == "stock" else prepare_ours)(arguments)
    weights = read(arguments.model).weights.stat().st_size / 2**20
    loading = {
        "load_cpu_s": round(time.process_time() - begun, 2),
        "load_peak_over_weights": round((peak_mb() - imported) / weights, 2),
    }
    seconds = float(soundfile.info(arguments.file).duration)
    timed = on_the_cpu if arguments.device == "cpu" else on_an_accelerator
    return {**timed(prepared, seconds, arguments.device), **loading, "peak_mb": round(peak_mb()), **prepared.extra}


def on_the_cpu(prepared: Prepared, seconds: float, _device: str) -> dict[str, Any]:
    before, wall = cpu_seconds(), time.perf_counter()
    text = prepared.transcribe()
    used, wall = cpu_seconds() - before, time.perf_counter() - wall
    figures = {"cpu_s": round(used, 2), "rtf": round(used / seconds, 4), **speeds(wall, prepared.recognition, seconds)}
    if prepared.model is not None:
        figures["outside_model"] = round(1 - prepared.model.cpu / used, 3)
    return {**figures, "text": text}


def on_an_accelerator(prepared: Prepared, seconds: float, device: str) -> dict[str, Any]:
    """The best of some runs after one that compiles; a text is there when the device has done its work."""
    prepared.transcribe()
    walls, inside = [], []
    for _ in range(ACCELERATOR_RUNS):
        prepared.recognition.wall, begun = 0.0, time.perf_counter()
        text = prepared.transcribe()
        walls.append(time.perf_counter() - begun)
        inside.append(prepared.recognition.wall)
    memory = devices.load_torch().get_device_module(device).max_memory_allocated(device)
    best = Stopwatch(wall=min(inside))
    return {**speeds(min(walls), best, seconds), "device_memory_mb": round(memory / 2**20), "text": text}


def speeds(wall: float, recognition: Stopwatch, seconds: float) -> dict[str, float]:
    return {
        "wall_s": round(wall, 2),
        "audio_s": round(seconds, 1),
        "x_real_time": round(seconds / wall, 1),
        "model_x_real_time": round(seconds / recognition.wall, 1),
    }


def import_funasr() -> float:
    """Import what both ways need, so that the peak of loading is the model's; the memory so far in MB."""
    from webui.engines.funasr.import_guard import load_tables

    load_tables(())
    import funasr

    with contextlib.redirect_stdout(io.StringIO()):
        funasr.import_submodules("funasr")
    return peak_mb()


def prepare_stock(arguments: argparse.Namespace) -> Prepared:
    from funasr import AutoModel

    placed = {} if arguments.vad else {"device": "cpu"}  # Silero is TorchScript, which some devices do not take
    model = AutoModel(
        model=str(arguments.model),
        device=arguments.device,
        ncpu=arguments.threads,
        disable_update=True,
        disable_pbar=True,
        log_level="ERROR",
        frontend_conf={"dither": 0.0},
        vad_model=str(arguments.vad or "silero-vad"),
        vad_kwargs={"max_single_segment_time": LONGEST_MS, "disable_update": True, **placed},
    )
    if model.kwargs["device"] != arguments.device:  # it falls back in silence
        raise SystemExit(f"stock FunASR computes on {model.kwargs['device']}, not on {arguments.device}")
    recognition = Stopwatch()
    recognition.time(model.model, "inference")
    options: dict[str, Any] = {"language": "auto", "use_itn": False, "max_end_silence_time": END_SILENCE_MS}
    options |= {"batch_size_s": FULL_S if arguments.batch == ["full"] else 0}
    if read(arguments.model).family.kind == "nano":
        numbers = "fp32" if arguments.device == "cpu" else "bf16"
        options |= {"language": None, "itn": False, "llm_dtype": numbers, "llm_kwargs": {"do_sample": False}}
        options |= {"max_length": arguments.tokens} if arguments.tokens else {}
        model.model.ctc_decoder = None  # with the head for times it asks for torchaudio, and does not batch

    def transcribe() -> str:
        from webui.engines.funasr import transcript

        found = model.generate(input=str(arguments.file), **options)
        text, _ = transcript.strip_tags(found[0]["text"] if found else "")
        return text.replace(" ", "")

    return Prepared(transcribe, recognition, None, {})


def prepare_ours(arguments: argparse.Namespace) -> Prepared:
    from webui.engines.funasr import nano, opening

    settings = Settings(data=DATA, models=arguments.model.parent)
    folder = read(arguments.model)
    extra: dict[str, Any] = {}
    if arguments.child != "torch":
        exported = export.find(folder, settings) or in_a_child(arguments)
        assert exported is not None
        extra["hidden_error"] = {
            name: float(f"{error:.2g}") for name, error in exported.report.errors.items() if arguments.child in name
        }
    if arguments.tokens:
        nano._NEW_TOKENS = arguments.tokens
    recognizer = opening.open_recognizer(folder, arguments.device, settings, precision=arguments.child)
    if arguments.batch == ["1"]:
        recognizer.capabilities = replace(recognizer.capabilities, batch_seconds=0)
    inside, recognition = model_stopwatch(recognizer), Stopwatch()
    recognition.time(recognizer, "recognize")
    return Prepared(lambda: transcribe_ours(arguments, settings, recognizer), recognition, inside, extra)


def in_a_child(arguments: argparse.Namespace) -> Any:
    """Export in another process, so that its memory is not counted."""
    code = (
        "import sys; from pathlib import Path; from webui.settings import Settings;"
        "from webui.engines.funasr import folder; from webui.engines.funasr.onnx import export;"
        "path = Path(sys.argv[1]);"
        "export.optimise(folder.read(path), Settings(data=Path(sys.argv[2]), models=path.parent))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(arguments.model), str(DATA)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return export.find(read(arguments.model), Settings(data=DATA, models=arguments.model.parent))


def model_stopwatch(recognizer: Any) -> Stopwatch | None:
    """Around encoder, decoder and predictor, without features, tokens and times."""
    watch = Stopwatch()
    if hasattr(recognizer, "_encoder"):
        watch.time(recognizer._encoder, "best_tokens")
        return watch
    model = recognizer.built.model
    if not hasattr(model, "calc_predictor"):
        return None
    for owner, name in ((model.encoder, "forward"), (model.decoder, "forward"), (model, "calc_predictor")):
        watch.time(owner, name)
    if hasattr(model, "calc_predictor_timestamp"):
        watch.time(model, "calc_predictor_timestamp")
    return watch


def transcribe_ours(arguments: argparse.Namespace, settings: Settings, recognizer: Any) -> str:
    """From the file to the text, in the batches that a job takes."""
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
    text = ""
    for batch in batches(segments, recognizer.batch_seconds):
        text += "".join(result.text for result in recognizer.recognize(batch, RecognitionOptions(itn=False)))
    return text.replace(" ", "")


def batches(segments: Sequence[Waveform], seconds: float) -> Iterator[list[Waveform]]:
    """As the queue hands them out: in order, as many as fit into `seconds`, one always."""
    batch: list[Waveform] = []
    for segment in segments:
        if batch and (sum(each.seconds for each in [*batch, segment]) > seconds or len(batch) == MOST_IN_BATCH):
            yield batch
            batch = []
        batch.append(segment)
    yield batch


def detector(arguments: argparse.Namespace) -> Any:
    if not arguments.vad:
        from webui.audio.vad import SpeechDetector

        return SpeechDetector()
    from webui.engines.funasr.vad import FsmnDetector

    return FsmnDetector(read(arguments.vad), max_segment=LONGEST_MS / 1000)


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
