"""Agreement of text normalisation with the published suites in shared/eval/text, by category: one JSON line."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from webui.text.normalisation import Normaliser

SUITES = (
    ("zh", "wetext/tn_chinese", "=>"),
    ("zh", "nemo/tn_zh", "~"),
    ("en", "wetext/tn_english", "=>"),
    ("en", "nemo/tn_en", "~"),
)
ALTERNATIVES = "test_cases_normalize_with_audio"  # several right answers each, in another layout


def cases(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """(language, suite/category, written, spoken) of every case under `folder` (shared/eval/text)."""
    for language, suite, separator in SUITES:
        for path in sorted((folder / suite).glob("*.txt")):
            if path.stem == ALTERNATIVES:
                continue
            for line in path.read_text(encoding="utf-8").splitlines():
                written, found, spoken = line.partition(separator)
                if found:
                    category = path.stem.removeprefix("test_cases_")
                    yield language, f"{suite}/{category}", written.strip(), spoken.strip()


def same(read: str, expected: str, language: str) -> bool:
    """Equal but for case, punctuation, white space (zh) and the English "and"."""
    return _bare(read, language) == _bare(expected, language)


def _bare(text: str, language: str) -> str:
    words = re.sub(r"[，。,.!?！？；;：:、“”\"()（）'’-]", "" if language == "zh" else " ", text.lower()).split()
    return "".join(words) if language == "zh" else " ".join(word for word in words if word != "and")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="shared/eval/text")
    normaliser = Normaliser()
    total: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for language, category, written, spoken in cases(parser.parse_args().folder):
        total[category] += 1
        agreed[category] += same(normaliser.normalise(written, language), spoken, language)
    print(json.dumps({category: [agreed[category], count] for category, count in total.items()}))


if __name__ == "__main__":
    main()
