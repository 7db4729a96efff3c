"""Inverse text normalisation: the style, what stays, and that no character is ever lost."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.text import itn

STYLE = {
    "二零二五年十一月二十日": "2025年11月20日",
    "零六年一月二号": "06年1月2号",
    "七八年三月": "78年3月",
    "下午三点二十五分": "下午3:25",
    "早上八点半": "早上8:30",
    "下午三点": "下午3点",
    "两点零二分三十六秒": "2:02:36",
    "八点零五发车": "8:05发车",
    "利率八点零五": "利率8.05",
    "八点三十": "8:30",
    "五点一刻": "5:15",
    "八点到九点": "8点到9点",
    "十二点之前": "12点之前",
    "差五分钟九点": "差5分钟9点",
    "六点差十分": "6点差10分",
    "一分三十秒": "1分30秒",
    "七乘二十四小时": "7乘24小时",
    "百分之三十": "30%",
    "百分之二点一五": "2.15%",
    "负百分之十三": "-13%",
    "百分百": "100%",
    "百分之一百二": "120%",
    "百分之三十到四十": "30%~40%",
    "从百分之三十到四十": "从30%到40%",
    "百分之二三十": "20%~30%",
    "百分之十五六": "15%~16%",
    "千分之五": "5‰",
    "三分之二": "2/3",
    "三十分之一": "1/30",
    "一百二十三块五": "123块5",
    "十二块五毛": "12块5毛",
    "三百八十元五角八分": "380元5角8分",
    "十块零五毛": "10块零5毛",
    "九块九包邮": "9块9包邮",
    "打七五折": "打75折",
    "打七八折": "打7~8折",
    "两千三百四十五万元": "2345万元",
    "十三点五美元": "13.5美元",
    "三亿五": "3.5亿",
    "三亿五千万": "3亿5000万",
    "十一亿零九": "1100000009",
    "三百五": "350",
    "一万六": "16000",
    "二十点一万": "20.1万",
    "负五度": "-5度",
    "零下五度": "零下5度",
    "零下五度到三度": "零下5度到3度",
    "体温三十九度二": "体温39度2",
    "四十度二锅头": "40度二锅头",
    "最高气温八度": "最高气温8度",
    "负三到五度": "-3~5度",
    "正负二": "±2",
    "三五个人": "3~5个人",
    "三到五个人": "3~5个人",
    "七八十人": "70~80人",
    "四十五六万": "45~46万",
    "七百三四十": "730~740",
    "一万六七": "16000~17000",
    "两三年": "2~3年",
    "三比二": "3比2",
    "幺二三四五热线": "12345热线",
    "电话是一三八零零一三八零零零": "电话是13800138000",
    "身份证号四三零一零二一九九零": "身份证号4301021990",
    "三四零二零三一九三七零幺零幺零五幺X": "34020319370101051X",
    "幺二七点零点零点幺": "127.0.0.1",
    "幺八五洞幺拐两零柒幺玖": "18501720719",
    "贰拾万元整": "20万元整",
    "十二億元": "12億元",
    "二十一世纪": "21世纪",
    "第十二章": "第12章",
    "十个人": "10个人",
    "两小时": "2小时",
    "一米七五": "1米75",
    "二十五千克": "25千克",
    "一千两位": "1000两位",
    "五G网络": "5G网络",
    "四s店": "4s店",
    "一G流量": "1G流量",
    "A四纸": "A4纸",
    "T三航站楼": "T3航站楼",
    "二十大类": "20大类",
}

UNCHANGED = (
    "我一直在等你 一带一路 万一下雨 千万不要 十分感谢 一点点 五一放假 一千零一夜 七上八下 "
    "不管三七二十一 十全十美 三三两两 双十一 国庆十一长假 十四五规划 我有三个苹果 两个小时 有三点建议 "
    "第一次 第三名 数到十 几十万 二十几万 十几个 三块五花肉 周三 星期三五点 农历正月十五 初三 "
    "大年三十 五六年 大陆 陆先生 八百一千 这是九十九九千 零百 一一列举 唯一 百分点 你好 hello "
    "一会儿 三心二意 一共 党的二十大 二十大报告 第十四届全国人大 十九届四中全会 十万个为什么 "
    "买了一T恤 PK三场 三点差异 三度夺冠 二维码 三十好几 十天半个月 二十四史 十三届四次会议 十一去哪玩"
).split()


@pytest.mark.parametrize(("spoken", "written"), STYLE.items())
def test_style(spoken: str, written: str) -> None:
    assert itn.apply(spoken) == written


@pytest.mark.parametrize("text", UNCHANGED)
def test_stays_as_it_was_said(text: str) -> None:
    assert itn.apply(text) == text


def test_numbers_inside_a_sentence_with_quotes_and_line_breaks() -> None:
    assert itn.apply('第一行\n第二行有"三百"人\\四百') == '第一行\n第二行有"300"人\\400'


def test_a_number_is_not_glued_to_digits_beside_it() -> None:
    assert itn.apply("20二十") == "20二十"
    assert itn.apply("九千九月") == "9000九月"


def test_idioms_after_numbers_stay_whole() -> None:
    assert itn.apply("百分之三十一直在涨") == "30%一直在涨"
    assert itn.apply("增长百分之三一直如此") == "增长3%一直如此"


def _spoken(number: int) -> str:
    """The number as a Chinese reader says it, written here independently of the module under test."""
    digits, units = "零一二三四五六七八九", ("", "十", "百", "千")

    def section(value: int) -> str:
        said, pending = "", False
        for power in (3, 2, 1, 0):
            digit = value // 10**power % 10
            if digit:
                said += ("零" if pending and said else "") + digits[digit] + units[power]
                pending = False
            else:
                pending = bool(said)
        return said

    said = ""
    for power, name in ((8, "亿"), (4, "万"), (0, "")):
        part = number // 10**power % 10**4
        if not part:
            continue
        gap = "零" if said and part < 1000 else ""
        said += gap + section(part) + name
    return re.sub("^一十", "十", said)


def _value(written: str) -> int:
    total = 0
    for amount, unit in re.findall(r"(\d+)([亿万]?)", written):
        total += int(amount) * {"亿": 10**8, "万": 10**4, "": 1}[unit]
    return total


@given(st.integers(11, 10**12 - 1))
def test_every_number_keeps_its_value(number: int) -> None:
    assert _value(itn.apply(f"共计{_spoken(number)}吨").removeprefix("共计").removesuffix("吨")) == number


@given(st.text(st.sampled_from("零一二三四五六七八九"), min_size=3, max_size=30))
def test_digits_said_one_by_one_keep_their_order(run: str) -> None:
    expected = "".join(str("零一二三四五六七八九".index(character)) for character in run)
    written = itn.apply(f"号码幺{run}")
    assert written == f"号码1{expected}"


_ANY_TEXT = st.text(
    st.sampled_from(
        '零一二两三四五六七八九十百千万亿点分之年月日号半负下午早上个块元米小时到比第初周多几甲乙ab1，。\n"\\ 萬億幺〇'
    )
    | st.characters(),
    max_size=40,
)
_REWRITABLE = set(
    "零一二两三四五六七八九十百千万亿点分之负正半刻秒到至〇幺洞拐勾兩萬億點負兆壹贰貳叁參肆伍陆陸柒捌玖拾佰仟"
)


@given(_ANY_TEXT)
def test_no_text_is_lost_and_spans_tile_both_sides(text: str) -> None:
    written, spans = itn.with_spans(text)
    assert bool(written) == bool(text)
    at = source_at = 0
    for span in spans:
        assert (span.start, span.source_start) == (at, source_at)
        at, source_at = span.end, span.source_end
        if span.kept:
            assert written[span.start : span.end] == text[span.source_start : span.source_end]
        else:
            assert span.end > span.start and span.source_end > span.source_start
    assert (at, source_at) == (len(written), len(text))


def _others(line: str) -> str:
    return "".join(c for c in line if c not in _REWRITABLE and c not in "0123456789.%‰/:~±-")


@given(_ANY_TEXT)
def test_words_that_are_no_numbers_survive_in_order(text: str) -> None:
    assert _others(itn.apply(text)) == _others(text)


@given(_ANY_TEXT)
def test_applying_it_twice_changes_nothing_more(text: str) -> None:
    once = itn.apply(text)
    assert itn.apply(once) == once


def test_word_times_follow_the_numbers() -> None:
    words = ["价", "格", "是", "三", "十", "元", "hello"]
    assert itn.regroup(words, "价格是三十元， hello") == [
        ("价", 0, 1),
        ("格", 1, 2),
        ("是", 2, 3),
        ("30", 3, 5),
        ("元", 5, 6),
        ("hello", 6, 7),
    ]


@pytest.mark.parametrize("piece", ["一", "一百", "负", "三五", "下午", "百分之", "三点", "一百点", "星期", "十一"])
def test_hostile_repetition_stays_linear(piece: str) -> None:
    begun = time.process_time()
    itn.apply(piece * (100_000 // len(piece)))
    assert time.process_time() - begun < 10


SUITES = {"wetext": ("wetext/itn_chinese", " => "), "nemo": ("nemo/itn_zh", "~")}


def _agreement(shared: Path) -> dict[tuple[str, str], tuple[int, int]]:
    table = {}
    for suite, (folder, separator) in SUITES.items():
        for file in sorted((shared / "eval" / "text" / folder).glob("*.txt")):
            cases = [line.split(separator, 1) for line in file.read_text("utf-8").split("\n") if separator in line]
            hits = Counter(itn.apply(spoken) == written for spoken, written in cases)
            assert all(_others(itn.apply(spoken)) == _others(spoken) for spoken, _ in cases)
            table[suite, file.stem.removeprefix("test_cases_")] = (hits[True], len(cases))
    return table


@pytest.mark.shared
def test_agreement_with_the_published_suites_is_what_the_document_says(shared: Path) -> None:
    document = (Path(__file__).parent.parent / "docs" / "itn.md").read_text("utf-8")
    rows = re.findall(r"^\| (wetext|nemo) \| (\w+) \| (\d+) \| (\d+) \|", document, re.M)
    assert {(suite, name): (int(agreed), int(cases)) for suite, name, agreed, cases in rows} == _agreement(shared)
