"""Numbers and signs of Chinese texts: every kind with the cases that look like it and must stay."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from webui.text.normalisation import Normaliser
from webui.text.tn.chinese import amounts, codes, dates, signs
from webui.text.tn.chinese.numbers import digits, integer, telephone

CASES = (Path(__file__).parent / "tn" / "chinese.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def read() -> Callable[[str], str]:
    normaliser = Normaliser()
    return lambda text: normaliser.normalise(text, "zh")


@pytest.mark.parametrize("section", CASES.split("\n\n"), ids=lambda section: section.splitlines()[0].removeprefix("# "))
def test_every_kind_is_read_right(read: Callable[[str], str], section: str) -> None:
    for line in section.splitlines()[1:]:
        written, spoken = line.split(" → ")
        assert read(written) == spoken


@pytest.mark.parametrize(
    ("value", "spoken"),
    [
        ("0", "零"),
        ("10", "十"),
        ("110", "一百一十"),
        ("2002", "两千零二"),
        ("50010", "五万零一十"),
        ("100000", "十万"),
        ("10001000", "一千万一千"),
        ("101111111", "一亿零一百一十一万一千一百一十一"),
        ("10000100000", "一百亿零十万"),
    ],
)
def test_integers(value: str, spoken: str) -> None:
    assert integer(value) == spoken


def heard(spoken: str) -> int:
    """The value of a Chinese numeral, by another way than it was made."""
    total = section = figure = 0
    for sign in spoken.replace("两", "二"):
        if sign in "零一二三四五六七八九":
            figure = "零一二三四五六七八九".index(sign)
        elif sign in "十百千":
            section += (figure or 1) * 10 ** ("十百千".index(sign) + 1)
            figure = 0
        else:
            scale = {"万": 10**4, "亿": 10**8}[sign]
            total, section, figure = (total + section + figure) * scale, 0, 0
            if sign == "万":
                section, total = 0, total
    return total + section + figure


def test_integers_mean_what_they_say() -> None:
    chance = random.Random(7)
    for _ in range(3000):
        value = chance.randrange(10 ** chance.randint(1, 8))
        assert heard(integer(str(value))) == value


FLOWS = ("共{}。", "这里是{}，请记下", "({})", "“{}”和别的")


def amount(chance: random.Random) -> tuple[str, str]:
    value = chance.randrange(3, 10 ** chance.randint(1, 9))
    counter = chance.choice("个 名 元 公里 小时 条 次 吨 张 万人".split())
    grouped = chance.random() < 0.4 and not counter.startswith("万")
    return (f"{value:,}" if grouped else str(value)) + counter, integer(str(value)) + counter


def a_list(chance: random.Random) -> tuple[str, str]:
    values = [chance.randint(3, 99) for _ in range(chance.randint(2, 5))]
    mark, counter = chance.choice(",，、"), chance.choice("元 分 岁 号楼 万元".split())
    return mark.join(map(str, values)) + counter, mark.join(integer(str(value)) for value in values) + counter


def a_range(chance: random.Random) -> tuple[str, str]:
    low = chance.randint(3, 900)
    high = low + chance.randint(1, 90)
    mark, unit = chance.choice("-~～–—"), chance.choice("天 人 元 岁 公里 页 级".split())
    return f"{low}{mark}{high}{unit}", f"{integer(str(low))}到{integer(str(high))}{unit}"


def a_share(chance: random.Random) -> tuple[str, str]:
    low, high, mark = chance.randint(0, 50), chance.randint(51, 99), chance.choice("-~～–—")
    first = chance.choice(["", "%"])
    return f"{low}{first}{mark}{high}%", f"百分之{integer(str(low))}到百分之{integer(str(high))}"


def a_date(chance: random.Random) -> tuple[str, str]:
    year, month, day = chance.randint(1950, 2060), chance.randint(1, 12), chance.randint(1, 28)
    spoken = f"{digits(str(year))}年{integer(str(month))}月{integer(str(day))}日"
    mark = chance.choice("-/.")
    forms = (f"{year}年{month}月{day}日", f"{year}{mark}{month:02}{mark}{day:02}", f"{year}{mark}{month}{mark}{day}")
    return chance.choice(forms), spoken


def a_time(chance: random.Random) -> tuple[str, str]:
    hour, minute = chance.randint(3, 23), chance.randint(10, 59)
    return f"{hour}:{minute}", f"{integer(str(hour))}点{integer(str(minute))}分"


def a_telephone(chance: random.Random) -> tuple[str, str]:
    number = f"1{chance.randint(3, 9)}{chance.randrange(10**9):09}"
    gap = chance.choice(["", " ", "-"])
    return gap.join((number[:3], number[3:7], number[7:])), telephone(number)


def a_code(chance: random.Random) -> tuple[str, str]:
    noun = chance.choice("验证码 账号 学号 订单号 密码 邮编 尾号 工号".split()) + chance.choice(["", "是", "：", "为"])
    code = "".join(chance.choice("0123456789") for _ in range(chance.randint(4, 19)))
    return noun + code, noun.replace("：", ":") + telephone(code)


def a_measure(chance: random.Random) -> tuple[str, str]:
    unit, name = chance.choice(
        [
            ("mL", "毫升"),
            ("kg", "千克"),
            ("mAh", "毫安时"),
            ("kPa", "千帕"),
            ("℃", "摄氏度"),
            ("mmHg", "毫米汞柱"),
            ("㎡", "平方米"),
        ]
    )
    per, said = (
        chance.choice([("", ""), ("/h", "每小时"), ("/L", "每升"), ("/天", "每天")]) if unit == "kg" else ("", "")
    )
    whole, part = chance.randint(3, 999), chance.randint(1, 9)
    return f"{whole}.{part}{unit}{per}", f"{said}{integer(str(whole))}点{digits(str(part))}{name}"


def money(chance: random.Random) -> tuple[str, str]:
    sign, name = chance.choice(
        [("￥", "元"), ("$", "美元"), ("HK$", "港元"), ("€", "欧元"), ("USD ", "美元"), ("£", "英镑")]
    )
    value = chance.randint(3, 10**6)
    return f"{sign}{value}", integer(str(value)) + name


def an_ordinal(chance: random.Random) -> tuple[str, str]:
    counter = chance.choice("条 次 名 页 章 台 张 位 届 家 天 年 件 集 季度 组 项 句 把 份".split())
    value = chance.choice(["2", str(chance.randint(3, 99))])
    return f"第{value}{counter}", f"第{integer(value)}{counter}"


@pytest.mark.parametrize(
    "made",
    [amount, a_list, a_range, a_share, a_date, a_time, a_telephone, a_code, a_measure, money, an_ordinal],
    ids=lambda made: made.__name__,
)
def test_generated_texts_are_read_as_they_were_made(
    read: Callable[[str], str], made: Callable[[random.Random], tuple[str, str]]
) -> None:
    chance = random.Random(11)
    for _ in range(400):
        flow = chance.choice(FLOWS)
        written, spoken = made(chance)
        assert read(flow.format(written)) == flow.format(spoken)


@pytest.mark.parametrize("piece", ["12:", "1,", "1.", "a1", "(1", "1,234,", "电话1", "2020-", "~1", "1/", "5km/", "- "])
def test_long_texts_are_read_in_linear_time(read: Callable[[str], str], piece: str) -> None:
    read(piece)
    started = time.perf_counter()
    read(piece * (3000 // len(piece)))
    assert time.perf_counter() - started < 2


def test_nothing_written_in_digits_is_left(read: Callable[[str], str]) -> None:
    chance = random.Random(3)
    for _ in range(500):
        text = "".join(chance.choice("0123456789.,:/-~+%=元年月号第A ，（）") for _ in range(12))
        assert not re.search("[0-9]", read(text)), text


def test_rules_have_names_of_their_own_and_a_reason() -> None:
    rules = [*dates.RULES, *amounts.MONEY, *codes.RULES, *signs.RULES, *amounts.RULES]
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.why for rule in rules)
