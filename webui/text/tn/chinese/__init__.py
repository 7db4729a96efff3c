"""Chinese texts aloud: every number and sign by the first rule that knows it."""

from __future__ import annotations

import re

from webui.text.tn.chinese import amounts, codes, dates, signs
from webui.text.tn.rules import Reader

_START = re.compile(
    r"[0-9]|\.(?=\d)|(?<![A-Za-z])[A-Za-z]|[-−+±~～–—≥≤≧≦<>=≠≈≒!×✕*xX÷#^⁰¹²³⁴⁵⁶⁷⁸⁹√½⅓⅔¼¾⅕⅛₀₁₂₃₄₅₆₇₈₉￥¥$€£₩₹₽฿₫₺₱₴(（]"
)
_READER = Reader(_START, (*dates.RULES, *amounts.MONEY, *codes.RULES, *signs.RULES, *amounts.RULES))


def read(text: str) -> str:
    """`text` with its numbers and signs in words; all else stays."""
    return _READER.read(text)
