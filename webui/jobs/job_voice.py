"""The voice of a job: whether it may speak now, and what the engine keeps of it."""

from __future__ import annotations

from webui.engines.base import Synthesizer, SynthesizerModel, VoiceFeatures
from webui.errors import UserError
from webui.jobs.context import Context
from webui.jobs.publish import drop_segment_files
from webui.jobs.transcripts import read_prompt
from webui.store.rows import Claim, VoiceRow


def usable_voice(context: Context, claim: Claim, wanted: str) -> VoiceRow | None:
    """The voice of the job, which asked for `wanted`; None for `builtin`.

    It may have been deleted, its consent withdrawn or expired since the submission: what was spoken already goes then.
    Raises UserError VOICE_NOT_FOUND, CONSENT_EXPIRED, and LeaseLost.
    """
    job = claim.job
    if job.voice_id is None:
        if wanted != "builtin":
            raise UserError("VOICE_NOT_FOUND", voice=wanted)
        return None
    voice = context.voices.get(job.voice_id)
    if voice is not None and context.voices.usable(voice.id):
        return voice
    context.queue.forget_work(claim.lease, action="job.consent_lost")
    drop_segment_files(context, job)
    raise UserError("CONSENT_EXPIRED" if voice else "VOICE_NOT_FOUND", voice=wanted)


class EnrolledVoice:
    """A voice on one model, enrolled when it first speaks."""

    def __init__(self, context: Context, claim: Claim, model: SynthesizerModel, voice: VoiceRow) -> None:
        self._context = context
        self._claim = claim
        self._model = model
        self._voice = voice
        self._features: VoiceFeatures | None = None

    def require(self) -> None:
        """Before every sentence, and before they are joined. Raises what `usable_voice` raises."""
        usable_voice(self._context, self._claim, self._voice.name)

    def features(self, synthesizer: Synthesizer) -> VoiceFeatures:
        """What the engine keeps of the voice, for one sentence: from the store, else enrolled now and stored.

        Raises what `require` raises, and UserError (PROMPT_…, MISSING_INPUT) where the prompt is of no use.
        """
        self.require()
        if self._features is None:
            self._features = self._stored() or self._enrolled(synthesizer)
        return self._features

    def _stored(self) -> VoiceFeatures | None:
        kept = self._context.voices.features(self._voice.id, self._model.engine, self._model.revision)
        return None if kept is None else VoiceFeatures.from_bytes(kept)

    def _enrolled(self, synthesizer: Synthesizer) -> VoiceFeatures:
        features = synthesizer.enrol(read_prompt(self._context, self._voice), self._voice.transcript)
        self._context.voices.keep_features(
            self._voice.id, self._model.engine, self._model.revision, features.to_bytes()
        )
        return features
