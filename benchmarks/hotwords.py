"""Hotword correction: false rewrites by a list of random names in text that needs none.

    python -m benchmarks.hotwords FOLDER [--names 300]

FOLDER holds text files; their simplified Chinese sentences are the text. One JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

from webui.text import hotwords

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜"
)
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建文玲辉力慧莹琪志芝飞健实惠宏斌波宇浩凯婷雪"
_SENTENCE = re.compile(r"[\u3400-\u9fff，。？！、]{6,}")
_CANTONESE = re.compile("[喺嘅唔冇佢哋咗嚟]")


def names(count: int) -> list[str]:
    """`count` different names of two characters, the same each time."""
    pick = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < count:
        found[pick.choice(SURNAMES) + pick.choice(GIVEN)] = None
    return list(found)


def sentences(folder: Path) -> Iterator[str]:
    """Every simplified Chinese sentence of the files under `folder`, once."""
    seen: set[str] = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for found in _SENTENCE.findall(path.read_text(encoding="utf-8", errors="ignore")):
            if found not in seen and _is_simplified(found) and not _CANTONESE.search(found):
                seen.add(found)
                yield found


def _is_simplified(text: str) -> bool:
    try:
        return bool(text.encode("gb2312"))
    except UnicodeEncodeError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", type=int, default=300)
    parser.add_argument("--show", action="store_true", help="each false rewrite, a line")
    wanted = parser.parse_args()
    listed = names(wanted.names)
    began, characters, false = time.monotonic(), 0, 0
    for text in sentences(wanted.folder):
        characters += sum(map(str.isalpha, text))
        for hit in hotwords.correct(text, listed)[1]:
            false += hit.heard is not None
            if wanted.show and hit.heard:
                print(hit.word, hit.heard, text[max(0, hit.start - 6) : hit.end + 6])
    print(
        json.dumps(
            {
                "characters": characters,
                "names": wanted.names,
                "false": false,
                "false_per_10000": round(false / characters * 10_000, 2),
                "seconds": round(time.monotonic() - began, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
