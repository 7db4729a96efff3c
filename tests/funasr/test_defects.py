"""Each measured defect of stock FunASR, and that it does not come through our wrapper."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from webui.engines import funasr
from webui.engines.base import EngineError, RecognitionOptions, Waveform
from webui.engines.funasr import folder as folders
from webui.engines.funasr.recognizer import FunasrRecognizer
from webui.settings import Settings

SPOKEN = RecognitionOptions(itn=False)


@pytest.fixture(scope="module")
def loaded(model_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, FunasrRecognizer]:
    settings = Settings(data=tmp_path_factory.mktemp("data"), models=model_folders)
    return {model.name: model.load("cpu") for model in funasr.models(settings)}


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An HTTP server on this machine: its address, and the paths that were asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write("丁七".encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize("answer", [([],), []])
def test_one_empty_segment_does_not_lose_the_others(
    loaded: dict[str, Any], speech: Callable[[float], Waveform], monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    recognizer = loaded["seaco"]
    real = recognizer.built.model.inference
    asked: list[Any] = []  # the shortest first

    def sometimes_empty(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        return answer if len(asked) == 2 else real(*arguments, **options)

    monkeypatch.setattr(recognizer.built.model, "inference", sometimes_empty)
    first, second, third = recognizer.recognize([speech(1), speech(1.5), speech(2)], SPOKEN)
    assert first.text and not second.text and third.text


def test_every_segment_has_a_result_in_its_place(loaded: dict[str, Any], speech: Callable[[float], Waveform]) -> None:
    silence = Waveform(np.zeros(0, np.float32), 16000)
    batch = [speech(2), silence, speech(1), Waveform(np.zeros(300, np.float32), 16000)]
    for recognizer in loaded.values():
        if recognizer.capabilities.batch_seconds == 120:
            continue  # Nano takes seconds a segment, and is asked elsewhere
        found = recognizer.recognize(batch, SPOKEN)
        assert [bool(result.text) for result in found] == [True, False, True, False]
        assert found[0] == recognizer.recognize([batch[0]], SPOKEN)[0]


def test_threads_on_one_model_get_their_own_results(
    loaded: dict[str, Any], speech: Callable[[float], Waveform]
) -> None:
    recognizer = loaded["seaco"]
    asked = [RecognitionOptions(hotwords=words) for words in ((), ("丁七万",), ("世丘丙",), ("丈三",))] * 3
    alone = [recognizer.recognize([speech(1.2)], options)[0] for options in asked[:4]]
    assert len({result.text for result in alone}) > 1
    together: list[Any] = [None] * len(asked)

    def run(index: int) -> None:
        together[index] = recognizer.recognize([speech(1.2)], asked[index])[0]

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone * 3


def test_no_dither_in_the_configuration_is_no_noise(
    loaded: dict[str, Any], speech: Callable[[float], Waveform]
) -> None:
    for name in ("sensevoice", "paraformer", "seaco", "streaming"):
        runs = [loaded[name].recognize([speech(1.5)], SPOKEN) for _ in range(3)]
        assert runs[0] == runs[1] == runs[2]


def test_features_that_a_model_scales_in_place_are_whole_for_its_second_pass(
    loaded: dict[str, Any], speech: Callable[[float], Waveform], monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = loaded["sensevoice"]
    monkeypatch.setattr("webui.engines.funasr.sensevoice._DIGIT", re.compile("."))  # always a second pass, without ITN
    written, spoken = (recognizer.recognize([speech(2)], RecognitionOptions(itn=itn))[0] for itn in (True, False))
    assert written.text_raw == spoken.text != written.text


def test_nothing_asks_for_a_gpu_by_itself(
    loaded: dict[str, Any], speech: Callable[[float], Waveform], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    for name in ("empty_cache", "synchronize", "_lazy_init"):
        monkeypatch.setattr(torch.cuda, name, lambda *_arguments: pytest.fail("cuda"))
    monkeypatch.setattr("webui.engines.funasr.nano._NEW_TOKENS", 2)
    assert all(recognizer.recognize([speech(1)], SPOKEN)[0].text for recognizer in loaded.values())


def test_hotwords_are_neither_fetched_nor_opened(
    loaded: dict[str, Any],
    speech: Callable[[float], Waveform],
    listener: tuple[str, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, asked = listener
    (tmp_path / "w.txt").write_text("丁七万", "utf-8")
    monkeypatch.chdir(tmp_path)
    recognizer = loaded["seaco"]
    plain = recognizer.recognize([speech(1)], SPOKEN)
    for hostile in (f"{address}/x", "w.txt", str(tmp_path / "w.txt"), "httpd", "http"):
        assert recognizer.recognize([speech(1)], RecognitionOptions(hotwords=(hostile,), itn=False)) == plain
    assert asked == []


def test_hotwords_that_cannot_be_spelled_are_left_out(
    loaded: dict[str, Any], speech: Callable[[float], Waveform]
) -> None:
    recognizer = loaded["seaco"]
    known = recognizer.recognize([speech(1)], RecognitionOptions(hotwords=("丁七万",)))
    mixed = recognizer.recognize([speech(1)], RecognitionOptions(hotwords=("龘龘", "丁七万")))
    assert mixed == known != recognizer.recognize([speech(1)], RecognitionOptions())


def test_nano_gets_a_list_of_words_and_no_language_called_auto(
    loaded: dict[str, Any], speech: Callable[[float], Waveform], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def inference(arrays: list[Any], **options: Any) -> Any:
        asked.append(options)
        return ([], {})

    monkeypatch.setattr(loaded["nano"].built.model, "inference", inference)
    monkeypatch.setattr(loaded["nano"], "_encoded", [])
    for language in ("auto", "zh"):
        options = RecognitionOptions(language, ("张三", "李四", *(f"词{n}" for n in range(150))))
        with pytest.raises(EngineError):  # the model said nothing at all: no encoder ran
            loaded["nano"].recognize([speech(1)], options)
    assert [options["hotwords"][:3] for options in asked] == [["张三", "李四", "词0"]] * 2
    assert [len(options["hotwords"]) for options in asked] == [100, 100]
    assert [options["language"] for options in asked] == [None, "中文"]


@pytest.mark.parametrize("samples", [np.zeros(16000, np.int16), np.zeros((2, 16000), np.float32)])
def test_wrong_arrays_are_refused_not_misread(loaded: dict[str, Any], samples: np.ndarray) -> None:
    with pytest.raises(EngineError):
        loaded["sensevoice"].recognize([Waveform(samples, 16000)], SPOKEN)
    with pytest.raises(EngineError):
        loaded["sensevoice"].recognize([Waveform(np.zeros(8000, np.float32), 8000)], SPOKEN)


def test_a_long_segment_is_cut_before_its_attention_explodes(
    loaded: dict[str, Any], speech: Callable[[float], Waveform], monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = loaded["sensevoice"]
    lengths: list[float] = []
    real = recognizer._recognize

    def counted(batch: list[Waveform], options: RecognitionOptions) -> Any:
        lengths.extend(waveform.seconds for waveform in batch)
        return real(batch, options)

    monkeypatch.setattr(recognizer, "_recognize", counted)
    found = recognizer.recognize([speech(70)], SPOKEN)[0]
    assert len(lengths) == 3 and max(lengths) < 34 and abs(sum(lengths) - 70) < 0.01
    starts = [each.start for each in found.words]
    assert starts == sorted(starts) and starts[-1] > 60


def test_an_unusable_device_is_an_error_not_the_cpu(model_folders: Path, settings: Settings) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    folder = folders.read(model_folders / "sensevoice")
    assert folder is not None
    from webui.engines.funasr.opening import open_recognizer

    with pytest.raises((AssertionError, RuntimeError)):
        open_recognizer(folder, "cuda:0", settings)


_QUIET = """
import logging, random, socket, sys
from pathlib import Path
import numpy, torch
torch.set_num_threads(3); torch.manual_seed(1); random.seed(1); numpy.random.seed(1)
tried = []
def connect(self, address):
    tried.append(address); raise OSError('no network')
socket.socket.connect = connect
socket.getaddrinfo = lambda *a, **k: tried.append(a) or []
state = torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1].copy()
root = logging.getLogger(); before = (root.level, list(root.handlers))
from webui.settings import Settings
from webui.engines import funasr
for model in funasr.models(Settings(models=Path(sys.argv[1]))):
    model.load('cpu')
assert torch.get_num_threads() == 3, torch.get_num_threads()
assert torch.equal(torch.get_rng_state(), state[0]) and random.getstate() == state[1]
assert (numpy.random.get_state()[1] == state[2]).all()
assert (root.level, list(root.handlers)) == before
assert tried == [], tried
print('quiet')
"""


def test_loading_leaves_threads_seeds_logging_and_output_alone_and_calls_nobody(
    model_folders: Path, in_child: Callable[..., str]
) -> None:
    assert in_child(_QUIET, model_folders) == "quiet\n"


_BROKEN_TORCHAUDIO = """
import sys; from pathlib import Path
sys.path.insert(0, sys.argv[2])
from webui.engines.funasr import folder, loading
loading.build(folder.read(Path(sys.argv[1]) / 'sensevoice'), 'cpu')
print('loaded')
"""


def test_a_torchaudio_that_does_not_load_does_not_matter(
    model_folders: Path, tmp_path: Path, in_child: Callable[..., str]
) -> None:
    (tmp_path / "torchaudio.py").write_text("raise OSError('Could not load this library')", "utf-8")
    assert in_child(_BROKEN_TORCHAUDIO, model_folders, tmp_path) == "loaded\n"


_THREADED_VAD = """
import sys, threading; from pathlib import Path
import numpy as np
from webui.audio.vad import SpeechDetector
from webui.engines import funasr; from webui.engines.base import RecognitionOptions, Waveform
from webui.settings import Settings
model = next(m for m in funasr.models(Settings(models=Path(sys.argv[1]))) if m.name == 'sensevoice').load('cpu')
detector = SpeechDetector()
rng = np.random.default_rng(0)
sounds = [rng.normal(0, .1, 48000).astype(np.float32) for _ in range(4)]
def transcribe(sound):
    session = detector.session()
    spans = session.feed(sound) + session.finish()
    return spans, model.recognize([Waveform(sound, 16000)], RecognitionOptions())
alone = [transcribe(sound) for sound in sounds]
found = [None] * 16
def run(i): found[i] = transcribe(sounds[i % 4])
threads = [threading.Thread(target=run, args=(i,)) for i in range(16)]
[t.start() for t in threads]; [t.join() for t in threads]
assert found == alone * 4
print('same')
"""


def test_four_threads_with_speech_detection_neither_crash_nor_mix_up(
    model_folders: Path, in_child: Callable[..., str]
) -> None:
    assert in_child(_THREADED_VAD, model_folders) == "same\n"


@pytest.fixture(scope="module")
def fsmn(shared: Path) -> folders.Folder:
    found = folders.read(shared / "eval" / "models" / "fsmn-vad")
    assert found is not None and found.family.role == "vad"
    return found


@pytest.mark.shared
def test_fsmn_options_of_one_recording_do_not_stick(fsmn: folders.Folder, shared: Path) -> None:
    from webui.engines.funasr.vad import FsmnDetector

    soundfile = pytest.importorskip("soundfile")
    samples, rate = soundfile.read(shared / "eval/speech/multispk/thewh1teagle+vibe__6_speakers.wav", dtype="float32")
    assert rate == 16000
    detector = FsmnDetector(fsmn)

    def segments(end_silence_ms: int) -> list[Any]:
        session = detector.session(end_silence_ms)
        return session.feed(samples[:100_000]) + session.feed(samples[100_000:]) + session.finish()

    usual = segments(800)
    assert segments(200) != usual == segments(800)


@pytest.mark.shared
def test_fsmn_gives_the_reference_segments_and_keeps_the_longest(fsmn: folders.Folder, shared: Path) -> None:
    from webui.engines.funasr.vad import FsmnDetector

    soundfile = pytest.importorskip("soundfile")
    for name, wanted in (("long", [(0.25, 7.98)]), ("mid", [(0.36, 4.97)])):
        samples, _ = soundfile.read(shared / f"eval/speech/zh/modelscope+FunASR__{name}.wav", dtype="float32")
        session = FsmnDetector(fsmn).session()
        assert [(span.start, span.end) for span in session.feed(samples) + session.finish()] == wanted
    session = FsmnDetector(fsmn, max_segment=3).session()
    spans = session.feed(samples) + session.finish()
    assert len(spans) > 1 and max(span.end - span.start for span in spans) <= 3.1
