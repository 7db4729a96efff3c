"""ZIP archives that lie, hide, explode or were made in China."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from webui.errors import UserError
from webui.service import archives
from webui.service.uploads import Incoming, Upload


def upload(folder: Path, content: bytes, name: str = "批次.zip") -> Upload:
    with Incoming(folder / "in", name) as incoming:
        incoming.write(content)
        return incoming.finish()


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def refused(tmp_path: Path, content: bytes) -> str:
    """The reason's code; nothing may stay on disk but the archive itself."""
    archive = upload(tmp_path, content)
    with pytest.raises(UserError) as caught:
        archives.unpack(archive, tmp_path / "out", archives.MAX_TOTAL_BYTES)
    assert caught.value.code == "BAD_ARCHIVE"
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
    for language in ("zh", "en"):
        assert "{" not in caught.value.notice.worded(language).message
    return str(caught.value.params["reason"].code)


def unpacked(tmp_path: Path, content: bytes) -> dict[str, bytes]:
    return {
        one.name: one.path.read_bytes()
        for one in archives.unpack(upload(tmp_path, content), tmp_path / "out", archives.MAX_TOTAL_BYTES)
    }


def test_files_come_out_with_their_own_names_and_no_folders(tmp_path: Path) -> None:
    content = zipped(("a/录音.wav", b"1"), ("../../etc/x.wav", b"2"), ("C:\\rec\\y.wav", b"3"), ("dir/", b""))
    assert unpacked(tmp_path, content) == {"录音.wav": b"1", "x.wav": b"2", "y.wav": b"3"}
    assert {path.parent for path in tmp_path.rglob("*.part")} == {tmp_path / "in", tmp_path / "out"}


def test_hidden_and_system_files_are_left_out(tmp_path: Path) -> None:
    content = zipped(("__MACOSX/._a.wav", b"x"), ("d/.DS_Store", b"x"), ("Thumbs.db", b"x"), ("a.wav", b"1"))
    assert unpacked(tmp_path, content) == {"a.wav": b"1"}


def test_names_in_gbk_and_in_unmarked_utf8_are_read(tmp_path: Path) -> None:
    def raw(name: bytes) -> bytes:
        placeholder = "n" * len(name)
        return zipped((placeholder, b"1")).replace(placeholder.encode(), name)

    assert unpacked(tmp_path, raw("客户录音.wav".encode("gbk"))) == {"客户录音.wav": b"1"}
    assert unpacked(tmp_path, raw("客户录音.wav".encode())) == {"客户录音.wav": b"1"}


def test_the_same_name_twice_is_two_files(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped(("a.wav", b"1"), ("a.wav", b"2"))
    uploads = archives.unpack(upload(tmp_path, content), tmp_path / "out", archives.MAX_TOTAL_BYTES)
    assert sorted(one.path.read_bytes() for one in uploads) == [b"1", b"2"]


def test_a_bomb_is_refused_long_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = zipped(("a.wav", bytes(300 * 2**20)))
    assert len(bomb) < 2**20
    assert refused(tmp_path, bomb) == "ARCHIVE_TOO_LARGE"


def test_many_files_that_are_too_much_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1000)
    assert refused(tmp_path, zipped(("a.wav", b"x" * 600), ("b.wav", b"y" * 600))) == "ARCHIVE_TOO_LARGE"


def test_a_lie_about_the_size_is_noticed(tmp_path: Path) -> None:
    content = zipped(("a.wav", b"x" * 5000), compression=zipfile.ZIP_STORED)
    lying = content.replace(struct.pack("<I", 5000), struct.pack("<I", 10))
    assert refused(tmp_path, lying) == "ARCHIVE_DAMAGED"


def test_links_encryption_and_nesting_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.wav")
    link.external_attr = 0o120777 << 16
    assert refused(tmp_path, zipped((link, b"/etc/passwd"))) == "ARCHIVE_LINK"
    locked = bytearray(zipped(("a.wav", b"1")))
    locked[6] |= 1
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    assert refused(tmp_path, bytes(locked)) == "ARCHIVE_ENCRYPTED"
    assert refused(tmp_path, zipped(("inner.wav", zipped(("a.wav", b"1"))))) == "ARCHIVE_NESTED"


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, zipped(*((f"{n}.wav", b"") for n in range(501)))) == "ARCHIVE_TOO_MANY"
    assert refused(tmp_path, zipped(*((f"{n}.wav", b"") for n in range(40_000)))) == "ARCHIVE_DAMAGED"


def test_an_empty_or_broken_archive_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, zipped()) == "ARCHIVE_EMPTY"
    whole = zipped(("a.wav", bytes(range(256)) * 100))
    assert refused(tmp_path, whole[:-40]) == "ARCHIVE_DAMAGED"
    assert refused(tmp_path, b"PK\x03\x04" + bytes(1000)) == "ARCHIVE_DAMAGED"
    damaged = bytearray(whole)
    damaged[60:80] = bytes(20)
    assert refused(tmp_path, bytes(damaged)) == "ARCHIVE_DAMAGED"


def test_an_archive_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    assert archives.is_archive(upload(tmp_path, zipped(("a", b"")), "a.wav").path)
    assert not archives.is_archive(upload(tmp_path, b"RIFF....WAVE", "a.zip").path)
