"""Numbers and signs of English texts: every kind with the cases that look like it and must stay."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from webui.text.normalisation import Normaliser
from webui.text.tn.english import amounts, codes, dates
from webui.text.tn.english.numbers import cardinal, digits, ordinal, year

CASES = (Path(__file__).parent / "tn" / "english.txt").read_text(encoding="utf-8")
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}


@pytest.fixture(scope="module")
def read() -> Callable[[str], str]:
    normaliser = Normaliser()
    return lambda text: normaliser.normalise(text, "en")


@pytest.mark.parametrize("section", CASES.split("\n\n"), ids=lambda section: section.splitlines()[0].removeprefix("# "))
def test_every_kind_is_read_right(read: Callable[[str], str], section: str) -> None:
    for line in section.splitlines()[1:]:
        written, spoken = line.split(" → ")
        assert read(written) == spoken


def heard(spoken: str) -> int:
    """The value of an English numeral, by another way than it was made."""
    total = group = 0
    for word in spoken.replace(" and ", " ").split():
        if word == "hundred":
            group *= 100
        elif word in SCALES:
            total, group = total + group * SCALES[word], 0
        else:
            group += ONES.index(word) if word in ONES else 10 * (TENS.index(word) + 2)
    return total + group


def test_integers_mean_what_they_say() -> None:
    chance = random.Random(7)
    for _ in range(3000):
        value = chance.randrange(10 ** chance.randint(1, 12))
        assert heard(cardinal(value)) == value


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("1905", "nineteen oh five"),
        ("2000", "two thousand"),
        ("2005", "two thousand five"),
        ("2012", "twenty twelve"),
        ("1900", "nineteen hundred"),
    ],
)
def test_years(written: str, spoken: str) -> None:
    assert year(written) == spoken


@pytest.mark.parametrize(
    ("said", "spoken"),
    [
        ("one", "first"),
        ("twenty one", "twenty first"),
        ("twelve", "twelfth"),
        ("eighty", "eightieth"),
        ("one hundred", "one hundredth"),
    ],
)
def test_ordinals(said: str, spoken: str) -> None:
    assert ordinal(said) == spoken


FLOWS = ("We saw {} there.", "({})", "It was {}, they said")
MONTHS = "January February March April May June July August September October November December".split()
UNITS = {"mL": "milliliters", "kg": "kilograms", "kPa": "kilopascals", "GB": "gigabytes", "km/h": "kilometers per hour"}


def amount(chance: random.Random) -> tuple[str, str]:
    value = chance.randrange(10 ** chance.randint(1, 9))
    noun = chance.choice("apples people houses miles voters".split())
    return f"{value:,} {noun}", f"{cardinal(value)} {noun}"


def a_range(chance: random.Random) -> tuple[str, str]:
    low = chance.randint(1, 90)
    high = low + chance.randint(1, 9)
    written, said = chance.choice([(" days", " days"), (" pages", " pages"), (" kg", " kilograms"), ("%", " percent")])
    return f"{low}{chance.choice('-–')}{high}{written}", f"{cardinal(low)} to {cardinal(high)}{said}"


def a_telephone(chance: random.Random) -> tuple[str, str]:
    groups = [f"{chance.randint(201, 799)}", f"{chance.randint(201, 799)}", f"{chance.randrange(10**4):04}"]
    return chance.choice("- .").join(groups), ", ".join(map(digits, groups))


def a_code(chance: random.Random) -> tuple[str, str]:
    noun = chance.choice(["code ", "PIN ", "OTP: ", "order #", "account number ", "tracking number "])
    code = "".join(chance.choice("0123456789") for _ in range(chance.randint(4, 16)))
    return noun + code, noun.replace("#", "number ") + digits(code)


def a_date(chance: random.Random) -> tuple[str, str]:
    month, day, when = chance.randint(1, 12), chance.randint(1, 28), chance.randint(1950, 2060)
    name = MONTHS[month - 1]
    spoken = f"the {ordinal(cardinal(day))} of {name} {year(str(when))}"
    return chance.choice([f"{day} {name} {when}", f"{when}-{month:02}-{day:02}", f"{name} {day} {when}"]), spoken


def money(chance: random.Random) -> tuple[str, str]:
    whole, cents = chance.randint(2, 10**6), chance.randint(2, 99)
    return f"${whole:,}.{cents:02}", f"{cardinal(whole)} dollars {cardinal(cents)} cents"


def a_measure(chance: random.Random) -> tuple[str, str]:
    unit = chance.choice(list(UNITS))
    value = chance.randint(2, 999)
    return f"{value}{chance.choice(['', ' '])}{unit}", f"{cardinal(value)} {UNITS[unit]}"


@pytest.mark.parametrize(
    "made", [amount, a_range, a_telephone, a_code, a_date, money, a_measure], ids=lambda made: made.__name__
)
def test_generated_texts_are_read_as_they_were_made(
    read: Callable[[str], str], made: Callable[[random.Random], tuple[str, str]]
) -> None:
    chance = random.Random(11)
    for _ in range(200):
        flow = chance.choice(FLOWS)
        written, spoken = made(chance)
        assert read(flow.format(written)) == flow.format(spoken)


@pytest.mark.parametrize("piece", ["12:", "1,", "1.", "a1", "(1", "1,234,", "2020-", "~1", "1 ", "- "])
def test_long_texts_are_read_in_linear_time(read: Callable[[str], str], piece: str) -> None:
    read(piece)
    started = time.perf_counter()
    read(piece * (3000 // len(piece)))
    assert time.perf_counter() - started < 3


def test_nothing_written_in_digits_is_left(read: Callable[[str], str]) -> None:
    chance = random.Random(3)
    for _ in range(500):
        text = "".join(chance.choice("0123456789.,:/-~+%= aMst()") for _ in range(12))
        assert not re.search("[0-9]", read(text)), text


def test_rules_have_names_of_their_own_and_a_reason() -> None:
    rules = [*dates.RULES, *amounts.MONEY, *codes.RULES, *amounts.RULES]
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.why for rule in rules)
