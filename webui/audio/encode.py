"""Writing speech: a streaming encoder for files and for HTTP answers (wav, mp3, flac, opus, aac, pcm)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

from webui.audio import riff
from webui.audio.durable import move_into_place, part_of
from webui.audio.formats import AUDIO_FORMATS, AudioFormat
from webui.audio.resampling import Resampler
from webui.audio.samples import Samples, to_int16
from webui.audio.units import Hertz


@dataclass(frozen=True)
class _Codec:
    container: str  # FFmpeg's names
    codec: str
    sample_format: str
    rates: tuple[int, ...]  # Hz that the encoder takes; empty = any
    bit_rate: int | None  # bits per second


_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_CODECS: dict[AudioFormat, _Codec] = {  # the others are PCM
    "mp3": _Codec("mp3", "libmp3lame", "fltp", _MPEG_RATES, 96_000),
    "flac": _Codec("flac", "flac", "s16", (), None),
    "opus": _Codec("ogg", "libopus", "flt", (8000, 12000, 16000, 24000, 48000), 48_000),
    "aac": _Codec("adts", "aac", "fltp", _MPEG_RATES, 96_000),
}


class AudioWriter:
    """Encodes mono float32 blocks as they come. A context manager: leaving it with an exception discards a file.

    `target`: a path (written beside and moved into place) or a file-like object with `write`, which is left
    open. `rate`: of the blocks, Hz; an encoder that does not take it gets the next one it takes.
    `label`: the AIGC metadata, where the format has a place for it.
    Raises KeyError for an unknown format; nothing is left of a file then.
    """

    def __init__(self, target: Path | BinaryIO, format: AudioFormat, rate: Hertz, label: str | None = None) -> None:
        self.path = target if isinstance(target, Path) else None
        self._file: Any = part_of(target).open("wb") if isinstance(target, Path) else target
        try:
            self._sink = self._sink_of(format, rate, label)
        except BaseException:
            self.discard()
            raise
        self._open = True

    def _sink_of(self, format: AudioFormat, rate: Hertz, label: str | None) -> _Sink:
        seekable = self.path is not None
        if format in _CODECS:
            return _Encoder(self._file, _CODECS[format], rate, label, seekable)
        return _Pcm(self._file, rate, AUDIO_FORMATS[format].header, label, seekable)

    def write(self, samples: Samples) -> None:
        """`samples`: float32 in -1…1 (louder ones are clipped), shape (n,)."""
        if len(samples):
            self._sink.write(samples)

    def close(self) -> None:
        """Write the rest; move a file into place, or discard it where that fails."""
        self._open = False
        try:
            self._sink.finish()
            if self.path is not None:
                self._file.close()
                move_into_place(part_of(self.path), self.path)
        except OSError:
            self.discard()
            raise

    def discard(self) -> None:
        self._open = False
        if self.path is not None:
            with contextlib.suppress(OSError):  # a full disk does not take what is still to be written
                self._file.close()
            part_of(self.path).unlink(missing_ok=True)

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if not self._open:
            return
        if kind is None:
            self.close()
        else:
            self.discard()


class _Sink(Protocol):
    def write(self, samples: Samples) -> None: ...

    def finish(self) -> None: ...


class _Pcm:
    """16-bit PCM, bare or with a WAV header."""

    def __init__(self, file: BinaryIO, rate: Hertz, wav: bool, label: str | None, seekable: bool) -> None:
        self._file = file
        self._rate = rate
        self._rewrite = wav and seekable
        self._extra = riff.chunk(b"AIGC", label.encode("ascii")) if label else b""
        self._bytes = 0
        if wav:
            file.write(riff.header(rate, 1, 0 if seekable else None, self._extra))

    def write(self, samples: Samples) -> None:
        data = to_int16(samples).tobytes()
        self._bytes += len(data)
        self._file.write(data)

    def finish(self) -> None:
        if self._rewrite:
            self._file.seek(0)
            self._file.write(riff.header(self._rate, 1, self._bytes, self._extra))


class _Encoder:
    """One of FFmpeg's encoders."""

    def __init__(self, file: BinaryIO, codec: _Codec, rate: Hertz, label: str | None, seekable: bool) -> None:
        import av  # 0.2 s

        self._frame = av.AudioFrame
        self._rate = _encoder_rate(rate, codec.rates)
        self._resampler = Resampler(rate, self._rate)
        self._written = 0  # samples, at the encoder's rate
        target = file if seekable else _OnlyWrite(file)
        options = {} if seekable or codec.container != "mp3" else {"write_xing": "0"}
        self._container = av.open(target, "w", format=codec.container, options=options)
        options = {"b": str(codec.bit_rate)} if codec.bit_rate else {}
        self._stream: Any = self._container.add_stream(
            codec.codec, rate=self._rate, options=options, layout="mono", format=codec.sample_format
        )
        if label and codec.container != "adts":
            self._container.metadata["AIGC"] = label

    def write(self, samples: Samples) -> None:
        self._encode(self._resampler.feed(samples))

    def finish(self) -> None:
        self._encode(self._resampler.finish())
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _encode(self, samples: Samples) -> None:
        if not len(samples):
            return
        frame = self._frame.from_ndarray(to_int16(samples).reshape(1, -1), "s16", "mono")
        frame.sample_rate = self._rate
        frame.pts = self._written
        self._written += len(samples)
        self._container.mux(self._stream.encode(frame))


class _OnlyWrite:
    """Hides `seek` from FFmpeg: what has gone into an HTTP answer cannot be written again."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def _encoder_rate(rate: Hertz, rates: tuple[int, ...]) -> int:
    return rate if not rates else next((other for other in rates if other >= rate), rates[-1])
