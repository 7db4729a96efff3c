"""Each product fact has one home; the other modules read it there."""

from __future__ import annotations

import ast
from pathlib import Path

from webui.audio.formats import AUDIO_FORMATS
from webui.store import states
from webui.text.formats import TRANSCRIPT_FORMATS

WEBUI = Path(__file__).parent.parent / "webui"


def literals(path: Path) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


WRITTEN = {path.relative_to(WEBUI).as_posix(): literals(path) for path in WEBUI.rglob("*.py")}
FACTS = {*states.JOB_KINDS, *states.JOB_STATES, *states.SEGMENT_STATES}
OTHER_MEANINGS = {  # the same words for something else
    "cli/application.py": {"transcribe", "speak"},  # commands
    "cli/jobs.py": {"failed"},  # a text
    "devices/driver_probe.py": {"done"},  # a step of the child
    "engines/base.py": {"convert"},  # what an engine may lack
    "engines/basic/espeak.py": {"speak"},  # a request to the child
    "engines/basic/espeak_worker.py": {"speak"},
    "engines/cosyvoice/prompts.py": {"convert"},  # a mode of the model
    "engines/cosyvoice/reference_api.py": {"convert"},
    "jobs/transcribe.py": {"transcribe"},  # a role of the model
    "pages/clone.py": {"speak", "convert"},  # a script, a choice
    "pages/layout.py": {"transcribe"},  # a tab
    "pages/transcribe.py": {"transcribe"},
    "server/openai.py": {"transcribe"},  # OpenAI's name of a task
    "service/models.py": {"running", "done", "failed"},  # of a download
    "service/optimising.py": {"running", "done", "failed"},
}


def test_kinds_and_states_of_jobs_are_written_in_one_module() -> None:
    written = {name: words & FACTS - OTHER_MEANINGS.get(name, set()) for name, words in WRITTEN.items()}
    assert {name for name, words in written.items() if words} == {"store/states.py"}


def test_the_formats_of_transcripts_are_listed_in_one_module() -> None:
    lists = {name for name, words in WRITTEN.items() if len(words & set(TRANSCRIPT_FORMATS)) > 1}
    openai_s, of_the_history = "server/openai.py", "cli/admin.py"
    assert lists == {"text/formats.py", openai_s, of_the_history}


def test_the_formats_of_speech_are_listed_in_one_module() -> None:
    lists = {name for name, words in WRITTEN.items() if len(words & set(AUDIO_FORMATS)) > 1}
    codecs, demuxers, two_defaults = "audio/encode.py", "audio/decoder_child.py", "server/openai.py"
    assert lists == {"audio/formats.py", codecs, demuxers, two_defaults}
