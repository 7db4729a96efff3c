"""The file formats of generated speech, and what becomes of the channels of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

AudioFormat = Literal["wav", "mp3", "flac", "opus", "aac", "pcm"]
Channels = Literal["mix", "split"]  # into one, or each on its own


@dataclass(frozen=True)
class AudioFormatFacts:
    """`endings`: of file names, ours first. `metadata`: it has a place for the AIGC label. `header`: a player can tell
    what it is."""

    mime: str
    endings: tuple[str, ...]
    metadata: bool = True
    header: bool = True


AUDIO_FORMATS: Mapping[AudioFormat, AudioFormatFacts] = {
    "wav": AudioFormatFacts("audio/wav", (".wav",)),
    "mp3": AudioFormatFacts("audio/mpeg", (".mp3",)),
    "flac": AudioFormatFacts("audio/flac", (".flac",)),
    "opus": AudioFormatFacts("audio/ogg", (".opus", ".ogg")),
    "aac": AudioFormatFacts("audio/aac", (".aac",), metadata=False),
    "pcm": AudioFormatFacts("audio/pcm", (".pcm",), metadata=False, header=False),
}
