"""Generated files leave the house only as they were when their label was checked."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path

from webui.disk import sha256
from webui.errors import UserError
from webui.store.rows import ArtifactRow

log = logging.getLogger(__name__)

REMEMBERED = 1000  # files


class LabelIntegrity:
    """Compares a file with the SHA-256 that was stored when it was labelled; unchanged files are not read again."""

    def __init__(self) -> None:
        self._known: OrderedDict[Path, tuple[int, int]] = OrderedDict()

    def check(self, path: Path, artifact: ArtifactRow) -> None:
        """Raises LABEL_MISSING for a file that was changed, or never labelled; OSError where it is gone."""
        status = path.stat()
        state = (status.st_mtime_ns, status.st_size)
        if self._known.get(path) == state:
            return
        if not artifact.produce_id or artifact.sha256 != sha256(path):
            log.warning("%s is not the file whose label was checked", path.name)
            raise UserError("LABEL_MISSING")
        self._known[path] = state
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
