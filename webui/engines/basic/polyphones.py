"""Readings of Chinese characters that depend on their neighbours, beyond pypinyin's own dictionary.

Phrases come before characters: `polyphones.toml` has words of our own beside pypinyin's; particles (慢慢地, 做得好)
and surnames before a title (曾女士) are told by rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from webui.text.pronunciation import syllable
from webui.toml import read_toml

_VERBS = "".join(
    (
        "说做看听走跑写吃喝睡想讲唱跳飞打学问答开拿买卖住来去玩过活干搞弄画读念教记懂忍受用穿站坐躺爬游笑哭骂",
        "吵闹抓捉摸碰找等见信靠选改修建造装拆洗擦扫煮炒切喂养带背抱扛搬推拉踢投扔接送收付花赚挣输比算认合离长",
        "变升降动转停留放办管治帮护守挡起",
    )
)
_OBTAINED_BEFORE = "获取所心赢博求夺争难独应贪患已喜荣摘斩谋觅不"  # 获得; of 不得 the dictionary knows
_OBTAINED_BEHIND = "到分奖票知以意失罪当体力主手胜宠救证空出益逞名病第冠金银铜利势法气便寸而其志道天癌感了"  # 得到
_WHO_MUST = "我你他她它们咱您还就都也总又非必可只再谁"
_MUST_DO = "".join(
    (
        "去走看想做说写来给找问买吃等把先再用让叫打回上开快赶注学练改换好认加努拿带交付请弄花睡休喝听考检查在靠对",
        "按住自马立尽抓提准多有要是下重赔掏跑排搬修",
    )
)
_GROUND = "|".join(  # where 地 begins a noun
    (
        "[方区带位理形址图球震产质势段域名标基板铁狱瓜毯税租市级块]",
        "点(?![头了着点击燃评名出明])|面(?![对向临带])|下(?=[室水铁车通商])|上(?=[的有])",
    )
)
_FOR = "提供|服务|办|着想|创造|做好|带来|贡献|解决|准备|争取|设立|开设|开通|开展|谋"


def readings(hanzi: str) -> list[tuple[int, str]]:
    """Where in a run of characters a rule knows the reading of one ("de5"), in order."""
    found: dict[int, str] = {}
    for rule in (_adverbs, _complements, _surnames, _benefits):
        for at, reading in rule(hanzi):
            found.setdefault(at, reading)
    return sorted(found.items())


@cache
def known_words() -> dict[str, list[str]]:
    """Our words with the reading of each of their characters that is ours, "" for the others."""
    found: dict[str, list[str]] = {}
    for entry, words in _table()["readings"].items():
        character, reading = entry.split()
        for word in words.split():
            own = found.setdefault(word, [""] * len(word))
            for at in (at for at, one in enumerate(word) if one == character):
                own[at] = str(syllable(reading))
    return found


@cache
def usual_readings() -> dict[str, str]:
    """The reading of some characters outside of any word."""
    usual = _table()["characters"]["usual"].split()
    return {one: str(syllable(reading)) for one, reading in zip(usual[::2], usual[1::2], strict=True)}


def _adverbs(hanzi: str) -> Iterator[tuple[int, str]]:
    """慢慢地走, 高兴地说: 地 behind an adverb and before what is done."""
    for match in _patterns()["adverb"].finditer(hanzi):
        yield match.end() - 1, "de5"


def _complements(hanzi: str) -> Iterator[tuple[int, str]]:
    """做得好; not 获得, 得到; 得去一趟 and 我得走了 are musts."""
    for match in re.finditer("得(?=.)", hanzi):
        at, before, behind = match.start(), hanzi[: match.start()][-1:], hanzi[match.end()]
        if before == "非" or ((not before or before in _WHO_MUST) and behind in _MUST_DO):
            yield at, "dei3"
        elif before and before not in _OBTAINED_BEFORE and (before in _VERBS or behind not in _OBTAINED_BEHIND):
            yield at, "de5"


def _surnames(hanzi: str) -> Iterator[tuple[int, str]]:
    """曾女士: a surname before a title, at the beginning or behind what may stand before a name."""
    for match in _patterns()["surname"].finditer(hanzi):
        yield match.start(), _table()["surnames"][match[0]]


def _benefits(hanzi: str) -> Iterator[tuple[int, str]]:
    """为客户提供: for whom something is done."""
    for match in _patterns()["for"].finditer(hanzi):
        yield match.start(), "wei4"


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    table = _table()
    adverbs = "|".join(sorted(table["particles"]["adverbs"].split(), key=len, reverse=True))
    surnames, titles = "".join(table["surnames"]), "|".join(table["particles"]["titles"].split())
    return {
        "adverb": re.compile(rf"(?:{adverbs}|(.)\1|[一-鿿]性|般|一(.).?一\2)地(?=.)(?!地|地?(?:{_GROUND}))"),
        "surname": re.compile(rf"(?:^|(?<=[和与及是给跟找见由向对让请系访邀陪教称]))[{surnames}](?=(?:{titles}))"),
        "for": re.compile(rf"(?<![成认作以行变分称设改定列视名约均皆即若化转译判记写人])为(?=.{{1,8}}(?:{_FOR}))"),
    }


@cache
def _table() -> dict[str, Any]:
    return read_toml(Path(__file__).with_name("polyphones.toml"))
