"""The catalogue: models known by name, folders recognised by content, verified, imported and pulled from a hub."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import struct
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from webui.engines import catalog, verification
from webui.engines.download import pull
from webui.errors import Notice, UserError, codes
from webui.settings import Settings

SENSEVOICE = {"config.yaml": "model: SenseVoiceSmall\n", "am.mvn": "x", "chn_jpn_yue_eng_ko_spectok.bpe.model": "x"}


def make_folder(folder: Path, files: dict[str, str], *, weights: bool = True) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    if weights:
        with zipfile.ZipFile(folder / "model.pt", "w") as archive:
            archive.writestr("data.pkl", b"weights" * 1000)
    return folder


def test_every_entry_can_be_shown_pulled_and_recognised(settings: Settings) -> None:
    known = catalog.entries(settings)
    assert {"Fun-ASR-Nano-2512", "SenseVoiceSmall", "paraformer-zh", "Fun-CosyVoice3-0.5B-2512"} <= set(known)
    for entry in known.values():
        assert entry.title["zh"] and entry.title["en"]
        assert entry.kind in ("recognizer", "synthesizer", "vad", "punctuation", "speaker")
        assert entry.needed and entry.recognise and entry.licence
        assert all({"listing", "file"} <= set(catalog.hub(settings, source)) for source in entry.sources)


def test_the_bundled_self_test_model_is_sound_and_none_of_the_catalogues() -> None:
    settings = Settings()
    assert catalog.recognise(settings, settings.models / "selftest-zh") == []
    assert verification.verify(settings, "selftest-zh") == []
    size = sum(file.stat().st_size for file in (settings.models / "selftest-zh").iterdir() if file.is_file())
    assert size <= 4 * 2**20


def test_a_catalogue_in_the_models_folder_outranks_the_programs(settings: Settings) -> None:
    (settings.models / "catalog.toml").write_text("[hubs]\n[models]\n")
    assert catalog.entries(settings) == {}


def test_a_folder_is_recognised_by_its_content(settings: Settings, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "whatever", SENSEVOICE)
    assert [entry.name for entry in catalog.recognise(settings, folder)] == ["SenseVoiceSmall"]
    (folder / "config.yaml").write_text("model: SenseVoiceSmaller\n")
    assert catalog.recognise(settings, folder) == []


def test_a_plugin_that_fails_costs_one_log_line_and_no_model(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sick_engine.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(str(tmp_path))
    sick = settings.model_copy(update={"engines": ("sick_engine",)})
    with caplog.at_level(logging.WARNING):
        found = catalog.available(sick)
    assert {model.name for model in found} >= {"basic"}
    assert [record for record in caplog.records if "sick_engine" in record.getMessage() and not record.exc_info]


class TestVerify:
    def test_a_whole_folder_has_no_findings(self, settings: Settings) -> None:
        make_folder(settings.models / "SenseVoiceSmall", SENSEVOICE)
        assert verification.verify(settings, "SenseVoiceSmall") == []

    def test_a_missing_file_is_named(self, settings: Settings) -> None:
        make_folder(settings.models / "SenseVoiceSmall", SENSEVOICE, weights=False)
        (finding,) = verification.verify(settings, "SenseVoiceSmall")
        assert (finding.code, finding.params["file"]) == ("FILE_MISSING", "model.pt")

    def test_a_flipped_byte_in_the_weights_is_found(self, settings: Settings) -> None:
        weights = make_folder(settings.models / "m", SENSEVOICE) / "model.pt"
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 0xFF
        weights.write_bytes(content)
        assert [finding.code for finding in verification.verify(settings, "m")] == ["FILE_DAMAGED"]

    def test_a_truncated_safetensors_is_found(self, settings: Settings) -> None:
        header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        folder = settings.models / "m"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
        unconfigured = Notice("FOLDER_UNCONFIGURED")
        assert verification.verify(settings, "m") == [unconfigured]
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(5))
        damaged = Notice("FILE_DAMAGED", {"file": "model.safetensors"})
        assert verification.verify(settings, "m") == [unconfigured, damaged]

    def test_an_unknown_name_lists_those_present(self, settings: Settings) -> None:
        make_folder(settings.models / "present", SENSEVOICE)
        with pytest.raises(UserError) as refused:
            verification.verify(settings, "absent")
        assert (refused.value.code, refused.value.params["available"]) == ("MODEL_NOT_FOUND", "present")


class TestImport:
    def test_the_copy_is_complete_and_holds_no_python(self, settings: Settings, tmp_path: Path) -> None:
        source = make_folder(tmp_path / "SenseVoiceSmall", SENSEVOICE | {"model.py": "import os"})
        assert catalog.import_folder(settings, source) == "SenseVoiceSmall"
        copied = settings.models / "SenseVoiceSmall"
        assert (copied / "model.pt").read_bytes() == (source / "model.pt").read_bytes()
        assert not (copied / "model.py").exists()

    def test_a_hubs_cache_folder_gets_the_catalogues_name(self, settings: Settings, tmp_path: Path) -> None:
        source = make_folder(tmp_path / "snapshots" / ("0" * 40), SENSEVOICE)
        assert catalog.import_folder(settings, source) == "SenseVoiceSmall"

    def test_a_link_takes_no_room(self, settings: Settings, tmp_path: Path) -> None:
        source = make_folder(tmp_path / "mine", SENSEVOICE)
        catalog.import_folder(settings, source, link=True)
        assert (settings.models / "mine").resolve() == source

    def test_anything_else_is_refused(self, settings: Settings, tmp_path: Path) -> None:
        with pytest.raises(UserError) as refused:
            catalog.import_folder(settings, make_folder(tmp_path / "photos", {"a.txt": "x"}, weights=False))
        assert refused.value.code == "MODEL_UNRECOGNISED"

    def test_a_model_that_is_there_is_not_overwritten(self, settings: Settings, tmp_path: Path) -> None:
        make_folder(settings.models / "mine", SENSEVOICE)
        with pytest.raises(UserError) as refused:
            catalog.import_folder(settings, make_folder(tmp_path / "mine", SENSEVOICE))
        assert refused.value.code == "MODEL_EXISTS"


def archive(content: bytes) -> bytes:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("data.pkl", content)
        return buffer.getvalue()


WEIGHTS = archive(bytes(range(256)) * 4096)  # 1 MiB


class Hub(BaseHTTPRequestHandler):
    """A hub with one repository: a listing in both shapes, ranges, and a connection that may break."""

    files: dict[str, bytes] = {}
    break_after: int | None = None
    ranges: list[str] = []

    def do_GET(self) -> None:
        if self.path == "/list/ms":
            rows = [{"Type": "blob", "Path": p, "Size": len(d), "Sha256": sha(d)} for p, d in self.files.items()]
            return self.answer(json.dumps({"Data": {"Files": [{"Type": "tree", "Path": "sub"}, *rows]}}).encode())
        if self.path == "/list/hf":
            rows = [{"type": "file", "path": p, "size": len(d), "lfs": {"oid": sha(d)}} for p, d in self.files.items()]
            return self.answer(json.dumps(rows).encode())
        return self.answer(self.files.get(self.path.removeprefix("/file/")))

    def answer(self, body: bytes | None) -> None:
        if body is None:
            return self.send_error(404)
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if wanted:
            Hub.ranges.append(wanted)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : self.break_after if len(body) > 4096 else None])
        return None

    def log_message(self, format: str, *args: object) -> None:
        pass


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def hub(settings: Settings) -> Iterator[type[Hub]]:
    Hub.files = {
        "config.yaml": b"model: SenseVoiceSmall\n",
        "model.pt": WEIGHTS,
        "sub/tokens.json": b"[]",
        "model.py": b"import os",
        "fig/big.png": b"x" * 9000,
    }
    Hub.break_after, Hub.ranges = None, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    (settings.models / "catalog.toml").write_text(
        f'[hubs.ms]\nlisting = "{base}/list/{{repository}}"\nfile = "{base}/file/{{path}}"\n'
        f'[hubs.hf]\nlisting = "{base}/list/{{repository}}"\nfile = "{base}/file/{{path}}"\n'
        '[models.small]\ntitle = { zh = "小", en = "small" }\nkind = "recognizer"\nengine = "funasr"\n'
        'licence = "Apache-2.0"\nsources = { ms = "ms", hf = "hf" }\nneeded = ["config.yaml", "model.pt"]\n'
        'recognise = { "config.yaml" = "model: SenseVoiceSmall" }\n'
    )
    yield Hub
    server.shutdown()
    server.server_close()


class TestPull:
    @pytest.mark.parametrize("source", ["ms", "hf", None])
    def test_the_model_arrives_without_code_and_pictures(
        self, settings: Settings, hub: type[Hub], source: str | None
    ) -> None:
        seen: list[tuple[int, int]] = []
        folder = pull(settings, "small", source, lambda done, total: seen.append((done, total)))
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert found == {"config.yaml", "model.pt", "sub/tokens.json", verification.MANIFEST}
        assert (folder / "model.pt").read_bytes() == WEIGHTS
        assert seen[-1][0] == seen[-1][1] and [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert verification.verify(settings, "small") == []

    def test_a_broken_connection_leaves_no_model_and_the_next_try_goes_on(
        self, settings: Settings, hub: type[Hub]
    ) -> None:
        hub.break_after = 700_000
        with pytest.raises(UserError) as broken:
            pull(settings, "small")
        assert broken.value.code == "PULL_OFFLINE"
        assert not (settings.models / "small").exists()
        hub.break_after = None
        assert (pull(settings, "small") / "model.pt").read_bytes() == WEIGHTS
        assert hub.ranges == ["bytes=700000-"]

    def test_a_part_that_does_not_match_is_thrown_away(self, settings: Settings, hub: type[Hub]) -> None:
        part = settings.models / catalog.INCOMING / "small" / "model.pt.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"something else")
        with pytest.raises(UserError) as broken:
            pull(settings, "small")
        assert broken.value.code == "PULL_BROKEN" and not part.exists()
        assert (pull(settings, "small") / "model.pt").read_bytes() == WEIGHTS

    def test_a_file_changed_after_the_download_is_found(self, settings: Settings, hub: type[Hub]) -> None:
        weights = pull(settings, "small") / "model.pt"
        weights.write_bytes(WEIGHTS[:1000] + b"?" + WEIGHTS[1001:])
        assert [finding.code for finding in verification.verify(settings, "small")] == ["FILE_CHANGED"]

    def test_without_a_network_it_is_one_sentence(self, settings: Settings, hub: type[Hub]) -> None:
        file = settings.models / "catalog.toml"
        file.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", file.read_text()))
        with pytest.raises(UserError) as refused:
            pull(settings, "small")
        assert refused.value.code == "PULL_OFFLINE"

    @pytest.mark.parametrize("variable", ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"])
    def test_a_socks_proxy_is_named_without_its_password(
        self, settings: Settings, hub: type[Hub], monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, "SOCKS5h://me:secret@127.0.0.1:9")
        with pytest.raises(UserError) as refused:
            pull(settings, "small")
        assert (refused.value.code, refused.value.params["proxy"]) == ("PULL_PROXY", "SOCKS5h://127.0.0.1:9")

    @pytest.mark.parametrize(
        "given",
        [
            {"ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "localhost, 127.0.0.1"},
            {"HTTP_PROXY": "socks5://127.0.0.1:9", "no_proxy": "*"},
            {"HTTPS_PROXY": "socks5://127.0.0.1:9"},
            {"http_proxy": "", "NO_PROXY": "http://[::1, 中.国"},
        ],
    )
    def test_a_proxy_that_is_not_for_the_hub_is_left_alone(
        self, settings: Settings, hub: type[Hub], monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
    ) -> None:
        for variable, proxy in given.items():
            monkeypatch.setenv(variable, proxy)
        assert (pull(settings, "small") / "model.pt").is_file()

    @pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTP_PROXY", "http_proxy"])
    def test_an_http_proxy_is_used(
        self, settings: Settings, hub: type[Hub], monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
        with pytest.raises(UserError) as refused:
            pull(settings, "small")
        assert refused.value.code == "PULL_OFFLINE"

    def test_a_refusal_is_not_called_offline(self, settings: Settings, hub: type[Hub]) -> None:
        text = (settings.models / "catalog.toml").read_text().replace("/list/{repository}", "/gone")
        (settings.models / "catalog.toml").write_text(text)
        with pytest.raises(UserError) as refused:
            pull(settings, "small")
        assert (refused.value.code, refused.value.params["status"]) == ("PULL_REFUSED", 404)

    def test_a_path_that_leaves_the_folder_is_refused(self, settings: Settings, hub: type[Hub]) -> None:
        hub.files["../../evil"] = b"x"
        with pytest.raises(UserError) as refused:
            pull(settings, "small")
        assert refused.value.code == "PULL_BROKEN"

    def test_unknown_names_and_sources_are_usage_errors(self, settings: Settings, hub: type[Hub]) -> None:
        for arguments, code in ((("none",), "MODEL_NOT_FOUND"), (("small", "ftp"), "INVALID_FIELD")):
            with pytest.raises(UserError) as refused:
                pull(settings, *arguments)
            assert refused.value.code == code


def test_every_code_is_worded() -> None:
    wanted = "MODEL_EXISTS MODEL_UNRECOGNISED PULL_BROKEN PULL_REFUSED PULL_OFFLINE FILE_MISSING FILE_SIZE"
    assert set(wanted.split()) | {"FILE_CHANGED", "FILE_DAMAGED"} <= codes()
