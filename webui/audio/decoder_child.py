"""The decoding process: opens recordings by path, writes 16-bit PCM to its standard output.

Started by `intake.Decoder` in an isolated interpreter; imports nothing but PyAV, numpy, modules beside it that need
no more and seldom soundfile, and locks itself in before it touches a file. Requests are JSON lines on the standard
input; it ends when that closes.
An answer is a sequence of messages, each a kind (one byte), a length (4 bytes, big-endian) and a payload:

    i  JSON, what the recording is      p  channels (2 bytes, big-endian), PCM: int16 interleaved, native order
    e  JSON, {"code", "params"}: the end, an error      z  JSON, [[code, params]…]: the end, with warnings
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from webui.audio.container_bytes import has_xing, is_cut_off, is_impossible_wav
from webui.audio.flac_reader import FlacReader
from webui.audio.sample_clock import SampleClock

# What recorders, telephones and video tools write and FFmpeg can decode. Never a format that names other
# files or addresses (concat, hls, dash, sdp, imf, image2 …).
FORMATS = (
    "wav w64 aiff caf au mp3 flac ogg mov matroska webm aac ac3 eac3 dts amr amrnb amrwb asf asf_o xwma avi flv"
    " mpeg mpegts mxf rm wv tta ape tak mpc mpc8 shn oma dss act dhav g722 g723_1 g726 g726le g729 bit gsm ilbc qcp"
    " sbc sln alaw mulaw voc ircam pvf sox nistsphere iff dsf 3gp"
).split()
LEAST_RATE, MOST_RATE, MOST_CHANNELS = 4_000, 384_000, 8  # Hz, Hz, channels
FULL_SCALE, UNBOUNDED = 1.01, ("pcm_f", "wavpack")  # what lossy codecs overshoot is no fault of the recording
BLOCK_SECONDS = 1.0
MEMORY_BYTES = 1 << 30  # address space on top of what the libraries take
CPU_SECONDS, CPU_PER_SECOND = 30.0, 0.25  # allowed per file, and per second of decoded audio
PROBE_PACKETS = 200

# Containers whose header states the true length, so that a shorter decoding means a file cut off.
_EXACT = {"w64", "aiff", "caf", "au", "flac", "mov", "matroska", "asf", "wv", "ape", "tta"}


class Refusal(Exception):
    """A code of errors.toml and its parameters."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code, self.params = code, params


def main() -> None:
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not mix with the messages
    av.logging.set_level(None)
    confine()
    for line in sys.stdin.buffer:
        answer(json.loads(line), output)


def confine() -> None:
    """Give up what decoding does not need; what the system does not offer is left out."""
    limits = {
        "RLIMIT_AS": _address_space() + MEMORY_BYTES,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 32,
    }
    for name, value in limits.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (value, value))
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET, for root
            libc.unshare(0x10000000 | 0x40000000)  # with CLONE_NEWUSER, where users may


def _address_space() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 1 << 30


def answer(request: dict[str, Any], output: BinaryIO) -> None:
    """Serve one request; every failure becomes a coded message."""
    try:
        warnings = Recording(request, output).run()
        send(output, b"z", json.dumps(warnings).encode())
    except Refusal as refusal:
        send(output, b"e", json.dumps({"code": refusal.code, "params": refusal.params}).encode())
    except BrokenPipeError:
        raise SystemExit(0) from None
    except MemoryError:
        send(output, b"e", json.dumps({"code": "BAD_AUDIO", "params": {}}).encode())
    except Exception as error:  # FFmpeg's failures come as many types, built-in ones among them
        params = {"detail": f"{type(error).__name__}: {error}"[:200]}
        send(output, b"e", json.dumps({"code": "BAD_AUDIO", "params": params}).encode())


def send(output: BinaryIO, kind: bytes, payload: bytes) -> None:
    view = memoryview(struct.pack(">cI", kind, len(payload)) + payload)
    while view:
        view = view[output.write(view) :]


class Recording:
    """One request: {"path", "format"|null, "rate", "channels": mix|split, "most_seconds", "probe": bool,
    "stream": number|null, "on_the_clock": bool}."""

    def __init__(self, request: dict[str, Any], output: BinaryIO) -> None:
        self.request = request
        self.output = output
        self.rate: int = request["rate"]
        self.blocks: list[np.ndarray] = []
        self.waiting = 0  # frames in blocks
        self.frames = 0  # frames decoded so far, at the wanted rate
        self.damaged = 0  # packets that could not be decoded
        self.cut = False  # reading stopped before the end
        self.clock = SampleClock()
        self.cpu_before = self._allow_cpu(0.0)

    def run(self) -> list[tuple[str, dict[str, Any]]]:
        try:
            container = self._open()
        except Refusal:
            if (flac := self._flac()) is None:
                raise
            return self._run_flac(flac)
        with container:
            stream = self._choose(container)
            length = self._true_length(container, stream)
            if self.request["probe"]:
                self._first_frame(container, stream)
                self._send_info(container, stream)
                return []
            self._send_info(container, stream)
            frames = self._decoded(container, stream)
            if self.request["on_the_clock"]:
                frames = self.clock.kept(frames, container)
            conversion = Conversion(self.rate, self.request["channels"])
            for block in conversion.convert(frames):
                self._add(block)
            self._flush()
            from_zero = container.format.name.startswith("matroska")  # its lengths count from the film's start
            warnings = self._verdict(length, 0.0 if from_zero else self.clock.late_by)
            over = conversion.peak > FULL_SCALE and stream.codec_context.name.startswith(UNBOUNDED)
            return [*warnings, ("OVER_FULL_SCALE", {})] if over else warnings

    def _run_flac(self, flac: FlacReader) -> list[tuple[str, dict[str, Any]]]:
        """The whole file without FFmpeg, which does not open it."""
        check_shape(flac.rate, flac.channels)
        info = {"container": "flac", "codec": "flac", "rate": flac.rate, "channels": flac.channels}
        seconds = flac.total / flac.rate
        send(self.output, b"i", json.dumps(info | {"seconds": seconds, "streams": 1, "stream": 0}).encode())
        if not self.request["probe"]:
            for block in Conversion(self.rate, self.request["channels"]).convert(flac.frames()):
                self._add(block)
            self._flush()
        return []

    def _flac(self, start: int = 0) -> FlacReader | None:
        """The file from frame `start` on, where it is FLAC that libsndfile reads; when probing, its first frames."""
        try:
            flac = FlacReader(Path(self.request["path"]), start)
            if self.request["probe"]:
                return flac if next(flac.frames(), None) is not None else None
            whole = flac.is_whole(self.request["most_seconds"], self._allow_cpu)
        except ValueError:
            return None
        self._allow_cpu(0.0)  # what the look cost is not the decoding's
        return flac if whole else None

    def _open(self) -> Any:
        if is_impossible_wav(Path(self.request["path"])):
            raise Refusal("BAD_AUDIO", detail="impossible sample width")
        options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
        forced = self.request["format"]
        demuxer_options = {"sample_rate": "8000"} if forced else {}
        try:
            return av.open(
                self.request["path"], format=forced, options=options | demuxer_options, metadata_errors="replace"
            )
        except MemoryError:
            raise
        except Exception as error:
            raise Refusal("CANNOT_OPEN", detail=f"{type(error).__name__}: {error}"[:200]) from None

    def _choose(self, container: Any) -> Any:
        """The audio stream asked for or the default one, the others skipped; refuses what no speech has."""
        sounding = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if not sounding:
            undecodable = any(stream.type == "audio" for stream in container.streams)
            raise Refusal("UNSUPPORTED_FORMAT", sniffed="codec") if undecodable else Refusal("NO_AUDIO_STREAM")
        asked = self.request["stream"]
        if asked is None:
            stream = container.streams.best("audio") or sounding[0]
        else:
            stream = next((each for each in sounding if container.streams.audio.index(each) == asked), None)
        if stream is None:
            raise Refusal("NO_AUDIO_STREAM")
        for other in container.streams:
            if other is not stream:
                other.discard = av.stream.Discard.all
        codec = stream.codec_context
        if codec.sample_rate and codec.channels:  # a live recording may state neither; its frames do
            check_shape(codec.sample_rate, codec.channels)
        return stream

    def _send_info(self, container: Any, stream: Any) -> None:
        seconds = _seconds(container, stream)
        info = {
            "container": container.format.name.split(",")[0],
            "codec": stream.codec_context.name,
            "rate": stream.codec_context.sample_rate,
            "channels": stream.codec_context.channels,
            "seconds": seconds,
            "streams": len(container.streams.audio),
            "stream": container.streams.audio.index(stream),
        }
        send(self.output, b"i", json.dumps(info).encode())

    def _first_frame(self, container: Any, stream: Any) -> None:
        """Make sure that something decodes. A start too damaged to tell is left to the decoding proper."""
        for number, packet in enumerate(container.demux(stream)):
            if number >= PROBE_PACKETS:
                return
            try:
                for frame in packet.decode():
                    check_shape(frame.sample_rate, len(frame.layout.channels))
                    return
            except av.FFmpegError:
                self.damaged += 1
        if self.damaged and self._flac() is not None:
            return
        raise Refusal("BAD_AUDIO" if self.damaged else "EMPTY_AUDIO")

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """Audio frames; damaged packets are counted and skipped, a read error is the end of the file."""
        packets = container.demux(stream)
        given = 0
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self.cut, packet = True, None
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.FFmpegError:
                if not self.damaged and (flac := self._flac(given)) is not None:
                    yield from flac.frames()
                    return
                self.damaged += 1
                continue
            yield from frames
            given += sum(frame.samples for frame in frames)

    def _add(self, block: np.ndarray) -> None:
        """Collect to about a second, so that a message is worth its price."""
        self.frames += len(block)
        if self.frames > self.request["most_seconds"] * self.rate:
            raise Refusal("TOO_LONG")
        self.blocks.append(block)
        self.waiting += len(block)
        if self.waiting >= BLOCK_SECONDS * self.rate:
            self._flush()

    def _flush(self) -> None:
        if self.waiting:
            block = np.concatenate(self.blocks)
            send(self.output, b"p", struct.pack(">H", block.shape[1]) + block.tobytes())
            self.blocks, self.waiting = [], 0
            self._allow_cpu(self.frames / self.rate)

    def _allow_cpu(self, decoded_seconds: float) -> float:
        """Set the CPU time limit for what is decoded so far; returns the time used when the file was opened."""
        if decoded_seconds == 0:
            self.cpu_before = _cpu_time()
        most = int(self.cpu_before + CPU_SECONDS + CPU_PER_SECOND * decoded_seconds)
        _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CPU, (most, hard))
        return self.cpu_before

    def _true_length(self, container: Any, stream: Any) -> float | None:
        """Seconds that the header promises, where that kind of header is exact."""
        name = container.format.name.split(",")[0]
        if name == "mp3":
            return _seconds(container, stream) if has_xing(Path(self.request["path"])) else None
        if name not in _EXACT:
            return None
        if stream.duration is None and len(container.streams) > 1:
            return None  # the container's length may be its video's
        return _seconds(container, stream)

    def _verdict(self, length: float | None, late: float) -> list[tuple[str, dict[str, Any]]]:
        """The warnings. `late`: seconds of silence before the sound, which `length` does not count."""
        seconds = self.frames / self.rate
        counted = seconds - late
        missing = self.cut or (length is not None and counted < length - max(0.1, 0.01 * length))
        missing = missing or is_cut_off(Path(self.request["path"]))
        if self.frames == 0:
            raise Refusal("BAD_AUDIO" if self.damaged else "TRUNCATED" if missing else "EMPTY_AUDIO")
        warnings: list[tuple[str, dict[str, Any]]] = []
        if missing:
            warnings.append(("TRUNCATED_WARNING", {"seconds": round(seconds, 1)}))
        if self.damaged:
            warnings.append(("DAMAGED_WARNING", {"count": self.damaged}))
        return warnings


class Conversion:
    """Decoded frames of any shape → int16 blocks (frames, channels) at one rate and one number of channels."""

    def __init__(self, rate: int, channels: str) -> None:
        self.rate = rate
        self.layout: Any = "mono" if channels == "mix" else None
        self.resampler: Any = None
        self.shape: tuple[Any, ...] = ()
        self.peak = 0.0  # of floating-point samples, full scale = 1

    def convert(self, frames: Iterator[Any]) -> Iterator[np.ndarray]:
        for frame in frames:
            yield from self._push(frame)
        yield from self._drain()

    def _push(self, frame: Any) -> Iterator[np.ndarray]:
        check_shape(frame.sample_rate, len(frame.layout.channels))
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self.shape:  # also in mid-stream: chained Ogg, broadcast recordings
            yield from self._drain()
            self.layout = self.layout or frame.layout.name
            self.resampler = av.AudioResampler("s16", self.layout, self.rate)
            self.shape = shape
        if frame.format.name[:3] in ("flt", "dbl"):
            frame = without_nan(frame)
            self.peak = max(self.peak, float(np.abs(frame.to_ndarray()).max(initial=0)))
        frame.pts = None
        yield from self._blocks(self.resampler.resample(frame))

    def _drain(self) -> Iterator[np.ndarray]:
        if self.resampler is not None:
            yield from self._blocks(self.resampler.resample(None))

    def _blocks(self, frames: list[Any]) -> Iterator[np.ndarray]:
        for frame in frames:
            if frame is not None and frame.samples:
                yield frame.to_ndarray().reshape(frame.samples, -1)


def check_shape(rate: int, channels: int) -> None:
    """Refuse rates and channel counts that only a broken or hostile header has."""
    if not LEAST_RATE <= rate <= MOST_RATE or not 1 <= channels <= MOST_CHANNELS:
        raise Refusal("BAD_AUDIO", detail=f"{rate} Hz, {channels} channels")


def without_nan(frame: Any) -> Any:
    """The frame of floating-point samples with NaN and infinity as silence."""
    samples = frame.to_ndarray()
    if np.isfinite(samples.sum(dtype=np.float64)):
        return frame
    clean = av.AudioFrame.from_ndarray(
        np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), frame.format.name, frame.layout.name
    )
    clean.sample_rate = frame.sample_rate
    return clean


def _seconds(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, container.duration / av.time_base) if container.duration is not None else None


def _cpu_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
