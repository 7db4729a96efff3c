"""Which files of a submission are recordings: what is none is left out and named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webui.audio.intake import AudioInfo, Decoder
from webui.errors import UserError
from webui.service.uploads import Upload
from webui.store.jobs import RefusedFile
from webui.text.file_names import safe_name

# What is wrong with one file and says nothing of the others.
_OF_THE_FILE = {"NOT_AUDIO", "UNSUPPORTED_FORMAT", "NO_AUDIO_STREAM", "EMPTY_AUDIO", "TRUNCATED", "BAD_AUDIO"}


@dataclass(frozen=True)
class Acceptance:
    """The recordings with what they say they are, and the files left out."""

    recordings: list[tuple[Upload, AudioInfo]]
    refused: list[RefusedFile]


def examine(decoder: Decoder, uploads: Sequence[Upload], go_on: Callable[[], None]) -> Acceptance:
    """Look at each file; `go_on`, called before each, ends the work by raising.

    Raises the error of the first file where there is no recording at all, and what is no fault of a file.
    """
    found, errors = Acceptance([], []), list[UserError]()
    for upload in uploads:
        go_on()
        name = safe_name(upload.name)
        try:
            found.recordings.append((upload, decoder.probe(upload.path, name)))
        except UserError as error:
            if error.code not in _OF_THE_FILE:
                raise
            errors.append(error)
            found.refused.append(RefusedFile(name, error.notice))
    if errors and not found.recordings:
        raise errors[0]
    return found
