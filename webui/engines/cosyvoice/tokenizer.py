"""Text to ids: Qwen2's byte-level BPE with the marks that CosyVoice3 adds to it."""

from __future__ import annotations

import difflib
import re
import unicodedata
from pathlib import Path

from webui.engines.cosyvoice.folder import TOKENIZER, broken
from webui.engines.cosyvoice.prompts import END_OF_PROMPT
from webui.errors import UserError
from webui.text.pronunciation import Arpabet, Event, Pinyin, Syllable, Text, parse

END_OF_PROMPT_ID = 151646

_SYSTEM = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", END_OF_PROMPT]
_EVENTS = (
    "[breath] <strong> </strong> [noise] [laughter] [cough] [clucking] [accent] [quick_breath] <laughter> </laughter> "
    "[hissing] [sigh] [vocalized-noise] [lipsmack] [mn]"
).split()
_PHONES = (
    "AA* AE* AH* AO* AW* AY* B CH D DH EH* ER* EY* F G HH IH* IY* JH K L M N NG OW* OY* P R S SH T TH UH* UW* V W Y "
    "Z ZH"
).split()
_PINYIN = (
    "a ai an ang ao b c ch d e ei en eng f g h i ian in ing iu ià iàn iàng iào iá ián iáng iáo iè ié iòng ióng iù iú "
    "iā iān iāng iāo iē iě iōng iū iǎ iǎn iǎng iǎo iǒng iǔ j k l m n o ong ou p q r s sh t u uang ue un uo uà uài uàn "
    "uàng uá uái uán uáng uè ué uì uí uò uó uā uāi uān uāng uē uě uī uō uǎ uǎi uǎn uǎng uǐ uǒ vè w x y z zh à ài àn "
    "àng ào á ái án áng áo è èi èn èng èr é éi én éng ér ì ìn ìng í ín íng ò òng òu ó óng óu ù ùn ú ún ā āi ān āng āo "
    "ē ēi ēn ēng ě ěi ěn ěng ěr ī īn īng ō ōng ōu ū ūn ǎ ǎi ǎn ǎng ǎo ǐ ǐn ǐng ǒ ǒng ǒu ǔ ǔn ǘ ǚ ǜ"
).split()


def _bracketed(names: list[str]) -> list[str]:
    return [f"[{name}]" for name in names]


def _phones() -> list[str]:
    """A vowel (starred above) stands alone and with each of its stresses."""
    return [
        phone.rstrip("*") + stress
        for phone in _PHONES
        for stress in (["", "0", "1", "2"] if phone[-1] == "*" else [""])
    ]


# Their order gives their ids.
SPECIAL = [*_SYSTEM, *_EVENTS, "<|endofsystem|>", *_bracketed(_phones()), *_bracketed(_PINYIN)]
MARKS = frozenset(SPECIAL) - {*_SYSTEM, "<|endofsystem|>"}

_SPAN = re.compile(r"(</?(?:strong|laughter)>)")
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class TextTokenizer:
    """The tokenizer of a model folder."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError MODEL_BROKEN where the vocabulary cannot be read or numbers its marks otherwise."""
        from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
        from tokenizers.models import BPE

        files = folder / TOKENIZER
        try:
            tokenizer = Tokenizer(BPE.from_file(str(files / "vocab.json"), str(files / "merges.txt")))
        except Exception:  # the library raises bare Exception
            raise broken(folder, "FILE_DAMAGED", file=f"{TOKENIZER}/vocab.json, merges.txt") from None
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in SPECIAL])
        if tokenizer.token_to_id(END_OF_PROMPT) != END_OF_PROMPT_ID:
            raise broken(folder, "FILE_DAMAGED", file=f"{TOKENIZER}/vocab.json")
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """The ids of `text`; marks must already be the model's own."""
        return list(self._tokenizer.encode(text).ids)


def spell(text: str) -> str:
    """`text` with every pronunciation mark as the model's own tokens: "[hao4]" → "[h][ào]".

    Raises UserError UNKNOWN_PRONUNCIATION naming a mark that the model does not have and the nearest it has.
    """
    pieces = _SPAN.split(without_control(text))
    return "".join(piece if piece in MARKS else _spell_piece(piece) for piece in pieces)


def without_control(text: str) -> str:
    """`text` with its control tokens spoilt: none comes from outside."""
    return text.replace("<|", "< |")


def _spell_piece(text: str) -> str:
    return "".join(_spell_run(run) for run in parse(text))


def _spell_run(run: Text | Pinyin | Arpabet | Event) -> str:
    if isinstance(run, Text):
        return run.text
    if isinstance(run, Event):
        return _listed(f"[{run.name}]")
    if isinstance(run, Arpabet):
        return "".join(_listed(f"[{phone}]") for phone in run.phones)
    return "".join(_spell_syllable(one) for one in run.syllables)


def _spell_syllable(syllable: Syllable) -> str:
    final = re.sub("^ü(?=[eèéēě])", "v", syllable.final)
    return "".join(_listed(f"[{part}]") for part in (syllable.initial, final) if part)


def _listed(mark: str) -> str:
    if mark not in MARKS:
        raise UserError("UNKNOWN_PRONUNCIATION", param="text", token=mark, nearest=" ".join(_nearest(mark)))
    return mark


def _nearest(mark: str) -> list[str]:
    """The three marks nearest to `mark`, tone marks counting less than letters."""
    plain = _without_tones(mark)
    ranked = sorted(
        MARKS,
        key=lambda one: (
            -difflib.SequenceMatcher(None, _without_tones(one), plain).ratio(),
            -difflib.SequenceMatcher(None, one, mark).ratio(),
            one,
        ),
    )
    return ranked[:3]


def _without_tones(mark: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", mark) if not unicodedata.combining(letter))
