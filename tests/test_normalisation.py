"""Reading numbers and signs out: the everyday cases, what must stay untouched, and that no text is lost."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks.normalisation import cases, same
from webui.text.normalisation import Normaliser


@pytest.fixture(scope="module")
def normaliser() -> Normaliser:
    return Normaliser()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026年3月5日下午3:25", "二零二六年三月五日下午三点二十五分"),
        ("2015年08月08号", "二零一五年八月八号"),
        ("12,345.67元", "一万二千三百四十五点六七元"),
        ("他买了1,234个", "他买了一千二百三十四个"),
        ("1,234", "一千二百三十四"),
        ("增长35%，降了-3%", "增长百分之三十五，降了负百分之三"),
        ("电话13800138000", "电话幺三八零零幺三八零零零"),
        ("$1.5万，￥3亿元", "一点五万美元，三亿元"),
        ("-1/3", "负三分之一"),
        ("37.5℃", "三十七点五摄氏度"),
        ("2-3天，5~6人", "两到三天，五到六人"),
        ("GPT-4和A4纸", "GPT 四和A四纸"),
        ("版本1.2.3", "版本一点二点三"),
        ("１２３％的ＩＰＨＯＮＥ", "百分之一百二十三的IPHONE"),
        ("他说 I have 1 dog and 2 cats，走了5步", "他说 I have one dog and two cats，走了五步"),
        ("他说 I have 12个", "他说 I have 十二个"),
        ("用Windows Server 2019部署", "用Windows Server twenty nineteen部署"),
        ("剂量10 mg bid 口服", "剂量十毫克 bid 口服"),
        ("国发[2025]29号[hao4]", "国发[二零二五]二十九号[hao4]"),
    ],
)
def test_chinese(normaliser: Normaliser, written: str, read: str) -> None:
    assert normaliser.normalise(written, "zh") == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1,234 people", "one thousand two hundred and thirty four people"),
        ("1,001 nights", "one thousand and one nights"),
        ("21,000 and 2,500", "twenty one thousand and two thousand five hundred"),
        ("He paid $1,234.56.", "He paid one thousand two hundred and thirty four dollars fifty six cents."),
        ("$0.01, $5.00", "one cent, five dollars"),
        ("the 1980s, 1980-1986", "the nineteen eighties, nineteen eighty to nineteen eighty six"),
        ("Dr. Lee came 2nd at 3:05pm", "doctor Lee came second at three o five PM"),
        ("No. 5, #6", "number five, number six"),
        ("call 555-1234", "call five five five, one two three four"),
        ("a thousand of 5", "a thousand of five"),
        ("she paid 5元 here", "she paid 五元 here"),
    ],
)
def test_english(normaliser: Normaliser, written: str, read: str) -> None:
    assert normaliser.normalise(written, "en") == read


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n ",
        "第一行\n第二行\n",
        '甲"乙\\丙{丁}',
        "[h][ào][nǚ3][M][AY0][hao4]",
        "<strong>[breath]</strong>",
        "just words, and more words",
        "没有数字的一句话。",
    ],
)
def test_what_needs_no_reading_stays(normaliser: Normaliser, text: str, language: str) -> None:
    assert normaliser.normalise(text, language) == text


def test_marks_and_lines_survive_beside_numbers(normaliser: Normaliser) -> None:
    assert normaliser.normalise('他"爱"[hao4]5个\n  第12行[3]', "zh") == '他"爱"[hao4]五个\n  第十二行[三]'


def test_a_reading_that_drops_words_is_refused(normaliser: Normaliser, monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in ("", "five", "   "):
        monkeypatch.setattr(normaliser, "_wetext", lambda _text, broken=broken: broken)
        assert normaliser.normalise("apples/pears", "en") == "apples/pears"


def test_without_the_package_chinese_is_read_and_english_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wetext", None)
    assert Normaliser().normalise("5个苹果", "zh") == "五个苹果"
    assert Normaliser().normalise("apples & pears", "en") == "apples & pears"


def test_published_suites(normaliser: Normaliser, shared: Path) -> None:
    """The agreement written in docs/normalisation.md holds, and no case loses a character or a word."""
    agreed = {"zh": 0, "en": 0}
    for language, category, written, spoken in cases(shared / "eval" / "text"):
        read = normaliser.normalise(written, language)
        agreed[language] += same(read, spoken, language)
        assert read.strip() or not written.strip(), (category, written)
        assert not set(re.findall("[一-鿿]", written)) - set(re.findall("[一-鿿]", read)), (written, read)
        assert len(re.findall("[A-Za-z]{4,}", read)) >= len(re.findall("[A-Za-z]{4,}", written)), (written, read)
    assert agreed["zh"] >= 309
    assert agreed["en"] >= 332
