"""Recognition by pocketsphinx: a separate program, spoken to over its standard input and output.

Started as `python -I pocketsphinx_worker.py`; imports nothing of this application. pocketsphinx holds the interpreter's
lock for as long as it computes, which is seconds for a segment; here nobody else needs it.

Messages are those of worker.py. A request is `{"bytes": n}` and n bytes of 16-bit samples at 16 kHz; the answer is
`{"words": [[word, first frame, last frame, probability], …]}` or `{"error": "…"}`.
"""

import contextlib
import ctypes
import json
import os
import resource
import struct
import sys
from typing import Any, BinaryIO

RATE = 16_000.0  # Hz


def confine() -> None:
    """Give up what recognising does not need; what the system does not offer is left out."""
    for name in ("RLIMIT_CORE", "RLIMIT_FSIZE"):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET, for root
            libc.unshare(0x10000000 | 0x40000000)  # with CLONE_NEWUSER, where users may


def words(decoder: Any, samples: bytes) -> list[tuple[str, int, int, float]]:
    """The segmentation of one utterance, silence and noises included."""
    decoder.reinit_feat()  # forget the noise and the level of what came before
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    return [(found.word, found.start_frame, found.end_frame, found.prob) for found in decoder.seg() or ()]


def read_message(stream: BinaryIO) -> bytes | None:
    """The samples of the next request, None at the end."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    request = json.loads(stream.read(struct.unpack("<I", head)[0]))
    return stream.read(request["bytes"])


def write_message(stream: BinaryIO, head: dict[str, Any]) -> None:
    encoded = json.dumps(head).encode()
    stream.write(struct.pack("<I", len(encoded)) + encoded)
    stream.flush()


def main() -> int:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints must not come between the messages
    try:
        from pocketsphinx import Decoder

        decoder = Decoder(samprate=RATE, loglevel="FATAL")
    except (ImportError, RuntimeError) as error:
        write_message(answers, {"error": str(error)})
        return 1
    confine()
    write_message(answers, {"ready": True})
    while (samples := read_message(sys.stdin.buffer)) is not None:
        try:
            write_message(answers, {"words": words(decoder, samples)})
        except RuntimeError as error:
            write_message(answers, {"error": str(error)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
