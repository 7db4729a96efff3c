"""Where the log goes: text on a terminal, JSON lines elsewhere (journal, file), one object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone
from logging.handlers import RotatingFileHandler

from webui.settings import Settings

_FILE_BYTES, _FILES = 20 * 2**20, 5
_TALKATIVE = ("alembic", "uvicorn", "httpx", "numba")  # at INFO they say nothing of use to an administrator
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, message, and what the call gave as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        entry = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in record.__dict__.items() if key not in _STANDARD},
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def log_to(settings: Settings) -> None:
    """Send the log to standard error and, where set, to `log_file` (rotated at 20 MiB, five kept)."""
    screen = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        screen.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    else:
        screen.setFormatter(JsonLines())
    handlers: list[logging.Handler] = [screen]
    if settings.log_file:
        settings.log_file.parent.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(settings.log_file, maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8")
        file.setFormatter(JsonLines())
        handlers.append(file)
    logging.basicConfig(level=settings.log_level, handlers=handlers, force=True)
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)
