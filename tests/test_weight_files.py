"""Files of weights: what is seen of them without their being loaded."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from webui.engines import funasr
from webui.engines.weight_files import problem_of
from webui.settings import Settings

CTRANSLATE2 = b"\x06\0\0\0\x0c\0WhisperSpec\0\x03\0\0\0" + bytes(range(256))  # version, specification, revision
OPENVINO = bytes(4096)  # numbers from the first byte on
PAGE = b"<!DOCTYPE html><title>404</title>"


def torch_archive() -> bytes:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("archive/data.pkl", bytes(4096))
        return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "whole"),
    [
        ("model.bin", CTRANSLATE2, True),
        ("weights.bin", OPENVINO, True),
        ("pytorch_model.bin", torch_archive(), True),
        ("pytorch_model.bin", torch_archive()[:-30], False),
        ("model.pt", torch_archive(), True),
        ("model.pt", CTRANSLATE2, False),
        ("model.pt", PAGE, False),
    ],
)
def test_a_bin_is_judged_by_its_content_and_torchs_own_endings_by_their_format(
    tmp_path: Path, name: str, content: bytes, whole: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    problem = problem_of(tmp_path / name)
    assert (problem and problem.code) == (None if whole else "FILE_DAMAGED")


@pytest.mark.parametrize("content", [PAGE, CTRANSLATE2, torch_archive()[:-30]])
def test_an_engine_that_reads_torch_alone_refuses_any_other_bin(settings: Settings, content: bytes) -> None:
    folder = settings.models / "campplus"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("model: CAMPPlus\ninit_param: campplus_cn_common.bin\n")
    (folder / "campplus_cn_common.bin").write_bytes(content)
    (model,) = (model for model in funasr.models(settings) if model.name == "campplus")
    assert model.problem is not None and model.problem.params["reason"].code == "FILE_DAMAGED"
