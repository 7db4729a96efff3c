"""Folders that somebody copied into models/: one that is bad is a line with its reason, and takes nothing else away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.capabilities import ordinary
from tests.cosyvoice.conftest import build
from webui.engines import basic, catalog
from webui.engines.base import AnyModel, RecognizerModel
from webui.engines.model_folders import models_in_folders
from webui.engines.verification import verify
from webui.errors import Notice, UserError
from webui.hosting.host import ModelHost
from webui.service.models import ModelService
from webui.settings import Settings
from webui.store.migrate import open_database
from webui.store.options import OptionStore

SENSE_VOICE = "model: SenseVoiceSmall\n"
ENGLISH = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(catalog.ROOT)}
LIMIT_S = 0.1  # of one bad folder, in the process's own time
BOMB = "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}' if n else 'x'] * 10)}]\n" for n in range(9))
COPIES = "".join(f"r{n}:\n" + (f"- ${{r{n - 1}}}\n" if n else "- x\n") * 10 for n in range(8))

# What lies beside the weights → the reason.
CASES: dict[str, tuple[dict[str, str | bytes], str]] = {
    "marker-type": ({"config.yaml": SENSE_VOICE, "shengfang.toml": "purpose='x'\nlanguages=5\n"}, "FILE_KEY"),
    "marker-deep": ({"config.yaml": SENSE_VOICE, "shengfang.toml": "a=" + "[" * 4000}, "FILE_NESTED"),
    "marker-dotted": ({"config.yaml": SENSE_VOICE, "shengfang.toml": ".".join("a" * 2000) + "=1"}, "FILE_NESTED"),
    "marker-huge": ({"config.yaml": SENSE_VOICE, "shengfang.toml": "#" * 2**20}, "FILE_HUGE"),
    "json-deep": ({"config.yaml": SENSE_VOICE, "configuration.json": "[" * 200_000}, "FILE_NESTED"),
    "json-surrogate": (
        {"config.yaml": SENSE_VOICE, "configuration.json": '{"file_path_metas": {"init_param": "\\ud800"}}'},
        "FILE_BAD_VALUE",
    ),
    "json-crowded": ({"config.yaml": SENSE_VOICE, "configuration.json": f"[{'1,' * 20_000}1]"}, "FILE_CROWDED"),
    "json-number": ({"config.yaml": SENSE_VOICE, "configuration.json": "9" * 5000}, "FILE_SYNTAX"),
    "yaml-recursive": ({"config.yaml": SENSE_VOICE + "a: &a\n  b: *a\n"}, "FILE_ALIASES"),
    "yaml-aliases": ({"config.yaml": SENSE_VOICE + BOMB}, "FILE_ALIASES"),
    "yaml-references": ({"config.yaml": SENSE_VOICE + COPIES}, "FILE_CROWDED"),
    "yaml-deep": ({"config.yaml": SENSE_VOICE + "a: " + "[" * 500}, "FILE_NESTED"),
    "yaml-tag": ({"config.yaml": SENSE_VOICE + "a: !!python/name:os.system\n"}, "FILE_SYNTAX"),
    "yaml-binary": ({"config.yaml": b"\xff\xfe\x00"}, "FILE_NOT_TEXT"),
    "yaml-number": ({"config.yaml": SENSE_VOICE + "a: 0x" + "f" * 9000}, "FILE_BAD_VALUE"),
    "yaml-long-number": ({"config.yaml": SENSE_VOICE + "a: 0x" + "f" * 20_000}, "FILE_CROWDED"),
    "path-nul": ({"config.yaml": SENSE_VOICE + 'init_param: "a\\0b"\n'}, "FILE_BAD_VALUE"),
    "metas-nul": (
        {"config.yaml": SENSE_VOICE, "configuration.json": '{"file_path_metas": {"init_param": "a\\u0000b"}}'},
        "FILE_BAD_VALUE",
    ),
    "class": ({"config.yaml": "model: GLMASR\n"}, "CLASS_UNSUPPORTED"),
    "pointer": (
        {"config.yaml": SENSE_VOICE, "model.pt": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"},
        "FILE_LFS_POINTER",
    ),
    "hollow": ({"config.yaml": SENSE_VOICE, "model.pt": ""}, "FILE_EMPTY"),
    "weights": ({}, "FOLDER_UNCONFIGURED"),
    "whisper": ({"config.json": '{"model_type": "novelty"}'}, "FOLDER_UNKNOWN"),
}


def put(folder: Path, files: dict[str, str | bytes]) -> Path:
    """A folder with sound weights and these files."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "model.pt", "w") as archive:
        archive.writestr("data.pkl", b"weights")
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def locked(folder: Path) -> None:
    put(folder, {"config.yaml": SENSE_VOICE})
    folder.chmod(0)


def locked_file(folder: Path) -> None:
    (put(folder, {"config.yaml": SENSE_VOICE}) / "config.yaml").chmod(0)


def fifo(folder: Path) -> None:
    os.mkfifo(put(folder, {}) / "config.yaml")


def device(folder: Path) -> None:
    (put(folder, {"config.yaml": SENSE_VOICE}) / "configuration.json").symlink_to("/dev/zero")


def nested(folder: Path) -> None:
    put(folder / "SenseVoiceSmall", {"config.yaml": SENSE_VOICE})


def crowded(folder: Path) -> None:
    put(folder, {"config.yaml": SENSE_VOICE, **{f"file{number}": "" for number in range(1200)}})


def stuffed(folder: Path) -> None:
    """Weights with a directory of a hundred thousand empty parts."""
    with zipfile.ZipFile(put(folder, {"config.yaml": SENSE_VOICE}) / "model.pt", "w") as archive:
        for number in range(100_000):
            archive.writestr(f"data/{number}", b"")
        archive.writestr("data.pkl", b"weights")


def loop(folder: Path) -> None:
    folder.symlink_to(folder)


MADE: dict[str, tuple[Callable[[Path], object], str]] = {
    "locked": (locked, "FOLDER_LOCKED"),
    "locked-file": (locked_file, "FILE_LOCKED"),
    "fifo": (fifo, "FILE_ODD"),
    "device": (device, "FILE_ODD"),
    "nested": (nested, "FOLDER_NESTED"),
    "crowded": (crowded, "FOLDER_CROWDED"),
    "stuffed": (stuffed, "FILE_DAMAGED"),
    "empty": (Path.mkdir, "FOLDER_EMPTY"),
    "link": (lambda folder: folder.symlink_to("/nowhere"), "LINK_BROKEN"),
    "loop": (loop, "LINK_BROKEN"),
}


@pytest.fixture
def good(settings: Settings) -> Path:
    return put(settings.models / "good", {"config.yaml": SENSE_VOICE})


@pytest.fixture(params=[*CASES, *MADE])
def bad(request: pytest.FixtureRequest, settings: Settings) -> Iterator[tuple[Path, str]]:
    folder, name = settings.models / "bad", request.param
    if name in CASES:
        put(folder, CASES[name][0])
    else:
        MADE[name][0](folder)
    with ordinary():
        yield folder, (CASES[name] if name in CASES else MADE[name])[1]
    if name == "locked":
        folder.chmod(0o700)


def reason(model: AnyModel) -> Notice:
    assert model.problem is not None and model.problem.code == "MODEL_BROKEN"
    found: Notice = model.problem.params["reason"]
    return found


def test_a_bad_folder_is_one_line_with_its_reason_and_the_others_stay(
    settings: Settings, good: Path, bad: tuple[Path, str]
) -> None:
    catalog.available(settings)  # what is imported once
    began = time.process_time()
    found = catalog.available(settings)
    assert time.process_time() - began < LIMIT_S
    (sound,) = [model for model in found if model.name == "good"]
    assert isinstance(sound, RecognizerModel) and sound.problem is None
    (line,) = [model for model in found if model.name == "bad"]
    assert reason(line).code == bad[1]
    for locale in ("zh", "en"):
        json.dumps(line.problem and line.problem.worded(locale).message, ensure_ascii=False).encode()


def test_whatever_an_engine_stumbles_over_is_that_folders_problem(settings: Settings, good: Path) -> None:
    put(settings.models / "odd", {})

    def opened(folder: Path) -> AnyModel | None:
        if folder.name == "odd":
            raise ZeroDivisionError
        return None

    (line,) = models_in_folders(settings, "engine", opened)
    assert line.name == "odd" and reason(line) == Notice("FOLDER_ODD", {"error": "ZeroDivisionError"})


def test_a_job_for_a_bad_folder_is_told_why(settings: Settings, good: Path) -> None:
    put(settings.models / "bad", CASES["yaml-aliases"][0])
    database = open_database(settings.database)
    service = ModelService(settings, OptionStore(database), ModelHost(settings))
    with pytest.raises(UserError, match="MODEL_BROKEN"):
        service.resolve("bad", RecognizerModel)
    assert service.resolve("auto", RecognizerModel).name == "good"
    assert {"good", "bad"} <= {listed.model.name for listed in service.listing().models}
    database.close()


def test_a_name_that_is_no_text_takes_nothing_away(settings: Settings, good: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(settings.models) + b"/\xff\xfe")), {"config.yaml": SENSE_VOICE})
    found = {model.name: model for model in catalog.available(settings)}
    assert found["good"].problem is None and reason(found["\ufffd\ufffd"]).code == "FOLDER_NAME"
    assert [name for name in found if not name.isascii()] == ["\ufffd\ufffd"]


def test_a_folder_of_another_engine_may_hold_what_funasr_cannot_read(settings: Settings, cosyvoice: Path) -> None:
    (cosyvoice / "configuration.json").write_text("{broken")
    (model,) = [model for model in catalog.available(settings) if model.name == cosyvoice.name]
    assert model.problem is None and model.kind == "synthesizer"


def test_cosyvoice_survives_its_neighbours(settings: Settings, cosyvoice: Path, bad: tuple[Path, str]) -> None:
    found = {model.name: model for model in catalog.available(settings)}
    assert found[cosyvoice.name].problem is None and found["bad"].problem is not None


@pytest.mark.parametrize(
    ("text", "reason_"),
    [
        ("[models.x]\nnope=1\n", "FILE_KEY"),
        ("models = 5\n", None),
        ("[models.x]\ntitle = 5\n", "FILE_KEY"),
        ("a=" + "[" * 20_000, "FILE_NESTED"),
        ("[hubs.ms]\nlisting = 5\n", "FILE_KEY"),
    ],
)
def test_a_bad_catalogue_takes_no_model_away(settings: Settings, good: Path, text: str, reason_: str | None) -> None:
    (settings.models / "catalog.toml").write_text(text)
    found = {model.name: model for model in catalog.available(settings)}
    assert found["good"].problem is None
    assert (reason(found["catalog.toml"]).code if "catalog.toml" in found else None) == reason_
    catalog.entries(settings)


def test_an_unknown_key_of_the_catalogue_is_named_and_its_neighbours_stay(settings: Settings) -> None:
    own = (catalog.ROOT / "models" / "catalog.toml").read_text("utf-8")
    (settings.models / "catalog.toml").write_text(own + "\n[models.x]\nnope = 1\n", "utf-8")
    (line,) = [model for model in catalog.available(settings) if model.name == "catalog.toml"]
    assert "models.x" not in catalog.entries(settings) and "SenseVoiceSmall" in catalog.entries(settings)
    assert "x.nope in catalog.toml: there is no such" in reason(line).worded("en").message


def test_a_hubs_cache_whose_files_are_links_is_a_model(settings: Settings, tmp_path: Path) -> None:
    source = put(tmp_path / "blobs", {"config.yaml": SENSE_VOICE, "configuration.json": "{}"})
    folder = settings.models / "linked"
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    (model,) = [model for model in catalog.available(settings) if model.name == "linked"]
    assert model.problem is None


@pytest.fixture
def cosyvoice(settings: Settings) -> Path:
    folder = settings.models / "cosy"
    build(folder)
    return folder


def test_verify_says_what_the_list_says(settings: Settings, good: Path, bad: tuple[Path, str]) -> None:
    (line,) = [model for model in catalog.available(settings) if model.name == "bad"]
    findings = verify(settings, "bad")
    assert findings[0] == reason(line)
    assert all("{" not in finding.worded("zh").message for finding in findings)


def test_verify_names_the_pointer_its_size_and_what_a_folder_lacks(settings: Settings) -> None:
    put(settings.models / "pointer", CASES["pointer"][0])
    put(settings.models / "bare", {})
    nested(settings.models / "nested")
    said = {name: verify(settings, name)[0].worded("en").message for name in ("pointer", "bare", "nested")}
    assert said == {
        "pointer": "model.pt is a Git LFS pointer, 63 bytes, not the weights",
        "bare": "weights, but no config.yaml",
        "nested": "a folder in a folder: move “SenseVoiceSmall”, which lies in it, up into models/",
    }


WITHOUT_TORCH = """
import json, sys
sys.modules["torch"] = None
from pathlib import Path
from webui.cli.checks import examine
from webui.engines import catalog
from webui.settings import Settings
settings = Settings(models=Path(sys.argv[1]), data=Path(sys.argv[2]))
print(json.dumps([[line.subject, line.state, line.text] for line in examine(settings)]))
print(json.dumps({model.name: model.problem is None for model in catalog.available(settings)}))
"""


def test_what_cannot_be_loaded_without_torch_is_neither_ok_nor_usable(
    settings: Settings, good: Path, cosyvoice: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT_TORCH, str(settings.models), str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=ENGLISH)
    lines, usable = (json.loads(line) for line in ran.stdout.splitlines()[-2:])
    assert usable == {"basic": True, "good": False, cosyvoice.name: False}
    states = {subject: (state, text) for subject, state, text in lines}
    assert states["torch"][0] == "bad" and states["cpu"][0] == "note"
    assert states["good"][0] == states[cosyvoice.name][0] == "bad"
    assert "torch" in states["good"][1]


def test_the_basic_recognizer_without_its_library_is_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    hears, speaks = basic.models(Settings())
    assert reason(hears).params == {"package": "pocketsphinx"} and speaks.problem is None
