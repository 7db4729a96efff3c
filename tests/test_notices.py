"""Notices: a code of errors.toml and what fills its wording, from the code that gives them to the words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from webui.errors import Notice, UserError, codes

SOURCES = sorted((Path(__file__).parents[1] / "webui").rglob("*.py"))
INNER = {"CANNOT_OPEN"}  # the decoder's child to its parent, who words it
NESTED = Notice("MODEL_BROKEN", {"model": "m", "reason": Notice("FILE_MISSING", {"file": "model.pt"})})


def literals() -> Iterator[tuple[str, str | int, str]]:
    """(callable, place or keyword, value): every upper-case literal that is given to something."""
    for source in SOURCES:
        for call in (node for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func).rpartition(".")[2]
            given = [*enumerate(call.args), *((keyword.arg or "", keyword.value) for keyword in call.keywords)]
            for place, value in given:
                if isinstance(value, ast.Constant) and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(value.value)):
                    yield name, place, str(value.value)


def defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    yield from zip(reversed(positional), reversed(arguments.defaults), strict=False)
    yield from ((name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value)


def test_no_code_is_misspelt() -> None:
    found = set(literals())
    taking = {(name, place) for name, place, value in found if value in codes()}
    assert {("Notice", 0), ("UserError", 0), ("EngineError", 0)} <= taking
    assert {value for name, place, value in found if (name, place) in taking} - codes() <= INNER


def test_no_code_is_without_use() -> None:
    used = {
        node.value
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Constant)
    }
    assert codes() - used == set()


def test_nobody_reads_in_a_locale_that_was_forgotten() -> None:
    """No signature of the program gives `locale` a default."""
    given = [
        (source.name, function.name, argument.arg)
        for source in SOURCES
        for function in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for argument, default in defaults(function.args)
        if argument.arg == "locale" or (argument.arg == "language" and ast.unparse(default) == "'zh'")
    ]
    assert given == []


def test_what_is_stored_comes_back_as_it_was() -> None:
    stored = {
        "code": "MODEL_BROKEN",
        "params": {"model": "m", "reason": {"code": "FILE_MISSING", "params": {"file": "model.pt"}}},
    }
    assert NESTED.stored() == stored
    assert Notice.from_stored(stored) == NESTED
    assert Notice.from_stored({"code": "KIND_SPEAK"}) == Notice("KIND_SPEAK")


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_a_notice_within_another_reads_as_its_message(locale: str) -> None:
    inner = Notice("FILE_MISSING", {"file": "model.pt"}).worded(locale).message
    assert inner in NESTED.worded(locale).message


def test_an_error_and_its_notice_are_the_same_thing() -> None:
    error = NESTED.as_error(param="model")
    assert (error.code, error.param, error.notice) == ("MODEL_BROKEN", "model", NESTED)
    assert UserError("FORBIDDEN_HOST").notice == Notice("FORBIDDEN_HOST")
