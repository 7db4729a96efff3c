"""The label of generated audio, after GB 45438-2025 (to be confirmed by legal review).

Audible: a tone, short-long short-short (Morse A I). In the file: seven strings as JSON in the container's
AIGC field. `python -m webui.audio.aigc_label.label FILE` prints a file's label.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from webui.audio.aigc_label.audible import AUDIBLE_SECONDS, audible_label, audible_score
from webui.audio.aigc_label.metadata import NoPlace, read_field, write_field
from webui.audio.formats import AUDIO_FORMATS
from webui.audio.loudness import LoudnessMeter
from webui.audio.samples import Samples
from webui.audio.units import Hertz, Seconds
from webui.errors import UserError

log = logging.getLogger(__name__)

FIELDS = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
GAP_SECONDS = 0.3  # silence between the audible label and the content
LEAST_SCORE = 0.8  # of the audible label, where it must be found
SLACK_SECONDS = 0.5  # an encoder's padding around the audible label

Position = Literal["start", "end", "both"]

# Printable ASCII without space, double quote and backslash.
_VALUE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]*")
_PRODUCER_CODE = re.compile(r"0011[0-9A-Z]{18}(1[0-9A-Za-z]{4}|00000)")


@dataclass(frozen=True)
class AigcLabel:
    """The implicit label. `producer`: the organisation's code, or empty; `produce_id`: the job's uid.

    Raises ValueError for characters that the standard does not allow (Chinese, space, quote, backslash).
    """

    producer: str
    produce_id: str

    def __post_init__(self) -> None:
        for value in (self.producer, self.produce_id):
            if not _VALUE.fullmatch(value):
                raise ValueError(f"a label value may hold printable ASCII without space, quote, backslash: {value!r}")
        if not self.produce_id:
            raise ValueError("a label needs a produce_id")

    def fields(self) -> dict[str, str]:
        """The seven fields in their order; who propagates first is who produced."""
        values = ("1", self.producer, self.produce_id, "", self.producer, self.produce_id, "")
        return dict(zip(FIELDS, values, strict=True))

    def json(self) -> str:
        return json.dumps(self.fields(), separators=(",", ":"))


def is_producer_code(code: str) -> bool:
    """True for the 27 characters of TC260-PG-20252A: 00 11, 18 of the credit code, 1 and 4 of the model or 00000."""
    return _PRODUCER_CODE.fullmatch(code) is not None


def labelled(pieces: Iterable[Samples], rate: Hertz, position: Position) -> Iterator[Samples]:
    """The content (blocks of float32 at `rate` Hz) with the audible label before and/or after it, at its level."""
    gap = np.zeros(round(GAP_SECONDS * rate), np.float32)
    meter = LoudnessMeter(rate)
    if position in ("start", "both"):
        yield audible_label(rate)
        yield gap
    for piece in pieces:
        meter.feed(piece)
        yield piece
    if position in ("end", "both"):
        yield gap
        yield audible_label(rate, meter.level())


def write_metadata(path: Path, label: AigcLabel) -> None:
    """Put the label into a WAV, MP3, FLAC or Opus file, replacing any. Raises NoPlace, OSError."""
    write_field(path, label.json())


def read_metadata(path: Path) -> dict[str, str] | None:
    """The label of a file, bare or wrapped in {"AIGC": …}; None where there is none that can be read."""
    values = read_all_metadata(path)
    return values[0] if values else None


def read_all_metadata(path: Path) -> list[dict[str, str]]:
    """Every label in the file; a compliant one has one. Raises OSError."""
    try:
        found = [_parsed(value) for value in read_field(path)]
    except (NoPlace, ValueError):
        return []
    return [fields for fields in found if fields is not None]


def check(path: Path, expected: AigcLabel, position: Position, rate: Hertz | None = None) -> None:
    """Make sure that a finished file carries the label in its metadata, once, and audibly where it should.

    `rate`: Hz, for headerless .pcm. Raises UserError LABEL_MISSING.
    """
    reason = _metadata_fault(path, expected) or _audible_fault(path, position, rate)
    if reason:
        log.warning("%s: %s", path.name, reason)
        raise UserError("LABEL_MISSING")


def _parsed(value: str) -> dict[str, str] | None:
    try:
        fields = json.loads(value)
    except ValueError:
        return None
    if isinstance(fields, dict) and isinstance(fields.get("AIGC"), dict):
        fields = fields["AIGC"]
    return fields if isinstance(fields, dict) else None


def _metadata_fault(path: Path, expected: AigcLabel) -> str | None:
    if not any(row.metadata and path.suffix in row.endings for row in AUDIO_FORMATS.values()):
        return None
    try:
        values = read_field(path)
    except ValueError:
        return "a broken container"
    if len(values) != 1:
        return f"{len(values)} labels in the file"
    fields = _parsed(values[0])
    same = fields is not None and list(fields.items()) == list(expected.fields().items())
    return None if same else "another label in the file"


def _audible_fault(path: Path, position: Position, rate: Hertz | None) -> str | None:
    import av

    try:
        start, end, rate = _ends(path, AUDIBLE_SECONDS + SLACK_SECONDS, rate)
    except av.FFmpegError as error:
        return f"not decodable: {type(error).__name__}"
    if not rate:
        return "no sound"
    if position in ("start", "both") and audible_score(start, rate) < LEAST_SCORE:
        return "no audible label at the start"
    if position in ("end", "both") and audible_score(end, rate) < LEAST_SCORE:
        return "no audible label at the end"
    return None


def _ends(path: Path, seconds: Seconds, rate: Hertz | None) -> tuple[Samples, Samples, int]:
    """The first and the last `seconds` of a file of ours, decoded at constant memory; and its rate in Hz."""
    import av

    raw: dict[str, Any] = {}
    if path.suffix == ".pcm":
        raw = {"format": "s16le", "options": {"sample_rate": str(rate)}}
    start: list[Samples] = []
    end: deque[Samples] = deque()
    in_start = in_end = found = 0
    resampler = av.AudioResampler("flt", "mono")
    with av.open(str(path), **raw) as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                found = found or piece.sample_rate
                samples = piece.to_ndarray().reshape(-1).astype(np.float32)
                if in_start < seconds * found:
                    start.append(samples)
                    in_start += len(samples)
                end.append(samples)
                in_end += len(samples)
                while in_end - len(end[0]) >= seconds * found:
                    in_end -= len(end.popleft())
    most = round(seconds * found)
    silence = np.zeros(1, np.float32)
    return np.concatenate([*start, silence])[:most], np.concatenate([silence, *end])[-most:], found


def main(arguments: list[str]) -> int:
    """Print the label of one file as JSON. Exit 1 where there is none, 2 for wrong usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m webui.audio.aigc_label.label FILE\n")
        return 2
    try:
        fields = read_metadata(Path(arguments[0]))
    except OSError as error:
        sys.stderr.write(f"{arguments[0]}: {error.strerror}\n")
        return 1
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
    return 0 if fields else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
