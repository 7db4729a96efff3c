"""The FunASR model classes that the product knows, and what each can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from webui.engines.base import Capabilities

Role = Literal["recognizer", "vad", "punctuation", "speaker"]

_NO_SPEAKERS = {"speakers": "SPEAKERS_UNSUPPORTED"}
_SENSE_VOICE = ("zh", "yue", "en", "ja", "ko")
_MLT_LANGUAGES = (
    "zh en yue ja ko vi id th ms fil ar hi bg hr cs da nl et fi el hu ga lv lt mt pl pt ro sk sl sv".split()
)  # Fun-ASR-MLT-Nano's list of 31

# Prompt words of Fun-ASR-Nano per BCP 47 code; the language is set into the prompt as it stands.
NANO_LANGUAGES = {
    "zh": "中文", "en": "英文", "yue": "粤语", "ja": "日文", "ko": "韩文", "vi": "越南语", "id": "印尼语",
    "th": "泰语", "ms": "马来语", "fil": "菲律宾语", "ar": "阿拉伯语", "hi": "印地语", "bg": "保加利亚语",
    "hr": "克罗地亚语", "cs": "捷克语", "da": "丹麦语", "nl": "荷兰语", "et": "爱沙尼亚语", "fi": "芬兰语",
    "el": "希腊语", "hu": "匈牙利语", "ga": "爱尔兰语", "lv": "拉脱维亚语", "lt": "立陶宛语", "mt": "马耳他语",
    "pl": "波兰语", "pt": "葡萄牙语", "ro": "罗马尼亚语", "sk": "斯洛伐克语", "sl": "斯洛文尼亚语", "sv": "瑞典语",
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """`kind` names the code that drives it; `optional`: prefixes of weights that releases lawfully lack.

    `rank`: which of the present models is the default; below 0 = never chosen by itself.
    """

    kind: Literal["sensevoice", "paraformer", "streaming", "nano", "generic", "helper"]
    role: Role
    capabilities: Capabilities = field(default_factory=Capabilities)
    rank: int = 0
    optional: tuple[str, ...] = ()


_PARAFORMER = Capabilities(
    languages=("zh",), hotwords=True, word_times=True, batch_seconds=300, unavailable=_NO_SPEAKERS
)

_FAMILIES = {
    "SenseVoiceSmall": Family(
        "sensevoice",
        "recognizer",
        Capabilities(
            languages=_SENSE_VOICE,
            hotwords=True,
            itn=True,
            word_times=True,
            batch_seconds=300,
            unavailable=_NO_SPEAKERS,
        ),
        rank=30,
    ),
    "SeacoParaformer": Family("paraformer", "recognizer", _PARAFORMER, rank=25),
    "ContextualParaformer": Family("paraformer", "recognizer", _PARAFORMER, rank=22),
    "BiCifParaformer": Family("paraformer", "recognizer", _PARAFORMER, rank=21),
    "Paraformer": Family("paraformer", "recognizer", _PARAFORMER, rank=20),
    "ParaformerStreaming": Family(
        "streaming",
        "recognizer",
        Capabilities(
            languages=("zh",),
            hotwords=True,
            streaming=True,
            unavailable=_NO_SPEAKERS,
        ),
        rank=10,
    ),
    "FunASRNano": Family(
        "nano",
        "recognizer",
        Capabilities(
            languages=("zh", "en", "ja"),
            hotwords=True,
            itn=True,
            word_times=True,
            batch_seconds=120,
            unavailable=_NO_SPEAKERS,
        ),
        rank=40,
        optional=("ctc_decoder.", "ctc."),
    ),
    "FsmnVADStreaming": Family("helper", "vad"),
    "CTTransformer": Family("helper", "punctuation"),
    "CTTransformerStreaming": Family("helper", "punctuation"),
    "CAMPPlus": Family("helper", "speaker"),
}
_GENERIC = Family("generic", "recognizer", Capabilities(hotwords=True, unavailable=_NO_SPEAKERS), rank=5)


def family_of(class_name: str, config: Mapping[str, Any]) -> Family:
    """The family of a model class; an unknown one is driven as FunASR's own interface says."""
    family = _FAMILIES.get(class_name, _GENERIC)
    if family.kind == "nano" and not config.get("ctc_decoder"):
        return _without_times(family)
    return family


def for_self_test(family: Family, languages: tuple[str, ...]) -> Family:
    """The family of a model that knows nothing but the self-test's voice: never chosen by itself."""
    return replace(family, rank=-1, capabilities=replace(family.capabilities, self_test=True, languages=languages))


def with_speakers(capabilities: Capabilities) -> Capabilities:
    """What a model can do beside a model of voice prints."""
    unavailable = {control: code for control, code in capabilities.unavailable.items() if control != "speakers"}
    return replace(capabilities, speakers=True, unavailable=unavailable)


def _without_times(family: Family) -> Family:
    return replace(family, capabilities=replace(family.capabilities, word_times=False))
