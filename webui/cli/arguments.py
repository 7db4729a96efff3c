"""The options that every command takes, given before or after its name, and `serve` where no command is named."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

COMMON = ("--data", "--models", "--config", "--device", "--history-db", "--model-path", "--log-level")
HELP = ("--help", "-h")


def arrange(arguments: Sequence[str], commands: Collection[str]) -> list[str]:
    """The same arguments with the common options first, then the command, then what is the command's own.

    Without a command `serve` is meant, unless the first word looks like one: a mistyped command is an error.
    What follows `--` stays where it is.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    common, rest = _take_common(iter(arguments[:end]))
    if len(common) == 1 and "=" not in common[0]:
        return common
    named = bool(rest) and (rest[0] in commands or rest[0] in HELP or not rest[0].startswith("-"))
    return [*common, *([] if named else ["serve"]), *rest, *arguments[end:]]


def _take_common(arguments: Iterator[str]) -> tuple[list[str], list[str]]:
    common: list[str] = []
    rest: list[str] = []
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if name not in COMMON:
            rest.append(argument)
        elif equals:
            common.append(argument)
        else:
            value = next(arguments, None)
            if value is None:
                return [argument], []  # the parser says what is missing
            common += [argument, value]
    return common, rest
