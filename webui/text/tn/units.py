"""Units of measure by their signs, with their names in Chinese and English: SI with its prefixes, and others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple


class Unit(NamedTuple):
    chinese: str
    english: str  # for one
    many: str


# (sign, Chinese, English): the prefixes that are used with it, no others, so that 5GB or 4K are no units
_BASES = (
    ("m", "米", "meter", "kcdmμnp"),
    ("g", "克", "gram", "kmμnp"),
    ("s", "秒", "second", "mμnp"),
    ("L", "升", "liter", "dcmμn"),
    ("l", "升", "liter", "dcmμn"),
    ("A", "安", "amp", "kmμn"),
    ("V", "伏", "volt", "kmμM"),
    ("W", "瓦", "watt", "kmμMG"),
    ("Hz", "赫兹", "hertz", "kMGT"),
    ("Pa", "帕", "pascal", "hkMG"),
    ("J", "焦耳", "joule", "kMG"),
    ("mol", "摩尔", "mole", "mμnp"),
    ("Ω", "欧姆", "ohm", "kmM"),
    ("Wh", "瓦时", "watt hour", "kMGm"),
    ("Ah", "安时", "ampere hour", "mk"),
    ("VA", "伏安", "volt ampere", "kM"),
    ("var", "乏", "var", "kM"),
    ("eV", "电子伏", "electronvolt", "kMG"),
    ("Sv", "希沃特", "sievert", "mμ"),
    ("Gy", "戈瑞", "gray", "mμc"),
    ("Bq", "贝可", "becquerel", "kMG"),
    ("cal", "卡", "calorie", "k"),
    ("bar", "巴", "bar", "m"),
    ("lm", "流明", "lumen", "k"),
    ("lx", "勒克斯", "lux", "k"),
    ("cd", "坎德拉", "candela", "m"),
    ("dB", "分贝", "decibel", ""),
    ("IU", "国际单位", "international unit", "mkμ"),
    ("t", "吨", "tonne", ""),
    ("h", "小时", "hour", ""),
    ("N", "牛", "newton", "kM"),
    ("min", "分钟", "minute", ""),
    ("ha", "公顷", "hectare", ""),
)
_PREFIXED_ONLY = (("F", "法拉", "farad", "mμnp"), ("H", "亨利", "henry", "mμn"), ("T", "特斯拉", "tesla", "mμ"))
_PREFIXES = {
    "h": ("百", "hecto"), "k": ("千", "kilo"), "M": ("兆", "mega"), "G": ("吉", "giga"), "T": ("太", "tera"),
    "d": ("分", "deci"), "c": ("厘", "centi"), "m": ("毫", "milli"), "μ": ("微", "micro"), "n": ("纳", "nano"),
    "p": ("皮", "pico"),
}  # fmt: skip
_OTHERS = {
    "km": ("公里", "kilometer", ""),
    "mmHg": ("毫米汞柱", "millimeter of mercury", "millimeters of mercury"),
    "cmH2O": ("厘米水柱", "centimeter of water", "centimeters of water"),
    "℃": ("摄氏度", "degree Celsius", "degrees Celsius"),
    "℉": ("华氏度", "degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("度", "degree", ""),
    "hm²": ("公顷", "hectare", ""),
    "cc": ("毫升", "cubic centimeter", ""),
    "mph": ("英里每小时", "mile per hour", "miles per hour"),
    "lb": ("磅", "pound", ""),
    "lbs": ("磅", "pound", ""),
    "oz": ("盎司", "ounce", ""),
    "ft": ("英尺", "foot", "feet"),
    "mi": ("英里", "mile", ""),
    "yd": ("码", "yard", ""),
    "wk": ("周", "week", ""),
    "MPa": ("兆帕", "megapascal", ""),
    "mAh": ("毫安时", "milliamp hour", ""),
    "r": ("转", "revolution", ""),
    "U": ("单位", "unit", ""),
}
_SPELLINGS = {
    "°C": "℃",
    "º": "°",
    "°F": "℉",
    "㎡": "m²",
    "㎥": "m³",
    "㎏": "kg",
    "㎎": "mg",
    "㎜": "mm",
    "㎝": "cm",
    "㎞": "km",
    "㏄": "cc",
    "㎖": "mL",
}
_LOOSELY = """
kg KG Kg; cm CM Cm; mm MM Mm; km KM Km; mL ML Ml; kW KW Kw kw; kWh KWH KWh Kwh kwh; mAh MAH mah MAh; min MIN Min
kHz KHZ KHz Khz khz; MHz MHZ Mhz mhz; GHz GHZ Ghz ghz; Hz HZ hz; MPa MPA Mpa mpa; kPa KPA KPa Kpa kpa; dB DB db
kV KV Kv kv; mmHg MMHG mmhg; mol MOL Mol; kcal KCAL Kcal KCal
"""  # the right spelling first
_SPELLINGS |= {
    wrong: right
    for right, *others in map(str.split, _LOOSELY.strip().replace("\n", ";").split(";"))
    for wrong in others
}
_INVARIABLE = ("hertz", "lux")
_AREAS = ("m", "km", "cm", "mm", "dm", "nm", "μm", "ft", "mi", "yd")

TOKEN = r"(?:°[CF]?|[㎡㎥㎏㎎㎜㎝㎞㏄㎖℃℉º]|cmH2O|[A-Za-zμµΩ]{1,5}(?:[²³]|\^?[23](?![\d.]))?)(?![A-Za-z0-9²³])"


def unit(written: str) -> Unit | None:
    """The unit that is written so, as a whole; None where there is no such unit."""
    written = _SPELLINGS.get(written, written.replace("µ", "μ"))
    written = re.sub(r"\^?([23])$", lambda power: "²³"[int(power[1]) - 2], written)
    return UNITS.get(written) or UNITS.get(re.sub(r"^u(?=[gmlLsAVMF])", "μ", written))


def _named() -> Iterator[tuple[str, Unit]]:
    for sign, chinese, english, prefixes in _BASES + _PREFIXED_ONLY:
        if (sign, chinese, english, prefixes) in _BASES:
            yield sign, _unit(chinese, english)
        for prefix in prefixes:
            before, small = _PREFIXES[prefix]
            yield prefix + sign, _unit(before + chinese, small + english)
    for sign, (chinese, english, many) in _OTHERS.items():
        yield sign, _unit(chinese, english, many)


def _unit(chinese: str, english: str, many: str = "") -> Unit:
    return Unit(chinese, english, many or (english if english.endswith(_INVARIABLE) else f"{english}s"))


def _powers(units: dict[str, Unit]) -> Iterator[tuple[str, Unit]]:
    for sign in _AREAS:
        chinese = units[sign].chinese.replace("公里", "千米")
        for power, said, word in (("²", "平方", "square"), ("³", "立方", "cubic")):
            yield sign + power, Unit(said + chinese, f"{word} {units[sign].english}", f"{word} {units[sign].many}")


def _all() -> dict[str, Unit]:
    units = dict(_named())
    return dict(_powers(units)) | units


UNITS = _all()
