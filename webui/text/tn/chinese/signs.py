"""Signs around numbers in a Chinese text: ranges, comparisons, sums, hyphens."""

from __future__ import annotations

import re

from webui.text.tn import units
from webui.text.tn.chinese import words
from webui.text.tn.chinese.numbers import digits, integer
from webui.text.tn.rules import Rule

_NUMBER_AHEAD = r"(?=\s?[-+±￥¥$€£]?\d)"
_OPERAND_AHEAD = r"(?=\s?[-+±(（￥¥$€£]?(?:\d|[A-Za-z](?![A-Za-z])|[㐀-鿿]))"
_OPERAND = r"(?:[0-9)）%℃²³㐀-鿿]|(?<![A-Za-z])[A-Za-z])\s?"
_COMPARED = r"(?:[0-9)）%℃²³]|(?<![A-Za-z<])[A-Za-z])\s?"
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_HALVES = {
    "½": "二分之一",
    "⅓": "三分之一",
    "⅔": "三分之二",
    "¼": "四分之一",
    "¾": "四分之三",
    "⅕": "五分之一",
    "⅛": "八分之一",
}


def _power(match: re.Match[str]) -> str:
    per = units.unit(match["per"][1:]) if match["per"] else None
    power = match["n"] or match["raised"].translate(_POWERS)
    return ("的平方" if power == "2" else f"的{power.startswith('-') * '负'}{integer(power.lstrip('-'))}次方") + (
        f"每{per.chinese}" if per else ""
    )


def _word(name: str, why: str, source: str, said: str, before: str = "") -> Rule:
    return Rule(name, why, source, lambda _match: said, before)


RULES = (
    _word(
        "to",
        "a mark behind a unit and before a number",
        rf"(?:[-~～–−]|—(?!—)){_NUMBER_AHEAD}",
        "到",
        rf"\d\s?(?:{words.SPAN_UNIT}{{1,3}}|[A-Za-z²³μ℃°]{{1,4}})\s?|\d",
    ),
    _word("to, a time of day", "早8-晚8", r"[-~～–—](?=[早晚]\d)", "到", r"[早晚]\d{1,2}点?"),
    _word("about, twice", "约~5", r"[~～](?=\d)", "", "约"),
    _word("about", "~5 with nothing before it", r"[~～](?=\d)", "约", r"^|[\s(（,，:：。；;]"),
    _word("at least", "≥90%", rf"(?:>=|≥|≧)\s?{_OPERAND_AHEAD}", "大于等于"),
    _word("at most", "≤3", rf"(?:<=|≤|≦)\s?{_OPERAND_AHEAD}", "小于等于"),
    _word(
        "more than",
        ">3; an arrow is none",
        rf"(?<![-=<>|])>(?![=>]){_NUMBER_AHEAD}",
        "大于",
        r"^|[^A-Za-z\"'/]|(?<![A-Za-z<])[A-Za-z]",
    ),
    _word(
        "more than, of letters",
        "a>b; 首页>分类 is a path",
        rf"(?<![-=<>|])>(?![=>]){_OPERAND_AHEAD}",
        "大于",
        _COMPARED,
    ),
    _word("less than", "<3; a tag is none", rf"<(?![-=<>]){_NUMBER_AHEAD}", "小于"),
    _word("less than, of letters", "a<b", rf"<(?![-=<>]){_OPERAND_AHEAD}", "小于", _OPERAND),
    _word("unequal", "a≠b", rf"(?:≠|!=){_OPERAND_AHEAD}", "不等于"),
    _word("nearly", "≈3", rf"[≈≒]{_OPERAND_AHEAD}", "约等于"),
    _word("equals", "x=3; not in an address", rf"(?<![=<>!?&])=(?![=>]){_OPERAND_AHEAD}", "等于", _OPERAND),
    _word("plus", "1+2, T+1", rf"\+{_OPERAND_AHEAD}", "加", r"(?:\d|[)）%℃²³]|(?<![A-Za-z+])[A-Za-z])\s?"),
    _word("plus, of more", "100+", r"\+(?=[㐀-鿿，。、,\s]|$)", "加", r"\d[wW]?|[万亿千百]"),
    _word(
        "times", "7×24, 3*4, 5cm×3cm", rf"(?:[×✕]|(?<!\*)\*(?!\*)){_NUMBER_AHEAD}", "乘", r"[0-9A-Za-z)）²³㐀-鿿]\s?"
    ),
    _word("times, by a letter", "7x24小时", r"[xX](?=\s?\d)", "乘", r"\d\s?"),
    _word("times, of letters", "a×b", rf"×{_OPERAND_AHEAD}", "乘", _OPERAND),
    _word("divided by", "6÷2", rf"÷{_OPERAND_AHEAD}", "除以", _OPERAND),
    _word("positive or negative", "±2", rf"±{_NUMBER_AHEAD}", "正负"),
    _word("minus, between", "x-3=1", r"[-−](?=\s?\d+\s?[=)）])", "减", r"[0-9)）A-Za-z]\s?"),
    Rule("number sign before", "#5 is 五号", r"#(?P<n>\d{1,4})号?(?!\d)", lambda match: integer(match["n"]) + "号"),
    _word("number sign behind", "3#楼", r"#(?=[㐀-鿿]|$|[，。、,\s])", "号", r"\d"),
    _word("minus before a fraction", "-百分之1", r"[-−](?=百分之\d)", "负"),
    _word("hyphen of a name", "红旗-9的 is no minus", r"[-–−](?=\d)", "", words.DESIGNATOR),
    _word("hyphen", "GPT-4: a hyphen behind letters is no minus", r"-(?=\d)", " ", "[A-Za-z]"),
    _word(
        "hyphen in a name",
        "舰-15: a hyphen behind a word is no minus",
        rf"-(?=\d{{1,4}}(?![\d.]|\s?(?:[%℃‰°]|度|{words.MONEY_BEHIND}|的)))",
        "",
        f"(?<!{words.NEGATIVE_BEFORE})(?<=[㐀-鿿])",
    ),
    _word("to and fro", "O2O, B2B", r"2(?=[OBCPGAMXDE](?![A-Za-z0-9]))", " to ", "(?<![A-Za-z0-9])[OBCPGAMVDFE]"),
    _word("point", ".5 without its zero", r"\.(?=\d)", "零点", r"^|[\s（(,，是为]"),
    Rule(
        "power",
        "10³, 10^9",
        r"(?:\^(?P<n>-?\d{1,2})|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))(?![\d.])(?P<per>/(?:L|mL|ml|μL))?",
        _power,
        before=r"[0-9A-Za-z)）]",
    ),
    _word("root", "√2", r"√(?=\d)", "根号"),
    Rule("written fraction", "½", "[½⅓⅔¼¾⅕⅛]", lambda match: _HALVES[match[0]]),
    Rule("below the line", "CO₂", "[₀₁₂₃₄₅₆₇₈₉]", lambda match: digits(str("₀₁₂₃₄₅₆₇₈₉".index(match[0])))),
)
