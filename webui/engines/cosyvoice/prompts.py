"""How a request is put to the model: its system line, instructions, and what each mode shows it of the prompt."""

from __future__ import annotations

import re
from typing import Literal

from webui.errors import UserError

Mode = Literal["zero_shot", "cross_lingual", "instruct", "convert"]
MODES: tuple[Mode, ...] = ("zero_shot", "cross_lingual", "instruct", "convert")

END_OF_PROMPT = "<|endofprompt|>"
SYSTEM = "You are a helpful assistant."
MOST_INSTRUCTION = 60  # characters; longer ones are read aloud (CosyVoice#1903)

DIALECTS = tuple("广东 东北 甘肃 贵州 河南 湖北 湖南 江西 闽南 宁夏 山西 陕西 山东 上海 四川 天津 云南".split())
# What a menu shows → what the model was trained on.
INSTRUCTIONS: dict[str, str] = {f"用{name}话说": f"请用{name}话表达。" for name in DIALECTS} | {
    "大声": "Please say a sentence as loudly as possible.",
    "轻声": "Please say a sentence in a very soft voice.",
    "慢速": "请用尽可能慢地语速说一句话。",
    "快速": "请用尽可能快地语速说一句话。",
    "开心": "请非常开心地说一句话。",
    "伤心": "请非常伤心地说一句话。",
    "生气": "请非常生气地说一句话。",
    "小猪佩奇": "我想体验一下小猪佩奇风格，可以吗？",
    "机器人": "你可以尝试用机器人的方式解答吗？",
}

_ALIASES = {"粤语": "广东", "闽南语": "闽南", "沪语": "上海"}
_DIALECT = re.compile(
    rf"(?:请)?(?:用|说|讲)?(?:({'|'.join(DIALECTS)})(?:话|方言|口音)|({'|'.join(_ALIASES)}))"
    r"(?:来?说|表达|讲|读|朗读)?(?:这句话)?[。.!！]?"
)


def with_system_line(text: str) -> str:
    """`text` after the system line; left alone where it already holds the end-of-prompt mark."""
    return text if END_OF_PROMPT in text else f"{SYSTEM}{END_OF_PROMPT}{text}"


def instruction(instruct: str) -> str:
    """The prompt text for an instruction: a menu entry, a dialect however it is put, a trained sentence, or free words;
    the system line alone for none.

    Raises UserError INSTRUCT_TOO_LONG.
    """
    if END_OF_PROMPT in instruct:
        return instruct
    instruct = " ".join(instruct.split()).removeprefix(SYSTEM).strip()
    if not instruct:
        return with_system_line("")
    if len(instruct) > MOST_INSTRUCTION:
        raise UserError("INSTRUCT_TOO_LONG", param="instruct", length=len(instruct), most=MOST_INSTRUCTION)
    return f"{SYSTEM} {_trained(instruct)}{END_OF_PROMPT}"


def _trained(instruct: str) -> str:
    if instruct in INSTRUCTIONS:
        return INSTRUCTIONS[instruct]
    dialect = _DIALECT.fullmatch(instruct)
    return INSTRUCTIONS[f"用{dialect[1] or _ALIASES[dialect[2]]}话说"] if dialect else instruct
