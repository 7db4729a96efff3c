"""The configuration: one frozen `Settings`, built once in `app.py` and passed down.

The only reader of settings in the environment. Precedence: command line > SHENGFANG_* > systemd credentials >
`config.toml` > default. An unknown key or a bad value is one sentence and exit code 2. An empty variable is as if
it were not there; relative paths in a file count from that file's folder.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from webui.errors import Notice, reason_of
from webui.untrusted import Unreadable, read_toml

ROOT = Path(__file__).resolve().parent.parent
Names = Annotated[tuple[str, ...], NoDecode]  # in the environment a JSON list, or names with commas between

_PATHS = ("data", "models", "history_db", "model_path", "log_file", "espeak_data")  # made absolute
_LABEL_VALUE = r"[\x21\x23-\x5b\x5d-\x7e]*"  # what the standard of the AIGC label allows in a value

_OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}
# Below `cache`: what would lie in the home folder or in /tmp.
_CACHES = {
    "TMPDIR": "tmp",
    "XDG_CACHE_HOME": ".",
    "GRADIO_TEMP_DIR": "gradio",
    "MODELSCOPE_CACHE": "modelscope",
}
# The same, where an administrator may have a reason for another place.
_VENDOR_CACHES = {
    "NUMBA_CACHE_DIR": "numba",
    "CUDA_CACHE_PATH": "cuda",
    "TRITON_CACHE_DIR": "triton",
    "ASCEND_CACHE_PATH": "ascend",
    "ASCEND_WORK_PATH": "ascend",
}
# Variables of ours that are no settings: the start script's, and the tests'.
_NO_SETTINGS = {"DEFAULT_MODELS", "NUMA_NODE", "PYTHON", "REQUIREMENTS", "TORCH_INDEX", "WHEELHOUSE"}
_NO_SETTINGS |= {"SHARED", "TEST_PYTHON"}
_LONGEST_S = 1e9  # 30 years; the system's clocks take little more
_LONGEST_SHOWN = 80  # characters of a bad value
_PROXIES = ("all_proxy", "http_proxy", "https_proxy", "no_proxy")
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?")


class Settings(BaseSettings):
    """Every option of the program. Paths are absolute after validation; sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="SHENGFANG_", env_ignore_empty=True, extra="forbid", frozen=True, allow_inf_nan=False
    )

    data: Path = Field(default=ROOT / "data", description="everything written at run time")
    models: Path = Field(default=ROOT / "models", description="one folder per model")
    history_db: Path | None = Field(default=None, description="the database, where not data/history.db")
    model_path: Path | None = Field(default=None, description="one further model folder, outside models/")
    engines: Names = Field(default=(), description="further engine modules (plug-ins)")

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=7860, ge=0, le=65535, description="HTTP port")
    https_port: int = Field(default=0, ge=0, le=65535, description="HTTPS port; 0 = off")
    allowed_hosts: Names = Field(default=(), description="host names browsers may use, beside IP addresses")
    behind_proxy: bool = Field(default=False, description="a reverse proxy stands in front: nobody counts as local")

    device: str = Field(default="auto", description="auto, cpu, npu:0, cuda:0 …")
    device_graphs: bool = Field(
        default=True, description="capture decoding as a device graph where it proves right and faster"
    )
    hang_limit_s: float = Field(
        default=600, gt=0, le=_LONGEST_S, description="a call into a model hangs after so long and 100 times its audio"
    )
    idle_unload_s: float = Field(default=900, gt=0, le=_LONGEST_S, description="a model unused for so long is unloaded")

    max_upload_bytes: int = Field(default=4 * 2**30, gt=0, description="largest upload")
    max_audio_hours: float = Field(default=12, gt=0, description="longest recording, in decoded hours")
    max_queued_jobs: int = Field(default=10_000, gt=0, description="waiting jobs per owner")
    disk_reserve_bytes: int = Field(default=2 * 2**30, ge=0, description="uploads are refused below this free space")
    ballast_bytes: int = Field(
        default=64 * 2**20, ge=0, description="put aside so that things can be deleted on a full disk"
    )

    vad: Literal["silero", "fsmn"] = Field(default="silero", description="speech detector; fsmn needs its folder")

    espeak_library: Path | None = Field(default=None, description="libespeak-ng.so, where not the wheel's")
    espeak_data: Path | None = Field(default=None, description="espeak-ng-data, where not the wheel's")

    producer_code: str = Field(
        default="", pattern=f"^{_LABEL_VALUE}$", description="27-character AIGC producer code of the organisation"
    )
    label_position: Literal["start", "end", "both"] = Field(default="end", description="where the audible label sounds")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="verbosity")
    log_file: Path | None = Field(default=None, description="log file beside the standard output")

    @field_validator("engines", "allowed_hosts", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return _json_list(value)
        return [name.strip() for name in value.split(",") if name.strip()]

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """A name, with a port where only that one is meant; a URL or a pattern would never match."""
        if not all(_HOST.fullmatch(name) for name in names):
            raise PydanticCustomError("string_pattern_mismatch", "no host name")
        return names

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        """An empty text is no path or host, and TOML's `true` no number (pydantic takes it for 1)."""
        field = cls.model_fields[str(info.field_name)]
        if value == "" and (field.annotation in (Path, Path | None) or info.field_name == "host"):
            if field.default is not None:
                raise PydanticCustomError("missing", "empty")
            return None
        if isinstance(value, bool) and field.annotation in (int, float):
            raise PydanticCustomError("int_type", "no number")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _level(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    def model_post_init(self, _context: Any) -> None:
        for name in _PATHS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _expanded(name, Path(value)).absolute())

    @property
    def database(self) -> Path:
        return self.history_db or self.data / "history.db"

    @property
    def config_file(self) -> Path | None:
        """The file that these settings were read from, if any."""
        file = type(self).model_config.get("toml_file")
        return Path(str(file)) if file else None

    @property
    def uploads(self) -> Path:
        return self.data / "uploads"

    @property
    def outputs(self) -> Path:
        return self.data / "outputs"

    @property
    def voices(self) -> Path:
        return self.data / "voices"

    @property
    def cache(self) -> Path:
        return self.data / "cache"

    @property
    def temporary(self) -> Path:
        return self.cache / "tmp"

    @property
    def quarantine(self) -> Path:
        return self.data / "quarantine"

    @property
    def history_mark(self) -> Path:
        return self.data / "history.mark"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials:
            sources.append(SecretsSettingsSource(settings_cls, credentials))
        if cls.model_config.get("toml_file"):
            sources.append(_FileSource(settings_cls))
        return tuple(sources)


class _FileSource(TomlConfigSettingsSource):
    def _read_file(self, file_path: Any) -> dict[str, Any]:
        return _values(file_path)


class BadSettings(Exception):
    """A configuration that cannot be used; the message is one sentence for the administrator."""


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the configuration; `overrides` are the command line's values that were given (None = not given).

    Raises BadSettings.
    """
    settings_class = _reading(config)
    _refuse_unknown_variables()
    try:
        return settings_class(**_given(overrides))
    except ValidationError as error:
        raise _bad_value(error) from None


def origins(config: Path | None = None, **overrides: Any) -> dict[str, str]:
    """Where each setting's value comes from: "command line", "environment", "credentials", a file, or "default"."""
    settings_class = _reading(config)
    file = settings_class.model_config.get("toml_file")
    layers: list[tuple[str, Any]] = [("environment", EnvSettingsSource(settings_class)())]
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        layers.append(("credentials", SecretsSettingsSource(settings_class, credentials)()))
    if file:
        layers.append((str(file), _values(Path(str(file)))))
    found = dict.fromkeys(Settings.model_fields, "default")
    for origin, values in [*reversed(layers), ("command line", _given(overrides))]:
        found.update({key.lower(): origin for key in values if key.lower() in found})
    return found


def terminal_locale() -> str:
    """ "zh" or "en", by the locale variables in their order of precedence (POSIX: LC_ALL, LC_MESSAGES, LANG)."""
    named = next((value for key in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(key))), "")
    return "zh" if named.lower().startswith("zh") else "en"


def work_offline(settings: Settings) -> None:
    """Keep the libraries from calling home and from writing outside `data`; before any of them is imported."""
    os.environ.update(_OFFLINE)
    os.environ.pop("GRADIO_VIBE_MODE", None)
    os.environ.update({name: str(settings.cache / folder) for name, folder in _CACHES.items()})
    for name, folder in _VENDOR_CACHES.items():
        os.environ.setdefault(name, str(settings.cache / folder))
    with suppress(OSError):  # a folder that cannot be made leaves the system's in use
        for needed in (settings.data, settings.cache, settings.temporary):
            needed.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = None  # asked for again


@contextmanager
def without_proxies() -> Iterator[None]:
    """No proxy variable while the block runs: Gradio's import fails at SOCKS and at what is no address, and needs none.

    Fetching models uses them.
    """
    named = {key: value for key, value in os.environ.items() if key.lower() in _PROXIES}
    for key in named:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(named)


def systemd_socket() -> str | None:
    """The socket on which systemd waits for READY=1, where it started this process."""
    return os.environ.get("NOTIFY_SOCKET")


def _reading(config: Path | None) -> type[Settings]:
    config = config or (ROOT / "config.toml" if (ROOT / "config.toml").exists() else None)
    if config is not None and not config.is_file():
        raise _bad("SETTINGS_FILE_MISSING", file=config)

    class FileSettings(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    return FileSettings


def _values(file: Path) -> dict[str, Any]:
    """What a configuration file gives, its paths absolute. Raises BadSettings."""
    try:
        given = read_toml(file)
    except Unreadable as error:
        if error.notice.code == "FILE_NOT_TEXT":
            raise _bad("SETTINGS_FILE_ENCODING", file=file) from None
        raise _bad("SETTINGS_FILE_BAD", file=file, detail=error.notice.params.get("detail", error.notice)) from None
    except OSError as error:
        raise _bad("SETTINGS_FILE_BAD", file=file, detail=error.strerror) from None
    folder = file.absolute().parent
    paths = {
        key: folder / _expanded(key, Path(given[key]))
        for key in _PATHS
        if given.get(key) and isinstance(given[key], str)
    }
    return {**given, **paths}


def _json_list(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise PydanticCustomError("list_type", "no JSON") from None


def _expanded(key: str, path: Path) -> Path:
    """Without its `~`. Raises BadSettings for a user whom nobody knows."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise _bad("SETTING_BAD", key=key, given=json.dumps(str(path)), reason=Notice("HOME_UNKNOWN")) from None


def _refuse_unknown_variables() -> None:
    """A mistyped variable would be passed over in silence; an empty one is as if it were not there."""
    prefix = Settings.model_config["env_prefix"]
    known = {name.upper() for name in Settings.model_fields} | _NO_SETTINGS
    for variable in filter(os.environ.get, sorted(os.environ)):
        name = variable.upper().removeprefix(prefix)
        if variable.upper().startswith(prefix) and name not in known:
            raise _misspelt(variable, [f"{prefix}{each}" for each in known])


def _given(overrides: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in overrides.items() if value is not None}


def _bad_value(error: ValidationError) -> BadSettings:
    first = error.errors()[0]
    key = str(first["loc"][0])
    if first["type"] != "extra_forbidden":
        return _bad(
            "SETTING_BAD",
            key=key,
            given=_shown(first.get("input")),
            reason=reason_of(first),
        )
    return _misspelt(key, Settings.model_fields)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _misspelt(key: str, known: Iterable[str]) -> BadSettings:
    key = key[:_LONGEST_SHOWN]
    alike = key.upper() if key.upper().startswith("SHENGFANG_") else key
    near = difflib.get_close_matches(alike, known, n=1)
    return _bad("SETTING_MISSPELT", key=key, near=near[0]) if near else _bad("SETTING_UNKNOWN", key=key)


def _bad(code: str, **params: Any) -> BadSettings:
    return BadSettings(Notice(code, params).worded(terminal_locale()).message)
