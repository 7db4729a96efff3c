"""The state of the whole: versions, disk, queue, readiness, memory."""

from __future__ import annotations

import platform
import shutil
import threading
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DatabaseError

from webui import __version__
from webui.audio.formats import AUDIO_FORMATS
from webui.disk import ROOM_TO_WORK, free_bytes, worded
from webui.engines.base import RecognizerModel
from webui.errors import Notice, UserError
from webui.hosting.host import ModelHost
from webui.jobs.kinds import KINDS
from webui.service.device_table import DeviceStatus, device_table
from webui.service.models import ModelService
from webui.settings import Settings
from webui.store.database import Database, database_gone
from webui.store.jobs import JobStore
from webui.store.states import JOB_KINDS, JOB_STATES, OPEN_STATES, RESULT_STATES, RETRYABLE_STATES
from webui.text.formats import TRANSCRIPT_FORMATS

if TYPE_CHECKING:
    from webui.jobs.runner import JobRunner

_LIBRARIES = ("torch", "funasr", "gradio", "onnxruntime", "av", "torch-npu")


@dataclass(frozen=True)
class Readiness:
    """`problems`: why not; empty = ready."""

    problems: tuple[Notice, ...]

    @property
    def ready(self) -> bool:
        return not self.problems


class SystemService:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: JobStore,
        models: ModelService,
        host: ModelHost,
        stopping: threading.Event,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._models = models
        self._host = host
        self.runner: JobRunner | None = None
        self._stopping = stopping

    def overview(self) -> dict[str, Any]:
        """What the System tab shows beside the problems of `readiness`."""
        usage = shutil.disk_usage(self._settings.data)
        return {
            "version": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(terse=True),
            "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
            "disk": {"total": usage.total, "free": usage.free, "reserve": self._settings.disk_reserve_bytes},
            "queue": self.queue(),
            "workers": [asdict(activity) for activity in self.runner.activity()] if self.runner else [],
            "open_mode": True,
            "jobs": {
                "kinds": JOB_KINDS,
                "results": {kind: each.result for kind, each in KINDS.items()},
                "states": JOB_STATES,
                "open_states": OPEN_STATES,
                "result_states": RESULT_STATES,
                "retryable_states": RETRYABLE_STATES,
            },
            "formats": {"transcript": list(TRANSCRIPT_FORMATS), "speech": list(AUDIO_FORMATS)},
            "label": {
                "producer_code": bool(self._settings.producer_code),
                "position": self._settings.label_position,
            },
            "limits": {
                "upload_bytes": self._settings.max_upload_bytes,
                "audio_hours": self._settings.max_audio_hours,
                "queued_jobs": self._settings.max_queued_jobs,
            },
        }

    def devices(self) -> list[DeviceStatus]:
        """Every device with why it cannot be used, where it cannot, and what was found out about models on it."""
        return device_table(self._host, self._models.available())

    def queue(self) -> dict[str, int]:
        return dict.fromkeys(OPEN_STATES, 0) | self._store.counts()

    def free_disk(self) -> int:
        """Bytes."""
        return free_bytes(self._settings.data)

    def free_memory(self) -> dict[str, Any]:
        """Unload every model that is not at work."""
        freed = self._host.free()
        return {"unloaded": list(freed.unloaded), "freed_bytes": freed.bytes}

    def readiness(self) -> Readiness:
        """Database there and writable, disk above its reserve, a default recognizer usable, and not ending."""
        problems: list[Notice] = []
        if self._stopping.is_set():
            problems.append(Notice("UNAVAILABLE", {"reason": Notice("STOPPING")}))
        problems += self._database_problems()
        if (free := self._too_little_room()) is not None:
            problems.append(Notice("DISK_FULL", {"free": worded(free)}))
        if self._models.default_name(RecognizerModel) is None:
            problems.append(Notice("UNAVAILABLE", {"reason": Notice("NO_MODEL")}))
        return Readiness(tuple(problems))

    def _database_problems(self) -> list[Notice]:
        if not self._database.in_place():
            return [database_gone(self._database.path)]
        try:
            with self._database.brief().write():
                return []
        except (DatabaseError, UserError):
            return [Notice("UNAVAILABLE", {"reason": Notice("DATABASE_LOCKED")})]

    def _too_little_room(self) -> int | None:
        """The bytes free where uploads are refused or jobs wait for room, on the data's disk or the database's."""
        settings = self._settings
        least = {settings.data: max(settings.disk_reserve_bytes, ROOM_TO_WORK), settings.database: ROOM_TO_WORK}
        short = (free for path, needed in least.items() if (free := free_bytes(path)) < needed)
        return next(short, None)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
