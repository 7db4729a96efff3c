"""The table of devices: lost ones, refused operators and measured speeds show in both languages."""

from __future__ import annotations

import dataclasses

import pytest

from tests.test_calibration import HEARS
from webui import devices
from webui.devices import Device
from webui.errors import Notice
from webui.hosting.calibration import Speeds
from webui.hosting.host import ModelHost
from webui.server.present_machine import device_views
from webui.service.device_table import device_table, speed_of
from webui.settings import Settings

MODEL = dataclasses.replace(HEARS, name="Nano", device_kinds=("any",))


@pytest.fixture
def host(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> ModelHost:
    cards = [Device("npu:0", "npu", "Ascend910B3"), Device("npu:1", "npu", "Ascend910B3"), Device("cpu", "cpu", "Xeon")]
    monkeypatch.setattr(devices, "probe", lambda load=True: cards)
    return ModelHost(settings)


def test_a_card_that_was_given_up_says_why(host: ModelHost) -> None:
    host.retire("npu:0", Notice("DEVICE_LOST", {"device": "npu:0", "detail": "507018"}))
    lost, sound, _cpu = device_views(device_table(host, []), "en")
    assert not lost.usable and "507018" in lost.reason and lost.hint
    assert sound.usable and sound.reason == ""


@pytest.mark.parametrize(("locale", "word"), [("zh", "不支持算子"), ("en", "lacks the operator")])
def test_an_operator_that_is_missing_is_named(host: ModelHost, locale: str, word: str) -> None:
    host.placement.refuse(MODEL, "npu:0", "aten::_fft_r2c")
    for card in device_views(device_table(host, []), locale)[:2]:
        assert word in card.notes[0] and "aten::_fft_r2c" in card.notes[0] and "Nano" in card.notes[0]


def test_a_measured_speed_and_its_consequence_are_shown(host: ModelHost) -> None:
    assert speed_of(host, MODEL) == ""
    host.calibrations.keep(MODEL, Speeds("npu:0", 2.0, 4.1))
    assert speed_of(host, MODEL) == "npu:0: 2× real time; cpu: 4.1×"
    card, _other, cpu = device_views(device_table(host, [MODEL]), "en")
    assert card.notes == ["Nano: npu:0: 2× real time; cpu: 4.1×; “auto” uses cpu"] and cpu.notes == []


def test_what_was_tested_is_said_without_grey_words(host: ModelHost) -> None:
    said = {row.kind: row.tested for row in device_views(device_table(host, []), "en")}
    assert said["npu"] == "tested on the simulator" and said["cpu"] in ("tested on hardware", "untested")
