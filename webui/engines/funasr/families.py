"""The FunASR model classes that the product knows, and what each can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from webui.engines.base import RecognizerCapabilities

Role = Literal["recognizer", "vad", "punctuation", "speaker"]

_NO_SPEAKERS = {"speakers": "SPEAKERS_UNSUPPORTED"}
_SENSE_VOICE = ("zh", "yue", "en", "ja", "ko")

# Prompt words of Fun-ASR-Nano per BCP 47 code; the language is set into the prompt as it stands.
NANO_LANGUAGES = {
    "zh": "中文", "en": "英文", "yue": "粤语", "ja": "日文", "ko": "韩文", "vi": "越南语", "id": "印尼语",
    "th": "泰语", "ms": "马来语", "fil": "菲律宾语", "ar": "阿拉伯语", "hi": "印地语", "bg": "保加利亚语",
    "hr": "克罗地亚语", "cs": "捷克语", "da": "丹麦语", "nl": "荷兰语", "et": "爱沙尼亚语", "fi": "芬兰语",
    "el": "希腊语", "hu": "匈牙利语", "ga": "爱尔兰语", "lv": "拉脱维亚语", "lt": "立陶宛语", "mt": "马耳他语",
    "pl": "波兰语", "pt": "葡萄牙语", "ro": "罗马尼亚语", "sk": "斯洛伐克语", "sl": "斯洛文尼亚语", "sv": "瑞典语",
}  # fmt: skip
_MLT_LANGUAGES = tuple(NANO_LANGUAGES)  # Fun-ASR-MLT-Nano's 31


@dataclass(frozen=True)
class Family:
    """`kind` names the code that drives it; `optional`: prefixes of weights that releases lawfully lack.

    `rank`: which of the present models is the default; below 0 = never chosen by itself. `self_test`: it knows nothing
    but the self-test's voice.
    """

    kind: Literal["sensevoice", "paraformer", "contextual", "streaming", "nano", "generic", "helper"]
    role: Role
    capabilities: RecognizerCapabilities = field(default_factory=RecognizerCapabilities)
    rank: int = 0
    optional: tuple[str, ...] = ()
    self_test: bool = False


_PARAFORMER = RecognizerCapabilities(languages=("zh",), word_times=True, batch_seconds=300, unavailable=_NO_SPEAKERS)

_FAMILIES = {
    "SenseVoiceSmall": Family(
        "sensevoice",
        "recognizer",
        RecognizerCapabilities(
            languages=_SENSE_VOICE,
            itn=True,
            punctuation=True,
            word_times=True,
            batch_seconds=300,
            unavailable=_NO_SPEAKERS,
        ),
        rank=30,
    ),
    "SeacoParaformer": Family("paraformer", "recognizer", replace(_PARAFORMER, hotwords=True), rank=25),
    "ContextualParaformer": Family(
        "contextual", "recognizer", replace(_PARAFORMER, hotwords=True, word_times=False), rank=22
    ),
    "BiCifParaformer": Family("paraformer", "recognizer", _PARAFORMER, rank=21),
    "Paraformer": Family("paraformer", "recognizer", _PARAFORMER, rank=20),
    "ParaformerStreaming": Family(
        "streaming",
        "recognizer",
        RecognizerCapabilities(
            languages=("zh",),
            streaming=True,
            unavailable=_NO_SPEAKERS,
        ),
        rank=10,
    ),
    "FunASRNano": Family(
        "nano",
        "recognizer",
        RecognizerCapabilities(
            languages=("zh", "en", "ja"),
            hotwords=True,
            itn=True,
            punctuation=True,
            word_times=True,
            batch_seconds=120,
            unavailable=_NO_SPEAKERS,
        ),
        rank=40,
        optional=("ctc_decoder.", "ctc."),
    ),
    "FsmnVADStreaming": Family("helper", "vad"),
    "CTTransformer": Family("helper", "punctuation", RecognizerCapabilities(languages=("zh", "en")), rank=1),
    "CTTransformerStreaming": Family("helper", "punctuation", RecognizerCapabilities(languages=("zh", "en"))),
    "CAMPPlus": Family("helper", "speaker"),
}
# Driven as FunASR's own interface says. Each was read: it computes, and neither fetches anything nor runs code that
# lies in a folder, as some others of FunASR's classes do. One that is not named here is not built.
_READ = {"BAT", "Branchformer", "CTC", "Conformer", "EBranchformer", "EParaformer", "LCBNet", "Paraformer_v2_community"}
_READ |= {"SANM", "SCAMA", "Transducer", "Transformer", "UniASR"}
_GENERIC = Family("generic", "recognizer", RecognizerCapabilities(punctuation=True, unavailable=_NO_SPEAKERS), rank=5)


def family_of(class_name: str, config: Mapping[str, Any], multilingual: bool = False) -> Family | None:
    """The family of a model class; None for one that is not built here.

    `multilingual`: a Fun-ASR-Nano for 31 languages.
    """
    family = _FAMILIES.get(class_name, _GENERIC if class_name in _READ else None)
    if family is None or family.kind != "nano":
        return family
    family = speaking(family, _MLT_LANGUAGES) if multilingual else family
    return family if config.get("ctc_decoder") else _without_times(family)


def speaking(family: Family, languages: tuple[str, ...]) -> Family:
    """The family with other languages."""
    return replace(family, capabilities=replace(family.capabilities, languages=languages))


def for_self_test(family: Family, languages: tuple[str, ...]) -> Family:
    """The family of a model that knows nothing but the self-test's voice: never chosen by itself."""
    return replace(speaking(family, languages), rank=-1, self_test=True)


def _without_times(family: Family) -> Family:
    return replace(family, capabilities=replace(family.capabilities, word_times=False))
