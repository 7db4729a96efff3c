"""English texts aloud: every number by the first rule that knows it."""

from __future__ import annotations

import re

from webui.text.tn.english import amounts, codes, dates
from webui.text.tn.rules import Reader

_START = re.compile(r"[0-9]|\.(?=\d)|(?<![A-Za-z])[A-Za-z]|[-−–+~≈=≥≤<>*×x÷^#@¢(']|[$£€¥￥₩₹₽฿]")
_READER = Reader(_START, (*codes.RULES[:5], *dates.RULES, *amounts.MONEY, *codes.RULES[5:], *amounts.RULES))


def read(text: str) -> str:
    """`text` with its numbers in words; abbreviations and addresses on the internet stay."""
    said = _READER.read(text)
    return text if said == text else re.sub(r"(?<=\S) {2,}(?=\S)", " ", said)
