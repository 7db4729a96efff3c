"""The configuration: one frozen `Settings`, built once in `app.py` and passed down.

The only reader of the environment. Precedence: command line > SHENGFANG_* > systemd credentials >
`config.toml` > default. An unknown key or a bad value is one sentence and exit code 2.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Every option of the program. Paths are absolute after validation; sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="SHENGFANG_", extra="forbid", frozen=True)

    data: Path = Field(default=ROOT / "data", description="everything written at run time")
    models: Path = Field(default=ROOT / "models", description="one folder per model")
    history_db: Path | None = Field(default=None, description="the database, where not data/history.db")
    model_path: Path | None = Field(default=None, description="one further model folder, outside models/")
    engines: tuple[str, ...] = Field(default=(), description="further engine modules (plug-ins)")

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=7860, ge=0, le=65535, description="HTTP port")
    https_port: int = Field(default=0, ge=0, le=65535, description="HTTPS port; 0 = off")
    allowed_hosts: tuple[str, ...] = Field(default=(), description="host names browsers may use, beside IP addresses")

    device: str = Field(default="auto", description="auto, cpu, npu:0, cuda:0 …")
    idle_unload_s: float = Field(default=900, gt=0, description="a model unused for so long is unloaded")

    max_upload_bytes: int = Field(default=4 * 2**30, gt=0, description="largest upload")
    max_audio_hours: float = Field(default=12, gt=0, description="longest recording, in decoded hours")
    max_queued_jobs: int = Field(default=10_000, gt=0, description="waiting jobs per owner")
    disk_reserve_bytes: int = Field(default=2 * 2**30, ge=0, description="uploads are refused below this free space")

    espeak_library: Path | None = Field(default=None, description="libespeak-ng.so, where not the wheel's")
    espeak_data: Path | None = Field(default=None, description="espeak-ng-data, where not the wheel's")

    producer_code: str = Field(default="", description="27-character AIGC producer code of the organisation")
    label_position: Literal["start", "end", "both"] = Field(default="end", description="where the rhythm label sounds")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="verbosity")
    log_file: Path | None = Field(default=None, description="log file beside the standard output")

    def model_post_init(self, _context: Any) -> None:
        for name in ("data", "models", "history_db", "model_path", "log_file"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, Path(value).expanduser().absolute())

    @property
    def database(self) -> Path:
        return self.history_db or self.data / "history.db"

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
    def lock_file(self) -> Path:
        return self.data / "app.lock"

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
            sources.append(TomlConfigSettingsSource(settings_cls))
        return tuple(sources)


class BadSettings(Exception):
    """A configuration that cannot be used; the message is one sentence for the administrator."""


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the configuration; `overrides` are the command line's values that were given (None = not given).

    Raises BadSettings.
    """
    config = config or (ROOT / "config.toml" if (ROOT / "config.toml").exists() else None)
    if config is not None and not config.is_file():
        raise BadSettings(f"--config {config}: no such file")

    class FileSettings(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return FileSettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadSettings(f"{key}: {first['msg']} (given: {first.get('input')!r})") from None
    except ValueError as error:
        raise BadSettings(f"{config or 'environment'}: {error}") from None
