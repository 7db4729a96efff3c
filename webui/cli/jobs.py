"""`transcribe` and `speak`: submit to the queue of the data folder and follow until the jobs end."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from webui.audio.formats import AUDIO_FORMATS
from webui.cli.common import (
    DONE,
    FAILED,
    PARTLY_DONE,
    WrongUsage,
    complain,
    private_files,
    sentence,
    settings_of,
    umask,
)
from webui.cli.running import opened
from webui.cli.texts import help_text, say
from webui.errors import Notice, UserError
from webui.jobs.params import Consent, SpeakParams, TranscribeParams
from webui.service.validation import checked
from webui.settings import Settings, terminal_locale
from webui.store import states
from webui.text.formats import TRANSCRIPT_FORMATS

if TYPE_CHECKING:
    from webui.service.services import Services
    from webui.store.rows import JobRow

_LOOK_S = 1.0
_BY_ENDING = {ending: name for name, row in AUDIO_FORMATS.items() for ending in row.endings}
_FORMATS_HELP = help_text("formats").format(names=", ".join(TRANSCRIPT_FORMATS))


def transcribe(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help=help_text("file"))],
    out: Annotated[Path | None, typer.Option(help=help_text("out"))] = None,
    formats: Annotated[list[str], typer.Option("--format", "-f", help=_FORMATS_HELP)] = ["txt"],  # noqa: B006
    model: Annotated[str, typer.Option(help=help_text("model"))] = "auto",
    language: Annotated[str, typer.Option(help=help_text("language"))] = "auto",
    hotwords: Annotated[str, typer.Option(help=help_text("hotwords"))] = "",
    itn: Annotated[bool, typer.Option(help=help_text("itn"))] = True,
    diarize: Annotated[bool, typer.Option(help=help_text("diarize"))] = False,
    channels: Annotated[str, typer.Option(help=help_text("channels"))] = "mix",
) -> int:
    _check_files(files)
    _check_one_of("--format", formats, list(TRANSCRIPT_FORMATS))
    settings = settings_of(context)
    given = {
        "model": model,
        "device": settings.device,
        "language": language,
        "hotwords": _hotwords(hotwords),
        "itn": itn,
        "diarize": diarize,
        "channels": channels,
    }
    params = checked(TranscribeParams, given)
    with private_files() as usual, opened(settings, workers=True) as services:
        owner = services.accounts.local_owner()
        submitted = [_submit_recording(services, owner, settings, file, params) for file in files]
        jobs = _follow(services, owner, [job for found, _ in submitted for job in found])
        taken: set[Path] = set()
        for file, (found, _) in zip(files, submitted, strict=True):
            for job in found:
                if jobs[job.uid].state in states.RESULT_STATES:
                    target = _free((out or file.parent) / _stem(file, job), taken)
                    with umask(usual):
                        _write_results(services, owner, job.uid, target, formats)
    return _outcome(jobs.values(), refused=sum(refused for _, refused in submitted))


def speak(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help=help_text("text"))],
    out: Annotated[Path | None, typer.Option("--out", "-o", help=help_text("speech_out"))] = None,
    voice: Annotated[str | None, typer.Option(help=help_text("voice"))] = None,
    prompt: Annotated[Path | None, typer.Option(help=help_text("prompt"))] = None,
    transcript: Annotated[str, typer.Option(help=help_text("transcript"))] = "",
    consent: Annotated[str | None, typer.Option(help=help_text("consent"))] = None,
    subject: Annotated[str | None, typer.Option(help=help_text("subject"))] = None,
    model: Annotated[str, typer.Option(help=help_text("model"))] = "auto",
    language: Annotated[str, typer.Option(help=help_text("language"))] = "auto",
    instruct: Annotated[str, typer.Option(help=help_text("instruct"))] = "",
    seed: Annotated[int, typer.Option(help=help_text("seed"))] = 0,
    steps: Annotated[int, typer.Option(help=help_text("steps"))] = 10,
    speed: Annotated[float, typer.Option(help=help_text("speed"))] = 1.0,
    file_format: Annotated[str | None, typer.Option("--format", "-f", help=help_text("speech_format"))] = None,
) -> int:
    if voice is None and not (prompt and consent and subject):
        raise WrongUsage(say("need_voice"))
    _check_files([prompt] if prompt else [])
    settings = settings_of(context)
    file_format = file_format or _BY_ENDING.get(
        out.suffix.lower() if out else "", SpeakParams.model_fields["format"].default
    )
    given = {
        "text": sys.stdin.read() if text == "-" else text,
        "model": model,
        "device": settings.device,
        "voice": voice,
        "language": language,
        "transcript": transcript,
        "instruct": instruct,
        "seed": seed,
        "steps": steps,
        "speed": speed,
        "format": file_format,
    }
    params = checked(SpeakParams, given)
    permission = checked(Consent, {"basis": consent, "subject": subject}) if prompt else None
    with private_files() as usual, opened(settings, workers=True) as services:
        owner = services.accounts.local_owner()
        job = _submit_speech(services, owner, settings, params, prompt, permission)
        jobs = _follow(services, owner, [job])
        if jobs[job.uid].state in states.RESULT_STATES:
            with umask(usual):
                _copy_audio(services, owner, job.uid, out or Path(f"speech.{file_format}"))
    return _outcome(jobs.values())


def _submit_recording(
    services: Services, owner: int, settings: Settings, file: Path, params: TranscribeParams
) -> tuple[list[JobRow], int]:
    """The job of one recording, or those of the files in a ZIP, and how many files were refused: the others go on."""
    from webui.service.uploads import copy_in

    try:
        recording = copy_in(file, settings)
        submitted = services.jobs.submit_transcribe(owner, [recording], params)
    except UserError as error:
        if error.param or error.code.startswith("MODEL"):
            raise
        complain(say("failed", name=file.name, message=sentence(error)))
        return [], 1
    for left_out in submitted.refused:
        complain(say("failed", name=left_out.name, message=sentence(left_out.error.as_error())))
    return [job.row for job in submitted.jobs], len(submitted.refused)


def _submit_speech(
    services: Services,
    owner: int,
    settings: Settings,
    params: SpeakParams,
    prompt: Path | None,
    consent: Consent | None,
) -> JobRow:
    from webui.service.uploads import copy_in

    upload = copy_in(prompt, settings) if prompt else None
    return services.jobs.submit_speak(owner, params, upload, consent).jobs[0].row


def _follow(services: Services, owner: int, jobs: Sequence[JobRow]) -> dict[str, JobRow]:
    """Wait for the jobs, showing progress on a terminal; Ctrl+C cancels them."""
    ended: dict[str, JobRow] = {}
    try:
        for job in jobs:
            ended[job.uid] = _wait(services, owner, job)
    except KeyboardInterrupt:
        for job in jobs:
            if job.uid not in ended:
                services.jobs.cancel(owner, job.uid)
        raise
    return ended


def _wait(services: Services, owner: int, job: JobRow) -> JobRow:
    while not job.finished_at:
        if services.hung:
            raise UserError("DEVICE_HUNG", device=", ".join(services.host.placement.lost()))
        job = services.jobs.wait(owner, job.uid, _LOOK_S)
        _show_progress(job)
    if sys.stderr.isatty():
        complain("")
    for warning in job.warnings:
        complain(f"{job.file_name or job.uid[:8]}: {_message(warning)}")
    if job.error:
        complain(say("failed", name=job.file_name or job.uid[:8], message=_message(job.error)))
    return job


def _message(notice: Notice) -> str:
    from webui.server.present import message

    return message(notice, terminal_locale()).message


def _show_progress(job: JobRow) -> None:
    if sys.stderr.isatty():
        line = say("working", name=job.file_name or job.uid[:8], percent=round(job.progress * 100))
        print(f"\r{line}", end="", file=sys.stderr, flush=True)


def _stem(file: Path, job: JobRow) -> str:
    """What a job's results are called: as the file given, or as its recording inside the ZIP given."""
    return file.stem if file.suffix == Path(job.file_name).suffix else Path(job.file_name).stem


def _free(target: Path, taken: set[Path]) -> Path:
    """`target`, or `target (2)` … where another recording of this call has that name."""
    free, number = target, 1
    while free in taken:
        number += 1
        free = target.with_name(f"{target.name} ({number})")
    taken.add(free)
    return free


def _write_results(services: Services, owner: int, uid: str, name: Path, formats: Iterable[str]) -> None:
    """One file per format, `name` with the format behind it."""
    from webui.server.results import write_result

    name.parent.mkdir(parents=True, exist_ok=True)
    ended = services.jobs.ended_segments(owner, uid)
    for file_format in formats:
        target = name.with_name(f"{name.name}.{file_format}")
        target.write_bytes(write_result(ended, file_format, terminal_locale()).content)
        typer.echo(say("written", file=target))


def _copy_audio(services: Services, owner: int, uid: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(services.jobs.audio(owner, uid).path, target)
    typer.echo(say("written", file=target))


def _outcome(jobs: Iterable[JobRow], refused: int = 0) -> int:
    ended = [job.state for job in jobs]
    if not refused and all(state == states.DONE for state in ended):
        return DONE
    return PARTLY_DONE if any(state in states.RESULT_STATES for state in ended) else FAILED


def _hotwords(given: str) -> list[str]:
    """The lines of a file, or the words between commas."""
    if given and Path(given).is_file():
        return Path(given).read_text(encoding="utf-8-sig").splitlines()
    return [word.strip() for word in given.replace("，", ",").split(",") if word.strip()]


def _check_files(files: Sequence[Path]) -> None:
    for file in files:
        if not file.is_file():
            raise WrongUsage(say("no_such_file", file=file))


def _check_one_of(option: str, given: Iterable[str], known: Sequence[str]) -> None:
    for value in given:
        if value not in known:
            raise WrongUsage(say("one_of", option=option, known=", ".join(known)))
