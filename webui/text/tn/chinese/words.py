"""The words of `words.toml` as parts of patterns: counters, nouns before and behind a number, currencies."""

from __future__ import annotations

from pathlib import Path

from webui.text.tn.rules import any_of
from webui.toml import read_toml

_TABLES = read_toml(Path(__file__).with_name("words.toml"))


def _before(name: str) -> str:
    return any_of(_TABLES["before"][name].split())


def _behind(name: str) -> str:
    return any_of(_TABLES["behind"][name].split())


def _pattern(name: str) -> str:
    return "(?:" + "|".join(_TABLES["patterns"][name].strip().splitlines()) + ")"


TAKES_LIANG = _pattern("takes_liang")
AMOUNT_BEHIND = _pattern("amount_behind")
MONEY_BEHIND = _behind("money")
PLATE = "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼港澳使领]"

CODE_BEFORE = _before("code") + _pattern("code_gap") + "{0,4}"
SHORT_CODE_BEFORE = _before("short_code")
TELEPHONE_BEFORE = _before("telephone") + _pattern("code_gap") + "{0,4}"
PLACE_BEFORE = _before("place") + _pattern("code_gap") + "{0,4}"
ROOM_BEHIND = _behind("room")
SERVICE_BEHIND = _behind("service")
EMERGENCY_BEHIND = _pattern("emergency")
KNOWN_NUMBER = _pattern("known_number")
STANDARD = _pattern("standard")
LETTER_BEHIND = _pattern("letter_behind")
_CURRENT = _pattern("current")
CURRENT_BEFORE = rf"{_CURRENT}|\d\s?[kKm]?[VW]\s?[/、，,*×x下⎓]?\s?$|[=≤≥<>]\s?$"
CURRENT_BEHIND = rf"(?:[、，,和或及与/]\d{{1,3}}A){{0,3}}[㐀-鿿]{{0,3}}?{_CURRENT}"

DESIGNATOR = _before("designator")
NEGATIVE_BEFORE = "[是为到在了至于即算得约达从降低高温值和与加减乘、，]"  # 计算-2
MINUS_BEFORE = "[=＝×÷*+]"
SCORE_BEFORE = _before("score")
SCORE_BEHIND = _behind("score")
TEAM = _before("team")
RATIO_BEFORE = _before("ratio")

ERA = "(?:公元前?|西元前?|纪元前?)"
SHORT_YEAR_OF = _pattern("short_year_of")
YEARS_SINCE = _pattern("years_since")
SPAN_OF_YEARS_BEFORE = _before("span_of_years")
YEARLY = _pattern("yearly")
OF_YEAR = _pattern("of_year")
ANNIVERSARY = _behind("anniversary")

CURRENCIES: dict[str, str] = _TABLES["currencies"]
RATES: dict[str, tuple[str, str]] = {sign: (before, behind) for sign, (before, behind) in _TABLES["rates"].items()}
SCALES = {"k": 10**3, "K": 10**3, "m": 10**6, "M": 10**6, "b": 10**9, "B": 10**9, "bn": 10**9}
COUNTED = any_of([*_TABLES["behind"]["money"].split(), *_TABLES["behind"]["counted"].split()])
PER = _behind("per")
SHORT_PER = {"d": "天", "a": "年", "h": "小时"}

RANGE = r"\s?(?:[-~～–−]|—(?!—)|至|到)\s?"
SPAN_MARK = "[-~～–−—]"
SPAN_UNIT = "[%‰℃°年月日号时点分秒周天岁元块角万亿千百人个次级层楼页章条米克升吨斤里度折成倍名位]"
