"""Who speaks in a recording of one channel: voice embeddings of all its segments, clustered when they are all there."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping

import numpy as np

from webui.audio.speaker_clusters import Embedding, cluster
from webui.audio.working_copy import WorkingCopy
from webui.engines import catalog
from webui.engines.base import EmbedderModel, Waveform
from webui.jobs.context import Context, Worker
from webui.jobs.prepare import WORKING_COPY
from webui.store.rows import Claim, SegmentRow
from webui.store.states import DONE

_AT_ONCE = 32  # segments between two looks at who is next
_KEPT = "voices.npz"  # embeddings taken so far, beside the working copy


class SpeakerStep:
    """One worker's turn at telling the speakers of a job apart. Embeddings are kept over turns; hours of them fit."""

    def __init__(self, context: Context, claim: Claim) -> None:
        self._context = context
        self._claim = claim
        self._copy = WorkingCopy(context.upload(claim.job, WORKING_COPY))
        self._kept = context.upload(claim.job, _KEPT)
        self._embeddings: dict[int, Embedding | None] = {}  # None: too short to tell a voice

    def run(self, worker: Worker) -> Mapping[int, str] | None:
        """Segment → speaker, "1", "2" … in order of appearance; None where it is someone else's turn first.

        Empty where no model for it is present. Raises LeaseLost, Cancelled, UserError, EngineError.
        """
        model = catalog.best(self._context.models(), EmbedderModel)
        rows = self._context.jobs.segments(self._claim.lease.owner_id, self._claim.lease.uid)
        done = [row for row in rows if row.state == DONE]
        if model is None or not done:
            return {}
        self._restore()
        missing = [row for row in done if row.idx not in self._embeddings]
        for at in range(0, len(missing), _AT_ONCE):
            self._context.queue.progress(self._claim.lease, 1.0)  # raises where it was cancelled
            if at and self._context.hand_over(self._claim, worker):
                self._save()
                return None
            with self._context.host.use(model, "cpu") as embedder:
                for row in missing[at : at + _AT_ONCE]:
                    self._embeddings[row.idx] = embedder.embed(self._waveform(row))
        self._kept.unlink(missing_ok=True)
        numbers = cluster([self._embeddings[row.idx] for row in done])
        return {row.idx: str(number + 1) for row, number in zip(done, numbers, strict=True)}

    def _waveform(self, row: SegmentRow) -> Waveform:
        return Waveform(self._copy.read(row.start, row.end, row.channel), self._copy.rate)

    def _save(self) -> None:
        """Two arrays however many there are: ten hours have 15 000 embeddings, and turns end every few seconds."""
        known = {idx: vector for idx, vector in self._embeddings.items() if vector is not None}
        embeddings = np.stack(list(known.values())) if known else np.zeros((0, 0), np.float32)
        with self._kept.open("wb") as file:
            np.savez(
                file,
                known=np.array(list(known), int),
                embeddings=embeddings,
                looked_at=np.array(list(self._embeddings), int),
            )

    def _restore(self) -> None:
        try:
            with self._kept.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                self._embeddings = dict.fromkeys(kept["looked_at"].tolist())
                self._embeddings |= dict(zip(kept["known"].tolist(), kept["embeddings"], strict=True))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):  # none yet, or torn by a crash
            self._embeddings = {}
