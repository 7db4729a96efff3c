"""Encoders of fixed lengths: as torch computes them, whatever is padded behind."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fake_acl import FakeAcl
from tests.funasr import builder
from webui.cli.application import main
from webui.engines.base import EngineError
from webui.engines.funasr.onnx.fixed_length import choose, padded, repeated
from webui.engines.funasr.onnx.fixed_length_export import export
from webui.engines.funasr.onnx.fixed_length_manifest import FILE, Manifest
from webui.engines.funasr.onnx.fixed_length_sessions import CANN, OfflineEncoder
from webui.engines.funasr.onnx.om import OmSession
from webui.errors import UserError
from webui.onnx_session import OnnxSession
from webui.settings import Settings

BUCKETS = (20, 40)


def paraformer(folder: Path) -> Path:
    return builder.paraformer(folder, contextual=False)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("offline")
    builders: dict[str, Callable[[Path], Path]] = {
        "sensevoice": builder.sense_voice,
        "paraformer": paraformer,
        "speaker": builder.campplus,
    }
    for name, build in builders.items():
        (root / "models" / name).mkdir(parents=True)
        build(root / "models" / name)
    for name in builders:
        export(name, Settings(data=root, models=root / "models"), root / "out" / name, BUCKETS)
    return Settings(data=root, models=root / "models")


@pytest.mark.parametrize("name", ["sensevoice", "paraformer", "speaker"])
def test_every_bucket_agrees_with_torch(models: Settings, name: str) -> None:
    manifest = Manifest.read(models.data / "out" / name)
    assert [bucket.frames for bucket in manifest.buckets] == list(BUCKETS) and manifest.masked == (name != "speaker")
    assert all(bucket.error < 1e-4 for bucket in manifest.buckets), manifest


@pytest.mark.parametrize("name", ["sensevoice", "paraformer"])
def test_the_bucket_does_not_show_in_the_result(models: Settings, name: str) -> None:
    encoder = OfflineEncoder(models.data / "out" / name)
    features = np.random.default_rng(1).normal(size=(20, 560)).astype(np.float32)
    (exact,) = encoder.run(features).values()
    (short,) = encoder.run(features[:13]).values()
    longer = dict(zip(("speech", "mask"), padded(features, 40), strict=True))
    (in_longer,) = OnnxSession(models.data / "out" / name / "encoder.40.onnx", 1).run(longer).values()
    assert exact.shape[1] == 20 and short.shape[1] == 13
    assert np.allclose(in_longer[:, :20], exact, atol=1e-4)


def test_a_speaker_embedding_is_of_the_repeated_recording(models: Settings) -> None:
    encoder = OfflineEncoder(models.data / "out" / "speaker")
    features = np.random.default_rng(1).normal(size=(15, 80)).astype(np.float32)
    (short,) = encoder.run(features).values()
    (twice,) = encoder.run(repeated(features, 20)[0]).values()
    assert np.allclose(short, twice, atol=1e-5)


def test_the_smallest_bucket_that_fits_is_chosen() -> None:
    assert [choose(frames, (40, 20)) for frames in (1, 20, 21, 40)] == [20, 20, 40, 40]
    with pytest.raises(EngineError, match="41 frames"):
        choose(41, BUCKETS)


def test_the_manifest_writes_out_the_command_for_each_chip(models: Settings) -> None:
    folder = models.data / "out" / "sensevoice"
    commands = json.loads((folder / FILE).read_text())["atc"]
    assert commands["Ascend310"][0] == [
        "atc",
        "--framework=5",
        "--model=encoder.20.onnx",
        "--output=encoder.20.Ascend310",
        "--input_format=ND",
        "--input_shape=speech:1,20,560;mask:1,1,20",
        "--soc_version=Ascend310",
    ]


def test_a_provider_that_is_not_active_is_not_claimed(models: Settings, caplog: pytest.LogCaptureFixture) -> None:
    session = OnnxSession(models.data / "out" / "sensevoice" / "encoder.20.onnx", 1, CANN)
    assert session.provider == "CPUExecutionProvider" and CANN in caplog.text


def test_an_exchanged_file_is_refused(models: Settings, tmp_path: Path) -> None:
    for file in (models.data / "out" / "speaker").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "encoder.40.onnx").write_bytes(b"another")
    with pytest.raises(UserError) as caught:
        OfflineEncoder(tmp_path)
    assert caught.value.params["reason"] == "encoder.40.onnx"


def test_the_command_line_exports_and_says_what_to_run(
    models: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--models", str(models.models), "--data", str(tmp_path), "--out", str(tmp_path / "x")]
    assert main(["models", "export-onnx", "paraformer", *given]) == 0
    assert "--soc_version=Ascend310P3" in capsys.readouterr().out and (tmp_path / "x" / FILE).is_file()
    assert main(["models", "export-onnx", "nobody", *given]) == 2


class TestOm:
    """The experimental way to a card, against a stand-in for pyACL that computes the bucket's ONNX."""

    def session(self, models: Settings, monkeypatch: pytest.MonkeyPatch, acl: FakeAcl) -> OmSession:
        monkeypatch.setitem(sys.modules, "acl", acl)
        return OmSession(models.data / "out" / "sensevoice" / "encoder.20.onnx", ["speech", "mask"], ["logits"])

    def feeds(self, frames: int = 20) -> dict[str, np.ndarray]:
        features = np.random.default_rng(2).normal(size=(13, 560)).astype(np.float32)
        return dict(zip(("speech", "mask"), padded(features, frames), strict=True))

    def test_it_gives_what_onnx_runtime_gives_and_frees_its_memory(
        self, models: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        acl = FakeAcl()
        session = self.session(models, monkeypatch, acl)
        wanted = OnnxSession(models.data / "out" / "sensevoice" / "encoder.20.onnx", 1).run(self.feeds())
        assert np.array_equal(session.run(self.feeds())["logits"], wanted["logits"])
        session.close()
        assert acl.memory == {} and acl.calls[:3] == ["init", "set_device", "load_from_file"]
        assert acl.calls[-1] == "unload"

    def test_a_bucket_that_is_another_is_refused(self, models: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(EngineError, match="the model wants"):
            self.session(models, monkeypatch, FakeAcl()).run(self.feeds(40))

    @pytest.mark.parametrize("call", ["set_device", "load_from_file", "malloc", "memcpy", "execute"])
    def test_what_acl_refuses_is_named_and_nothing_is_left(
        self, models: Settings, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        acl = FakeAcl({call: 507018})
        with pytest.raises(EngineError, match=f"{call}: 507018"):
            self.session(models, monkeypatch, acl).run(self.feeds())
        assert acl.memory == {}

    def test_without_pyacl_it_says_so(self, models: Settings) -> None:
        with pytest.raises(EngineError, match=r"set_env\.sh"):
            OmSession(models.data / "x.om", [], [])
