"""Whole jobs through the runner, with the fake engine and everything else real."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks import fake_engine
from tests.film_kit import film
from tests.jobs_kit import RATE, Store, open_store, upload
from webui.audio.aigc_label.label import read_metadata
from webui.audio.intake import Decoder
from webui.audio.resampling import resample
from webui.audio.working_copy import WorkingCopy, WorkingCopyWriter
from webui.engines.base import EngineError, Model, Recognition, RecognizerCapabilities, RecognizerModel, Waveform
from webui.engines.basic.espeak import Espeak
from webui.errors import Notice
from webui.hosting.host import ModelHost
from webui.jobs import runner
from webui.jobs.changes import ChangeFeed
from webui.jobs.context import Context
from webui.jobs.kinds import KINDS
from webui.jobs.recovery import AlreadyRunning, lock_holder
from webui.jobs.runner import JobRunner
from webui.settings import Settings
from webui.store.jobs import new_uid
from webui.store.rows import ArtifactRow, JobRow, NewConsent, NewVoice
from webui.store.states import TRANSCRIBE


@dataclasses.dataclass
class RunnerKit:
    """A running program without server and pages."""

    settings: Settings
    store: Store
    feed: ChangeFeed
    runner: JobRunner

    def submit(self, samples: np.ndarray | None = None, **values: Any) -> JobRow:
        if samples is not None:
            values["uid"], values["input"] = upload(self.settings, samples)
        return self.store.submit(file_name="会议.wav", **values)

    def until(self, job: JobRow, reached: Callable[[JobRow], bool] | None = None) -> JobRow:
        """The job when it has ended, or is as wanted."""
        since, deadline = 0, time.monotonic() + 60
        while time.monotonic() < deadline:
            now = self.store.jobs.get(None, job.uid)
            if (reached or (lambda row: row.final))(now):
                return now
            since = self.feed.wait(job.owner_id, since, 1).now
        raise AssertionError(f"{now.state} {now.stage} {now.error}")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"engines": ("benchmarks.fake_engine",)})


@pytest.fixture
def stopped(settings: Settings) -> Iterator[RunnerKit]:
    """The house before its workers start."""
    store = open_store(settings.database)
    feed = ChangeFeed(store.database)
    feed.start()
    decoder = Decoder(settings)
    runner = JobRunner(Context.build(settings, store.database, ModelHost(settings), decoder), feed)
    yield RunnerKit(settings, store, feed, runner)
    runner.stop()
    decoder.close()
    feed.stop()


@pytest.fixture
def house(stopped: RunnerKit) -> RunnerKit:
    stopped.runner.start()
    return stopped


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Three sentences with pauses, spoken by espeak-ng, 16 kHz."""
    espeak = Espeak()
    pause = np.zeros(RATE, np.float32)
    pieces = [pause]
    for sentence in ("今天的会议现在开始。", "请各部门汇报工作。", "谢谢大家，再见。"):
        spoken = espeak.speak(sentence, "cmn", 160)
        pieces += [resample(spoken.samples, spoken.rate, RATE), pause]
    espeak.close()
    return np.concatenate(pieces)


def fakes(house: RunnerKit, monkeypatch: pytest.MonkeyPatch, *models: Model) -> None:
    """Let the runner see these models only."""
    context = dataclasses.replace(house.runner.context, models=lambda: list(models))
    monkeypatch.setattr(house.runner, "context", context)


def recognizer(recognize: Callable[[list[Waveform]], list[Recognition]], **capabilities: Any) -> RecognizerModel:
    class Fake:
        def recognize(self, batch: list[Waveform], options: object) -> list[Recognition]:
            return recognize(batch)

        def close(self) -> None: ...

    return RecognizerModel("fake", "fake", "1", RecognizerCapabilities(**capabilities), lambda device: Fake())


def test_a_recording_becomes_text_with_times(house: RunnerKit, speech: np.ndarray) -> None:
    job = house.until(house.submit(speech))
    rows = house.store.jobs.segments(None, job.uid)
    assert (job.state, job.error, job.progress, job.devices) == ("done", None, 1, {"transcribe": "cpu"})
    assert job.seg_total == job.seg_done == len(rows) >= 2
    assert abs((job.duration_ms or 0) - len(speech) * 1000 / RATE) <= 1
    copy = WorkingCopy(house.settings.data / house.store.jobs.artifacts(None, job.uid, "playable")[0].path)
    for row in rows:
        raw = fake_engine.heard(Waveform(copy.read(row.start, row.end), RATE))
        assert row.text_raw == raw and row.text != raw and any(map(str.isdigit, row.text)), "our ITN writes digits"
        assert row.words[0].start == row.start and row.words[-1].end == pytest.approx(row.end, abs=0.002)
        assert "".join(word.text for word in row.words) == row.text
    assert job.text == "".join(row.text for row in rows)


def submit_film(house: RunnerKit, *tracks: Any, picture: float = 0.0, **values: Any) -> JobRow:
    uid = new_uid()
    (house.settings.uploads / uid).mkdir(parents=True)
    film(house.settings.uploads / uid / "original.mkv", "aac", *tracks, picture=picture)
    return house.submit(uid=uid, input=ArtifactRow("input", f"uploads/{uid}/original.mkv"), **values)


def test_late_sound_has_the_time_of_its_film_in_the_segments_and_in_what_is_played(
    house: RunnerKit, speech: np.ndarray
) -> None:
    job = house.until(submit_film(house, [(5, speech), (20, speech)], picture=30))
    rows = house.store.jobs.segments(None, job.uid)
    session = house.runner.context.detector.session()
    alone = [span.start for span in session.feed((speech * 32767).astype(np.int16)) + session.finish()]
    assert [row.start for row in rows] == pytest.approx([late + start for late in (5, 20) for start in alone], abs=0.1)
    copy = WorkingCopy(house.settings.data / house.store.jobs.artifacts(None, job.uid, "playable")[0].path)
    assert not copy.read(0, 4.9).any() and copy.seconds == pytest.approx(20 + len(speech) / RATE, abs=0.1)
    assert job.warnings == []


def test_channels_are_kept_apart_and_in_time_order(house: RunnerKit, speech: np.ndarray) -> None:
    second = np.roll(speech, RATE // 2)
    stereo = np.stack([speech, second], axis=1)
    job = house.until(house.submit(stereo, params={"language": "zh", "channels": "split"}))
    rows = house.store.jobs.segments(None, job.uid)
    assert {row.channel for row in rows} == {0, 1}
    assert [row.start for row in rows] == sorted(row.start for row in rows)


def test_silence_is_done_and_says_so(house: RunnerKit) -> None:
    job = house.until(house.submit(np.zeros(3 * RATE, np.float32)))
    assert (job.state, job.text, [warning.code for warning in job.warnings]) == ("done", "", ["NO_SPEECH"])


def whisper(speech: np.ndarray) -> np.ndarray:
    """Fifty decibels down, in the noise of a cheap microphone."""
    hiss = np.random.default_rng(0).standard_normal(len(speech)) * 10 ** (-75 / 20)
    return np.float32(speech * 10 ** (-50 / 20) + hiss)


def test_a_whisper_is_raised_for_the_engines_and_on_the_disk_stays_what_it_is(
    stopped: RunnerKit, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[float] = []

    def recognize(batch: list[Waveform]) -> list[Recognition]:
        heard.extend(float(np.abs(waveform.samples).max()) for waveform in batch)
        return [Recognition("好", "好", "zh") for _ in batch]

    fakes(stopped, monkeypatch, recognizer(recognize))
    stopped.runner.start()
    job = stopped.until(stopped.submit(whisper(speech)))
    rows = stopped.store.jobs.segments(None, job.uid)
    assert [(int(row.start), int(row.end)) for row in rows] == [(1, 3), (4, 7), (8, 10)]
    assert len(heard) == 3 and min(heard) > 0.2
    assert job.warnings == [Notice("RECORDING_QUIET", {"level": pytest.approx(-64, abs=2)})]
    copy = WorkingCopy(stopped.settings.data / stopped.store.jobs.artifacts(None, job.uid, "playable")[0].path)
    assert np.abs(copy.read(0, copy.seconds)).max() < 0.01


def test_a_quiet_speaker_beside_a_loud_one_changes_nothing(house: RunnerKit, speech: np.ndarray) -> None:
    both = np.concatenate([speech, whisper(speech)])
    job = house.until(house.submit(both))
    session = house.runner.context.detector.session()
    spans = session.feed((both * 32767).astype(np.int16)) + session.finish()
    rows = house.store.jobs.segments(None, job.uid)
    assert [row.start for row in rows] == pytest.approx([span.start for span in spans], abs=0.04)
    assert job.warnings == []


def test_of_two_channels_each_is_raised_alone_and_one_without_speech_is_no_warning(
    house: RunnerKit, speech: np.ndarray
) -> None:
    params = {"language": "zh", "channels": "split"}
    aloud, softly = np.append(speech, np.zeros_like(speech)), whisper(np.append(np.zeros_like(speech), speech))
    quiet_side = house.until(house.submit(np.stack([aloud, softly], axis=1), params=params))
    rows = house.store.jobs.segments(None, quiet_side.uid)
    assert [row.channel for row in rows] == [0, 0, 0, 1, 1, 1]
    assert [row.start for row in rows] == sorted(row.start for row in rows)
    assert [warning.code for warning in quiet_side.warnings] == ["RECORDING_QUIET"]
    hiss = whisper(np.zeros_like(speech))
    nobody = house.until(house.submit(np.stack([speech, hiss], axis=1), params=params))
    assert nobody.warnings == []
    alone = house.until(house.submit(hiss))
    assert [warning.code for warning in alone.warnings] == ["NO_SPEECH", "RECORDING_QUIET"]


def test_what_one_side_of_a_call_leaks_into_the_other_is_not_heard_twice(house: RunnerKit, speech: np.ndarray) -> None:
    params = {"language": "zh", "channels": "split"}
    job = house.until(house.submit(np.stack([speech, whisper(speech)], axis=1), params=params))
    assert [row.channel for row in house.store.jobs.segments(None, job.uid)] == [0, 0, 0] and job.warnings == []


def test_what_cannot_be_decoded_fails_with_its_code(house: RunnerKit) -> None:
    uid, recording = upload(house.settings, np.zeros(RATE, np.float32))
    (house.settings.data / recording.path).write_bytes(b"not a recording" * 99)
    job = house.until(house.submit(uid=uid, input=recording))
    assert (job.state, job.error and job.error.code) == ("failed", "NOT_AUDIO")


def test_a_missing_recording_and_a_missing_model_are_named(house: RunnerKit, speech: np.ndarray) -> None:
    gone = house.until(house.submit())
    assert gone.error and gone.error.code == "MISSING_INPUT"
    job = house.until(house.submit(speech, model="absent"))
    assert job.error is not None and job.error.code == "MODEL_NOT_FOUND"
    assert job.error.params["model"] == "absent" and "fake" in job.error.params["present"]


def test_a_language_the_model_lacks_gives_times_and_no_text(
    stopped: RunnerKit, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = recognizer(lambda batch: [Recognition("yes", "yes") for _ in batch], languages=("en",))
    english = replace(english, dependable=False, notice=Notice("BASIC_ENGLISH"))
    fakes(stopped, monkeypatch, english)
    stopped.runner.start()
    job = stopped.until(stopped.submit(speech, params={"language": "zh-CN"}))
    rows = stopped.store.jobs.segments(None, job.uid)
    assert (job.state, job.text, job.error) == (
        "partial",
        "",
        Notice("MODEL_NEEDED", {"language": "zh-CN"}),
    )
    assert rows and all(row.state == "skipped" and row.end > row.start for row in rows)
    english_job = stopped.until(stopped.submit(speech, params={}))
    assert (english_job.state, english_job.language) == ("done", "en")
    assert [warning.code for warning in english_job.warnings] == ["BASIC_ENGLISH"]


def full_disk(monkeypatch: pytest.MonkeyPatch, room: Callable[[], int]) -> None:
    """Preparing finds no room while less than a megabyte is free."""
    monkeypatch.setattr(runner, "TRY_AGAIN_S", 0.05)
    monkeypatch.setattr(runner, "free_bytes", lambda path: room())
    real = KINDS[TRANSCRIBE]

    def plan(context: Any, claim: Any) -> None:
        if room() < 2**20 or claim.job.file_name == "大.wav":
            raise OSError(errno.ENOSPC, "No space left on device")
        real.plan(context, claim)

    monkeypatch.setitem(KINDS, TRANSCRIBE, replace(real, plan=plan))


def test_jobs_wait_while_the_disk_is_full_and_go_on_by_themselves(
    house: RunnerKit, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [0]
    full_disk(monkeypatch, lambda: free[0])
    job = house.submit(speech)
    house.until(job, lambda row: row.started_at is not None and row.state == "queued")
    free[0] = 2**40
    assert house.until(job).state == "done"


def test_a_job_that_is_too_large_for_the_room_there_is_fails(
    house: RunnerKit, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, lambda: 2**30)
    job = house.until(house.store.submit(file_name="大.wav"))
    assert (job.state, job.error and job.error.code) == ("failed", "DISK_FULL")


def test_a_segment_that_fails_does_not_take_its_batch_along(
    stopped: RunnerKit, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortest: list[float] = []

    def recognize(batch: list[Waveform]) -> list[Recognition]:
        shortest.append(min(waveform.seconds for waveform in batch))
        if shortest[0] in [waveform.seconds for waveform in batch]:
            raise EngineError("ENGINE_FAILED", "this one")
        return [Recognition("好", "好", "zh") for _ in batch]

    fakes(stopped, monkeypatch, recognizer(recognize, batch_seconds=60))
    stopped.runner.start()
    job = stopped.until(stopped.submit(speech))
    states = [row.state for row in stopped.store.jobs.segments(None, job.uid)]
    assert job.state == "partial" and states.count("failed") == 1 and states.count("done") == len(states) - 1


def test_a_running_job_is_cancelled_between_batches(stopped: RunnerKit) -> None:
    house = stopped
    job = planned(house, 200, hotwords=["seconds=0.01"])
    house.runner.start()
    house.until(job, lambda row: row.seg_done >= 1)
    house.store.jobs.request_cancel(job.owner_id, job.uid)
    ended = house.until(job)
    assert ended.state == "cancelled" and 0 < ended.seg_done < 200 and ended.text


def planned(house: RunnerKit, segments: int, **params: Any) -> JobRow:
    """A job of `segments` seconds of noise that is past preparing; before the workers start."""
    uid, recording = upload(house.settings, np.zeros(RATE, np.float32))
    noise = np.random.default_rng(0).integers(-9999, 9999, segments * RATE, np.int16)
    with WorkingCopyWriter(house.settings.uploads / uid / "audio.wav") as writer:
        writer.write(noise)
    return house.store.planned(segments, uid=uid, input=recording, params={"language": "zh", **params})


def test_stopping_finishes_the_batch_and_queues_the_rest(stopped: RunnerKit) -> None:
    job = planned(stopped, 100, hotwords=["seconds=0.02"])
    stopped.runner.start()
    stopped.until(job, lambda row: row.seg_done >= 2)
    assert stopped.runner.stop()
    row = stopped.store.jobs.get(None, job.uid)
    states = [segment.state for segment in stopped.store.jobs.segments(None, job.uid)]
    assert row.state == "queued" and 2 <= states.count("done") == row.seg_done < 100
    assert all(segment.attempt == 0 for segment in stopped.store.jobs.segments(None, job.uid))
    assert lock_holder(stopped.settings) is None


def test_the_wake_up_of_stop_is_not_lost() -> None:
    stopping = threading.Event()
    loop = runner._Loop("loop", lambda: None, lambda _claim: None, stopping)

    class Unlucky(threading.Event):
        """`stop` comes between the look at it and the wait."""

        def clear(self) -> None:
            stopping.set()
            self.set()
            super().clear()

    loop.wake = Unlucky()
    loop.start()
    loop.join(10)
    assert not loop.is_alive()


def test_a_worker_outlives_what_nobody_expected(stopped: RunnerKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn whose end cannot even be noted."""
    monkeypatch.setattr(runner, "TRY_AGAIN_S", 0.05)
    turns: list[str] = []
    run = JobRunner._run

    def broken(self: JobRunner, work: Any, claim: Any) -> None:
        turns.append(claim.lease.uid)
        if len(turns) == 1:
            raise KeyError("nobody expected this")
        run(self, work, claim)

    monkeypatch.setattr(JobRunner, "_run", broken)
    first = planned(stopped, 1)
    second = planned(stopped, 1)
    stopped.runner.start()
    assert stopped.until(second).state == "done" and turns[0] == first.uid


def test_a_job_deleted_at_work_leaves_no_sound(stopped: RunnerKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the worker is about to write a file when its folder is removed."""
    house = stopped
    job = house.submit(kind="speak", params={"text": "第一句话在这里。第二句话也在这里。", "voice": "builtin"})
    outputs = house.settings.outputs / job.uid
    take, written = house.runner.context.queue.take, threading.Event()

    def delete_then_go_on(*given: Any) -> Any:
        batch = take(*given)
        house.store.jobs.delete(job.owner_id, job.uid)
        return batch

    commit = house.runner.context.queue.commit

    def committed(*given: Any, **more: Any) -> None:
        assert list(outputs.rglob("*.wav")), "the sentence was written"
        written.set()
        commit(*given, **more)

    monkeypatch.setattr(house.runner.context.queue, "take", delete_then_go_on)
    monkeypatch.setattr(house.runner.context.queue, "commit", committed)
    house.runner.start()
    assert written.wait(60)
    assert house.runner.stop()
    assert not outputs.exists()


def test_an_interactive_job_overtakes_a_long_one(stopped: RunnerKit, speech: np.ndarray) -> None:
    long = planned(stopped, 300, hotwords=["seconds=0.02"])
    stopped.runner.start()
    stopped.until(long, lambda row: row.seg_done >= 1)
    quick = stopped.until(stopped.submit(speech, priority=10))
    assert quick.state == "done" and stopped.store.jobs.get(None, long.uid).state in ("running", "queued")


def test_a_second_server_is_refused_with_the_first_ones_number(house: RunnerKit) -> None:
    second = JobRunner(house.runner.context, house.feed)
    with pytest.raises(AlreadyRunning) as caught:
        second.start()
    assert caught.value.pid == os.getpid() == lock_holder(house.settings)


def test_a_text_is_spoken_labelled_and_timed(house: RunnerKit) -> None:
    text = "欢迎致电客服中心。您的来电对我们非常重要！请稍候片刻，马上为您接通。"
    job = house.until(house.submit(kind="speak", params={"text": text, "voice": "builtin", "format": "wav"}))
    assert (job.state, job.error, job.language) == ("done", None, "zh")
    output = house.store.jobs.artifacts(None, job.uid, "output")[0]
    path = house.settings.data / output.path
    assert (read_metadata(path) or {})["ProduceID"] == job.uid == output.produce_id
    assert soundfile.info(path).duration == pytest.approx((job.duration_ms or 0) / 1000, abs=0.01)
    rows = house.store.jobs.segments(None, job.uid)
    assert "".join(row.text for row in rows) == text
    assert all(first.end < second.start for first, second in itertools.pairwise(rows))
    house.runner.stop()
    assert not (path.parent / "segments").exists()


def voice(house: RunnerKit, name: str, seconds: float = 4) -> int:
    path = house.settings.voices / name / "prompt.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)), RATE)
    new = NewVoice(name, house.store.owner().id, name, "你好", path.relative_to(house.settings.data).as_posix(), "x", 4)
    return house.store.voices.add(new, NewConsent("self", "张三")).id


def test_a_voice_is_enrolled_once_and_kept(house: RunnerKit, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled: list[str] = []
    enrol = fake_engine.FakeSynthesizer.enrol
    monkeypatch.setattr(fake_engine.FakeSynthesizer, "enrol", lambda *given: enrolled.append(given[2]) or enrol(*given))
    voice_id = voice(house, "小张")
    for _ in range(2):
        params = {"text": "第一句话在这里。第二句话也在这里。", "voice": "小张"}
        job = house.submit(kind="speak", params=params, voice_id=voice_id)
        assert house.until(job).state == "done"
    assert enrolled == ["你好"]


def test_a_voice_without_a_live_consent_does_not_speak(house: RunnerKit) -> None:
    voice_id = voice(house, "小张")
    house.store.voices.revoke(house.store.owner().id, "小张")
    job = house.submit(kind="speak", params={"text": "你好世界。", "voice": "小张"}, voice_id=voice_id)
    assert house.until(job).error == Notice("CONSENT_EXPIRED", {"voice": "小张"})


def test_a_text_without_words_is_refused(house: RunnerKit) -> None:
    job = house.until(house.submit(kind="speak", params={"text": "……！", "voice": "builtin"}))
    assert (job.state, job.error and job.error.code) == ("failed", "NOTHING_TO_SAY")


def test_a_converted_recording_keeps_its_timing(house: RunnerKit, speech: np.ndarray) -> None:
    job = house.until(
        house.submit(speech, kind="convert", params={"voice": "小张", "format": "flac"}, voice_id=voice(house, "小张"))
    )
    assert (job.state, job.error) == ("done", None)
    rows = house.store.jobs.segments(None, job.uid)
    samples, rate = soundfile.read(house.settings.data / house.store.jobs.artifacts(None, job.uid, "output")[0].path)
    for row in rows:
        middle = round((row.start + row.end) / 2 * rate)
        assert np.abs(samples[middle - 200 : middle + 200]).max() > 0.1
    gap = round((rows[0].end + rows[1].start) / 2 * rate)
    assert np.abs(samples[gap - 200 : gap + 200]).max() < 0.01


def test_a_job_submitted_by_another_process_is_found(house: RunnerKit, speech: np.ndarray) -> None:
    other = open_store(house.settings.database)  # its commits poke nobody here
    uid, recording = upload(house.settings, speech)
    job = other.submit(uid=uid, input=recording)
    assert house.until(job).state == "done"
