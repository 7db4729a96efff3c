"""Speech by libespeak-ng: a separate program, spoken to over its standard input and output.

Started as `python espeak_worker.py LIBRARY DATA`. It imports nothing of this application: espeak-ng is
GPL-3, keeps global state, and may crash; all of that stays in this process. What the library spoke before
changes what it speaks next, so that each request is answered by a fork of the untouched process: the same
request then always gives the same samples.

A message is a little-endian uint32 length and so many bytes of JSON. A request is
`{"op": "speak", "voice", "text", "rate", "pitch"}` or `{"op": "phonemes", "voice", "texts"}`; the answer is
`{"rate": Hz, "bytes": n}` followed by n bytes of 16-bit samples, or `{"phonemes": [...]}`, or
`{"error": "..."}`. The first message comes unasked: `{"version": "..."}`.
"""

import ctypes
import json
import os
import struct
import sys
from typing import Any, BinaryIO

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: no threads (a fork would lose them); samples go to the callback
DONT_EXIT = 0x8000
UTF8_WITH_PHONEMES = 0x1 | 0x100  # text may hold [[phonemes]]
RATE, PITCH = 1, 3  # espeak_PARAMETER

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Speaker:
    def __init__(self, library: str, data: str) -> None:
        self.library = ctypes.CDLL(library)
        self.library.espeak_Info.restype = ctypes.c_char_p
        self.library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
        self.rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, data.encode() or None, DONT_EXIT)
        if self.rate <= 0:
            raise OSError(f"espeak-ng does not start: {self.rate}")
        self.pieces: list[bytes] = []
        self.callback = CALLBACK(self._receive)  # kept: the library holds only its address
        self.library.espeak_SetSynthCallback(self.callback)

    def version(self) -> str:
        return str(self.library.espeak_Info(None).decode())

    def speak(self, voice: str, text: str, rate: int, pitch: int) -> bytes:
        """16-bit samples of `text`; rate in words per minute (80-450), pitch 0-99."""
        self._choose(voice)
        self.library.espeak_SetParameter(RATE, rate, 0)
        self.library.espeak_SetParameter(PITCH, pitch, 0)
        self.pieces = []
        encoded = text.encode() + b"\0"
        self.library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded)), 0, 1, 0, UTF8_WITH_PHONEMES, None, None)
        return b"".join(self.pieces)

    def phonemes(self, voice: str, text: str) -> str:
        """The phoneme mnemonics of `text`, its clauses separated by blanks."""
        self._choose(voice)
        buffer = ctypes.create_string_buffer(text.encode() + b"\0")
        place = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while place.value:
            clauses.append((self.library.espeak_TextToPhonemes(ctypes.byref(place), 1, 0) or b"").decode())
        return " ".join(clauses)

    def _choose(self, voice: str) -> None:
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"no voice {voice}")

    def _receive(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self.pieces.append(ctypes.string_at(samples, count * 2))
        return 0


def answer(speaker: Speaker, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The answer's head and its samples."""
    try:
        if request["op"] == "speak":
            samples = speaker.speak(request["voice"], request["text"], request["rate"], request["pitch"])
            return {"rate": speaker.rate, "bytes": len(samples)}, samples
        return {"phonemes": [speaker.phonemes(request["voice"], text) for text in request["texts"]]}, b""
    except (KeyError, ValueError) as error:
        return {"error": str(error)}, b""


def read_message(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message, None at the end."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    message: dict[str, Any] = json.loads(stream.read(struct.unpack("<I", head)[0]))
    return message


def write_message(stream: BinaryIO, head: dict[str, Any], samples: bytes = b"") -> None:
    encoded = json.dumps(head).encode()
    stream.write(struct.pack("<I", len(encoded)) + encoded + samples)
    stream.flush()


def answered_by_fork(speaker: Speaker, request: dict[str, Any]) -> bytes:
    """The encoded answer; empty where the library brought the child down."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with os.fdopen(writing, "wb") as stream:
                write_message(stream, *answer(speaker, request))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        encoded = stream.read()
    return encoded if os.waitpid(child, 0)[1] == 0 else b""


def main(library: str, data: str) -> int:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints must not come between the messages
    try:
        speaker = Speaker(library, data)
    except OSError as error:
        write_message(answers, {"error": str(error)})
        return 1
    write_message(answers, {"version": speaker.version()})
    while (request := read_message(sys.stdin.buffer)) is not None:
        encoded = answered_by_fork(speaker, request)
        if not encoded:
            return 1
        answers.write(encoded)
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
