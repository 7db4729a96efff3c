"""ct-punc: punctuation for models that write none."""

from __future__ import annotations

import contextlib
import logging
import re
from pathlib import Path

from webui.devices import load_torch
from webui.engines.funasr import transcript
from webui.engines.funasr.folder import Folder
from webui.engines.funasr.import_guard import load_tables
from webui.engines.funasr.loading import LoadedModel, build

_MARKS = re.compile(r"[\s，。？！、；：,.?!;:]+")
_WIDE = {",": "，", "?": "？"}  # in some releases narrow, and then FunASR sets them between Chinese characters


class Punctuator(LoadedModel):
    """Adds marks and nothing else; where the model changes a word, the text stays as it was.

    `cache`: a folder that nobody else writes to.
    """

    def __init__(self, folder: Folder, cache: Path, device: str = "cpu") -> None:
        _keep_dictionary_in(cache / "jieba")
        built = build(folder, device)
        built.model.punc_list = [_WIDE.get(mark, mark) for mark in built.model.punc_list]
        super().__init__(built)

    def punctuate(self, text: str) -> str:
        """`text` with punctuation."""
        if not _MARKS.sub("", text) or "://" in text:  # FunASR would fetch what looks like a URL
            return text
        built = self.built
        with self._lock, load_torch().inference_mode():
            answer, _ = built.model.inference([text], key=["0"], tokenizer=built.tokenizer, device=built.device)
        marked = transcript.tidy(str(answer[0].get("text", "")))
        return marked if _letters(marked) == _letters(text) else text


def _keep_dictionary_in(folder: Path) -> None:
    """jieba reads what it kept with `marshal`, from the system's temporary folder, where anybody may have put it."""
    load_tables(())
    import jieba

    jieba.setLogLevel(logging.WARNING)  # it has a handler of its own on the standard error

    with contextlib.suppress(OSError):  # a full disk: the dictionary is made anew
        folder.mkdir(parents=True, exist_ok=True)
    jieba.dt.tmp_dir = str(folder)


def _letters(text: str) -> str:
    return _MARKS.sub("", text).lower()
