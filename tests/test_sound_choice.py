"""Recordings whose mix is silent: the channel or the sound track with speech is taken, and a warning says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.jobs_kit import RATE
from tests.test_jobs_runner import RunnerKit, house, settings, speech, stopped, submit_film
from webui.audio.working_copy import WorkingCopy
from webui.errors import Notice
from webui.store.rows import JobRow

__all__ = ["house", "settings", "speech", "stopped"]  # fixtures


def starts(house: RunnerKit, job: JobRow) -> list[int]:
    return [int(row.start) for row in house.store.jobs.segments(None, job.uid)]


def played(house: RunnerKit, job: JobRow) -> WorkingCopy:
    return WorkingCopy(house.settings.data / house.store.jobs.artifacts(None, job.uid, "playable")[0].path)


@pytest.mark.parametrize("second", [-1.0, -0.999])
def test_of_channels_that_cancel_each_other_one_is_taken(house: RunnerKit, speech: np.ndarray, second: float) -> None:
    """Also where something is left of the mix, far below the channels."""
    job = house.until(house.submit(np.stack([speech, second * speech], axis=1)))
    assert starts(house, job) == [1, 4, 7]
    assert job.warnings == [Notice("MIX_SILENT", {"channel": 1})]
    copy = played(house, job)
    assert copy.channels == 1 and np.abs(copy.read(0, copy.seconds)).max() > 0.1


def test_channels_that_cancel_each_other_in_a_lossy_file_are_found_too(house: RunnerKit, speech: np.ndarray) -> None:
    job = house.until(submit_film(house, [(0, np.stack([speech, -speech], axis=1))]))
    assert starts(house, job) == [1, 4, 7]
    assert [warning.code for warning in job.warnings] == ["MIX_SILENT"]


def test_channels_kept_apart_are_as_they_were(house: RunnerKit, speech: np.ndarray) -> None:
    params = {"language": "zh", "channels": "split"}
    job = house.until(house.submit(np.stack([speech, -speech], axis=1), params=params))
    assert starts(house, job) == [1, 1, 4, 4, 7, 7]
    assert job.warnings == [] and played(house, job).channels == 2


@pytest.mark.parametrize(("tracks", "taken"), [("-s", 2), ("--s", 3), ("-xs", 3)])
def test_behind_a_silent_track_the_one_with_speech_is_taken(
    house: RunnerKit, speech: np.ndarray, tracks: str, taken: int
) -> None:
    kinds: dict[str, np.ndarray] = {
        "s": speech,
        "-": np.zeros_like(speech),
        "x": np.float32(0.01) * np.sign(speech[:99]),
    }
    job = house.until(submit_film(house, *([(0, kinds[kind])] for kind in tracks)))
    assert starts(house, job) == [1, 4, 7]
    assert job.warnings == [Notice("TRACK_SILENT", {"track": taken})]
    assert np.abs(played(house, job).read(0, 10)).max() > 0.1


def test_a_first_track_on_which_somebody_speaks_stays(house: RunnerKit, speech: np.ndarray) -> None:
    job = house.until(submit_film(house, [(0, speech[: 4 * RATE])], [(0, np.concatenate([speech, speech]))]))
    assert starts(house, job) == [1] and job.warnings == []


@pytest.mark.parametrize("silent", [np.zeros((3 * RATE, 2), np.float32)])
def test_where_nobody_speaks_anywhere_nothing_else_is_said(house: RunnerKit, silent: Any) -> None:
    assert house.until(house.submit(silent)).warnings == [Notice("NO_SPEECH")]
    assert house.until(submit_film(house, [(0, silent)], [(0, silent)])).warnings == [Notice("NO_SPEECH")]
