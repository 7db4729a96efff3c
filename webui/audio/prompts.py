"""A recording as the prompt of a cloned voice: decoded, trimmed to the speech, and judged.

It is never cut in the middle: zero-shot models need its transcript to match word for word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from webui.audio.intake import Block, Decoder
from webui.audio.loudness import speech_level
from webui.audio.resampling import resample
from webui.audio.samples import Samples, to_float32
from webui.audio.two_voices import two_voices
from webui.audio.units import Hertz, Seconds
from webui.audio.vad import RATE as VAD_RATE
from webui.audio.vad import Span, SpeechDetector, SpeechOptions
from webui.errors import Notice, UserError

LEAST_SECONDS, MOST_SECONDS = 3, 30
LEAST_VOICE_SECONDS = 1.0
READ_SECONDS = 120  # of a recording that is too long anyway
MOST_RATE = 24_000  # Hz; what the models hear
LEAST_RATE = 16_000  # Hz; cloning models hear too little of a voice below
SLACK_SECONDS = 0.1  # what an encoder adds to a recording of just MOST_SECONDS
MARGIN_SECONDS = 0.2  # kept around the speech

QUIET_LEVEL = 10 ** (-42 / 20)  # gated RMS, full scale = 1
SILENT_PEAK = 10 ** (-50 / 20)
CLIPPED_LEVEL, CLIPPED_SHARE = 0.985, 1e-3
NOISY_SNR_DB = 12.0
_FRAME_SECONDS = 0.02


@dataclass(frozen=True)
class Prompt:
    """`samples`: float32, the speech with a little room around it. `findings`: what may spoil the voice."""

    samples: Samples
    rate: Hertz
    findings: tuple[Notice, ...] = ()

    @property
    def seconds(self) -> Seconds:
        return len(self.samples) / self.rate


def read_prompt(decoder: Decoder, path: Path, name: str) -> Prompt:
    """Decode and judge an uploaded prompt; `name` is the user's name for it.

    Raises UserError: what decoding raises, and PROMPT_TOO_SHORT, PROMPT_TOO_LONG, PROMPT_NO_VOICE,
    PROMPT_TOO_QUIET.
    """
    rate = min(MOST_RATE, decoder.probe(path, name).rate)
    blocks: list[Block] = []
    frames = 0
    with decoder.decode(path, name, "split", rate) as decoding:
        for block in decoding:
            blocks.append(block)
            frames += len(block)
            if frames > READ_SECONDS * rate:
                seconds = max(decoding.info.seconds or 0, frames / rate)
                raise UserError("PROMPT_TOO_LONG", param="file", seconds=round(seconds, 1), most=MOST_SECONDS)
    return judge(loudest_channel(np.concatenate(blocks)), rate)


def loudest_channel(block: Block) -> Samples:
    """One channel of a recording: a dead one would halve the voice, a call's other side would be a second one."""
    channels = to_float32(block.T)
    return channels[int(np.argmax((channels**2).mean(axis=1)))]


def judge(samples: Samples, rate: Hertz) -> Prompt:
    """Trim a waveform to its speech and list what is wrong with it. Raises UserError PROMPT_…"""
    if len(samples) < LEAST_SECONDS * rate - 1:  # what resampling may round off
        raise _length_error("PROMPT_TOO_SHORT", samples, rate, least=LEAST_SECONDS)
    if np.abs(samples).max() < SILENT_PEAK:
        raise UserError("PROMPT_TOO_QUIET", param="file")
    spans = _speech(samples, rate)
    if sum(span.end - span.start for span in spans) < LEAST_VOICE_SECONDS:
        raise UserError("PROMPT_NO_VOICE", param="file")
    trimmed = _trimmed(samples, rate, spans)
    if len(trimmed) > (MOST_SECONDS + SLACK_SECONDS) * rate:
        raise _length_error("PROMPT_TOO_LONG", trimmed, rate, most=MOST_SECONDS)
    trimmed = trimmed[: MOST_SECONDS * rate]
    checks = {
        "PROMPT_TOO_QUIET": (speech_level(trimmed, rate) or 0) < QUIET_LEVEL,
        "PROMPT_CLIPPED": is_clipped(trimmed),
        "PROMPT_NOISY": snr_db(samples, rate, spans) < NOISY_SNR_DB,
        "PROMPT_VOICES": two_voices(trimmed, rate),
    }
    findings = [Notice(code) for code, found in checks.items() if found]
    if rate < LEAST_RATE:
        findings.append(Notice("PROMPT_RATE", {"rate": rate, "least": LEAST_RATE}))
    return Prompt(trimmed, rate, tuple(findings))


def is_clipped(samples: Samples) -> bool:
    """True where more than one sample in a thousand stands at full scale."""
    return float(np.mean(np.abs(samples) >= CLIPPED_LEVEL)) > CLIPPED_SHARE


def snr_db(samples: Samples, rate: Hertz, spans: Sequence[Span]) -> float:
    """Level of the speech over that of the quietest twentieth of the recording (its pauses), in dB."""
    frame = round(_FRAME_SECONDS * rate)
    rms = np.sqrt(np.mean(samples[: len(samples) // frame * frame].reshape(-1, frame).astype(np.float64) ** 2, axis=1))
    noise = max(float(np.percentile(rms, 5)), 1e-6)
    voiced = np.concatenate([samples[int(span.start * rate) : int(span.end * rate)] for span in spans])
    speech = speech_level(voiced, rate) or noise
    return float(20 * np.log10(speech / noise))


def _speech(samples: Samples, rate: Hertz) -> list[Span]:
    """Found at a usual level, so that a quiet voice counts too."""
    usual = resample(samples, rate, VAD_RATE) * np.float32(0.5 / np.abs(samples).max())
    session = SpeechDetector(SpeechOptions(min_silence=0.2, padding=0.05, max_segment=1e6)).session()
    return session.feed(usual) + session.finish()


def _trimmed(samples: Samples, rate: Hertz, spans: Sequence[Span]) -> Samples:
    """From before the first speech to after the last, no shorter and if it can be no longer than a prompt may be."""
    margin = min(MARGIN_SECONDS, max(0.0, MOST_SECONDS - (spans[-1].end - spans[0].start)) / 2)
    start, end = spans[0].start - margin, spans[-1].end + margin
    missing = max(0.0, LEAST_SECONDS - (end - start))
    total = len(samples) / rate
    start = max(0.0, min(start - missing / 2, total - LEAST_SECONDS))
    end = max(end + missing / 2, start + LEAST_SECONDS)
    return samples[round(start * rate) : round(end * rate)]


def _length_error(code: str, samples: Samples, rate: Hertz, **limit: int) -> UserError:
    return UserError(code, param="file", seconds=round(len(samples) / rate, 2), **limit)
