"""FLAC whose sound is whole though its header is not what FFmpeg expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.speech_kit import tone
from webui.audio import flac_reader
from webui.audio.flac_reader import FlacReader
from webui.audio.intake import Decoder
from webui.errors import UserError
from webui.settings import Settings

RATE = 16_000
TONE = (tone(2, RATE) * 32767).astype(np.int16)


@pytest.fixture
def decoder(settings: Settings) -> Iterator[Decoder]:
    decoder = Decoder(settings)
    yield decoder
    decoder.close()


def crc(data: bytes, polynomial: int, bits: int) -> bytes:
    value = 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = value << 1 ^ (polynomial | 1 << bits if value >> (bits - 1) & 1 else 0)
    return value.to_bytes(bits // 8, "big")


def blocks_of(size: int) -> bytes:
    """Uncompressed FLAC, mono, 16 bits, 16 kHz, so many samples a block."""
    stream = (RATE << 44 | 15 << 36 | len(TONE)).to_bytes(8, "big")
    info = size.to_bytes(2, "big") * 2 + bytes(6) + stream + bytes(16)
    data = b"fLaC\x80" + len(info).to_bytes(3, "big") + info
    for number, at in enumerate(range(0, len(TONE), size)):
        part = TONE[at : at + size]
        head = b"\xff\xf8\x65\x08" + chr(number).encode() + bytes([len(part) - 1])
        frame = head + crc(head, 0x07, 8) + b"\x02" + part.astype(">i2").tobytes()
        data += frame + crc(frame, 0x8005, 16)
    return data


def changed(tmp_path: Path, change: Callable[[bytearray], None]) -> bytes:
    soundfile.write(tmp_path / "plain.flac", TONE, RATE)
    data = bytearray((tmp_path / "plain.flac").read_bytes())
    change(data)
    return bytes(data)


def depth(bits: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        stream = int.from_bytes(data[18:26], "big") & ~(31 << 36) | (bits - 1) << 36
        data[18:26] = stream.to_bytes(8, "big")

    return change


def largest_block(size: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[8:10] = data[10:12] = size.to_bytes(2, "big")

    return change


def much_metadata(data: bytearray) -> None:
    block = b"\x02" + (2**20).to_bytes(3, "big") + b"APPL" + bytes(2**20 - 4)
    data[42:42] = block * 20


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: blocks_of(1),
        lambda folder: blocks_of(8),
        lambda folder: changed(folder, depth(24)),
        lambda folder: changed(folder, depth(8)),
        lambda folder: changed(folder, largest_block(16)),
        lambda folder: changed(folder, largest_block(4095)),
        lambda folder: changed(folder, much_metadata),
    ],
    ids=["block of 1", "block of 8", "24 bits", "8 bits", "at most 16", "at most 4095", "20 MB of metadata"],
)
def test_it_is_read_to_its_end(decoder: Decoder, tmp_path: Path, make: Callable[[Path], bytes]) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(make(tmp_path))
    info = decoder.probe(path, path.name)
    assert (info.codec, info.rate) == ("flac", RATE)
    with decoder.decode(path, path.name) as decoding:
        samples = np.concatenate(list(decoding))[:, 0]
    assert np.array_equal(samples, TONE)
    assert decoding.warnings == []


def test_who_waits_for_sound_does_not_wait_for_a_long_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.flac").write_bytes(blocks_of(8))
    assert FlacReader(tmp_path / "a.flac").is_whole(10, lambda _: None)
    assert not FlacReader(tmp_path / "a.flac").is_whole(1, lambda _: None)
    monkeypatch.setattr(flac_reader, "MOST_LOOK_SECONDS", 0)
    assert not FlacReader(tmp_path / "a.flac").is_whole(10, lambda _: None)


def test_what_breaks_off_is_no_better_for_it(decoder: Decoder, tmp_path: Path) -> None:
    whole = blocks_of(1)
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="BAD_AUDIO"), decoder.decode(tmp_path / "a.flac", "a.flac") as decoding:
        list(decoding)
