"""The configuration: where a value comes from, and what a wrong one says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.capabilities import ordinary
from webui.settings import ROOT, BadSettings, Settings, load, origins, terminal_locale


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text('port = 7001\nhost = "10.0.0.1"\nengines = ["a.b"]\n')
    return file


def test_the_command_line_outranks_the_environment_and_that_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHENGFANG_PORT", "7002")
    assert load(config).port == 7002
    assert load(config, port=7003).port == 7003
    assert load(config).host == "10.0.0.1"
    assert load(config, host=None).host == "10.0.0.1"


def test_credentials_outrank_the_file(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "SHENGFANG_PORT").write_text("7004")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert load(config).port == 7004
    assert origins(config)["port"] == "credentials"


def test_every_value_names_its_origin(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHENGFANG_HOST", "0.0.0.0")
    found = origins(config, data=Path("/elsewhere"), device=None)
    assert found["data"] == "command line"
    assert found["host"] == "environment"
    assert found["port"] == str(config)
    assert found["device"] == "default"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 7001", "did you mean port?"),
        ("[server]", "server"),
        ("port = 70010", "port cannot be 70010: it must be at most 65535"),
        ("port = true", "port cannot be true: it must be a whole number"),
        ('port = "many"', 'port cannot be "many"'),
        ("hang_limit_s = 0", "hang_limit_s cannot be 0: it must be more than 0"),
        ('max_audio_hours = "long"', "it must be a number"),
        ("device_graphs = 3", "device_graphs cannot be 3: it must be true or false"),
        ("host = 5", "host cannot be 5: it must be a text"),
        ("data = 5", "data cannot be 5: it must be a text"),
        ('data = ""', 'data cannot be ""'),
        ("engines = 5", "engines cannot be 5: it must be a list"),
        ('engines = "[a"', "it must be a list"),
        ('producer_code = "某公司"', "producer_code"),
        ('label_position = "middle"', "it must be one of 'start', 'end', 'both'"),
        ("port = ", "config.toml"),
        ('host = "\xb2"', "UTF-8"),
        ("port = " + "[" * 30_000, "config.toml is nested too deep"),
        ("a." * 30_000 + "b = 1", "config.toml is nested too deep"),
        ("# " + "x" * 2**20, "config.toml is larger than"),
        ("host = " + "9" * 5000, "config.toml cannot be read"),
        ("port = 99999999999999999999999", "config.toml holds characters or numbers"),
        ('data = "a\\u0000b"', "config.toml holds characters or numbers"),
        ("hang_limit_s = inf", "hang_limit_s cannot be Infinity"),
        ("idle_unload_s = 1e300", "idle_unload_s cannot be 1e+300: it must be at most"),
        ("max_audio_hours = nan", "max_audio_hours cannot be NaN"),
        ('data = "~nobody-of-this-name/x"', "nobody knows the user"),
        (f"port = [{'1, ' * 5000}]", "…: it must be a whole number"),
        (f"{'k' * 5000} = 1", "no such setting"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_the_key(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("latin-1" if "\xb2" in text else "utf-8"))
    with pytest.raises(BadSettings) as refused:
        load(file)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("SHENGFANG_ALLOWED_HOST", "did you mean SHENGFANG_ALLOWED_HOSTS?"),
        ("shengfang_prot", "shengfang_prot: no such setting; did you mean SHENGFANG_PORT?"),
        ("SHENGFANG_MAX_UPLOAD", "did you mean SHENGFANG_MAX_UPLOAD_BYTES?"),
        ("SHENGFANG_X", "SHENGFANG_X: no such setting"),
    ],
)
def test_an_unknown_variable_is_named(variable: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(BadSettings) as refused:
        load()
    assert says in str(refused.value)
    monkeypatch.setenv(variable, "")
    load()


@pytest.mark.parametrize("given", ["[" * 100_000, '["a"', "[5]"])
def test_a_list_in_the_environment_that_is_none_is_one_sentence(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHENGFANG_ALLOWED_HOSTS", given)
    with pytest.raises(BadSettings, match="allowed_hosts") as refused:
        load()
    assert len(str(refused.value)) < 400


def test_a_file_that_may_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("port = 7000")
    file.chmod(0)
    with ordinary(), pytest.raises(BadSettings, match="Permission denied"):
        load(file)


def test_the_example_is_every_setting_at_its_default(tmp_path: Path) -> None:
    text = (ROOT / "config.example.toml").read_text("utf-8")
    assert load(ROOT / "config.example.toml").model_dump() == load().model_dump()  # all of it is comments
    file = tmp_path / "config.toml"
    file.write_text(re.sub(r"^#(\w+ =)", r"\1", text, flags=re.MULTILINE), "utf-8")
    given = load(file, data=Settings().data, models=Settings().models)
    assert given.model_dump() == load().model_dump()
    assert set(re.findall(r"^#(\w+) =", text, re.MULTILINE)) == set(Settings.model_fields)


def test_what_is_wrong_is_said_in_the_terminals_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(BadSettings, match="port 不能是 70010：不能大于 65535"):
        load(port=70010)


def test_an_empty_variable_is_as_if_it_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATA", "PORT", "LOG_FILE", "BALLAST_BYTES"):
        monkeypatch.setenv(f"SHENGFANG_{name}", "")
    assert load().model_dump() == Settings.model_construct().model_dump()
    assert origins()["data"] == "default"


def test_an_editors_byte_order_mark_and_small_letters_are_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b'\xef\xbb\xbflog_level = "debug"\r\nlog_file = ""\r\n')
    assert (load(file).log_level, load(file).log_file) == ("DEBUG", None)


def test_relative_paths_in_a_file_count_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "config.toml").write_text('data = "archive"\nmodels = "/models"\nespeak_data = "e"\n')
    read = load(Path("../config.toml"))
    assert (read.data.resolve(), read.models) == (tmp_path / "archive", Path("/models"))
    assert read.espeak_data is not None and read.espeak_data.resolve() == tmp_path / "e"


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no such file"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("given", ["a.b, c", '["a.b", "c"]'])
def test_lists_in_the_environment_are_json_or_separated_by_commas(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHENGFANG_ENGINES", given)
    assert load().engines == ("a.b", "c")


def test_the_start_scripts_own_variables_are_not_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHENGFANG_TORCH_INDEX", "https://example.org/cpu")
    assert load().port == 7860


def test_paths_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(data=Path("here")).data == tmp_path / "here"


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "C"}, "en"),
        ({}, "en"),
    ],
)
def test_the_terminals_language(variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert terminal_locale() == language


@pytest.mark.parametrize("name", ["https://voice.bank.example", "*", "voice.bank.example/sub", "voice:http"])
def test_a_host_that_would_never_match_is_refused(name: str) -> None:
    with pytest.raises(BadSettings, match="allowed_hosts"):
        load(allowed_hosts=(name,))
    assert load(allowed_hosts=("voice.bank.example:8443",)).allowed_hosts == ("voice.bank.example:8443",)
