"""What the kinds of jobs do differently: an object each. Who wants to know asks it, and compares no names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from webui.jobs import convert, speak, transcribe
from webui.jobs.context import Context, TypedClaim, Worker
from webui.jobs.params import ConvertParams, P, StoredSpeakParams, TranscribeParams
from webui.store.rows import Claim
from webui.store.states import CONVERT, SPEAK, TRANSCRIBE, JobKind

Result = Literal["text", "file"]  # the words of a recording, or what was generated


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    `plan`: the first stage, from the input to all segments; raises LeaseLost, Cancelled, Interrupted, UserError.
    `work`: the second, a worker's turn: until the job is finished, or someone else's turn, or the program ends;
    raises LeaseLost, Cancelled, UserError, EngineError. `result`: what the kind is for.
    """

    plan: Callable[[Context, Claim], None]
    work: Callable[[Context, Claim, Worker], None]
    result: Result

    @classmethod
    def of(
        cls,
        params: type[P],
        plan: Callable[[Context, TypedClaim[P]], None],
        work: Callable[[Context, TypedClaim[P], Worker], None],
        result: Result,
    ) -> Kind:
        """With stages that take the stored parameters as `params`; JOB_PARAMS ends a job whose row has others."""

        def read_and_plan(context: Context, claim: Claim) -> None:
            plan(context, TypedClaim.of(claim, params))

        def read_and_work(context: Context, claim: Claim, worker: Worker) -> None:
            work(context, TypedClaim.of(claim, params), worker)

        return cls(read_and_plan, read_and_work, result)

    @property
    def played(self) -> str:
        """The role of the file to play: what was generated, else the recording."""
        return "output" if self.result == "file" else "playable"


KINDS: Final[Mapping[JobKind, Kind]] = {
    TRANSCRIBE: Kind.of(TranscribeParams, transcribe.plan, transcribe.transcribe, "text"),
    SPEAK: Kind.of(StoredSpeakParams, speak.plan, speak.speak, "file"),
    CONVERT: Kind.of(ConvertParams, convert.plan, convert.convert, "file"),
}
