"""What was found out about a model's weights, kept as JSON: void for other weights and in another format."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

R = TypeVar("R", bound="Report")


@dataclass(frozen=True)
class Report:
    """`revision`: of the weights; `format`: grows when older files no longer fit the code."""

    revision: str
    format: int = field(default=1, kw_only=True)

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=1), "utf-8")

    @classmethod
    def read(cls: type[R], file: Path, revision: str) -> R | None:
        """The report in `file`, where there is one and it is about these weights."""
        try:
            report = cls(**json.loads(file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return report if (report.format, report.revision) == (cls.format, revision) else None
