"""A model fetched from a hub: resumable, checked against the hub's sizes and checksums, whole or not at all."""

from __future__ import annotations

import fnmatch
import http.client
import json
import logging
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from webui.disk import sha256
from webui.engines.catalog import INCOMING, Entry, entries, hub, need_space
from webui.engines.verification import MANIFEST
from webui.errors import UserError
from webui.settings import Settings

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # bytes done, bytes in all

_TIMEOUT_S = 30
_BLOCK = 1 << 20
# Of no use to a model: examples, pictures, the hub's own files, and code, which models/ never holds.
_SKIP = ("example/*", "examples/*", "fig/*", "assets/*", "*.png", "*.jpg", "*.svg", ".gitattributes", "*.py")


@dataclass(frozen=True)
class RemoteFile:
    path: str
    size: int
    sha256: str | None


def pull(settings: Settings, name: str, source: str | None = None, progress: Progress | None = None) -> Path:
    """Download the model `name` of the catalogue into `models/`; what an earlier try left is taken up again.

    `source` is a hub of the catalogue, by default the model's first. Raises UserError (MODEL_NOT_FOUND, MODEL_EXISTS,
    INVALID_FIELD, DISK_FULL, PULL_OFFLINE, PULL_PROXY, PULL_REFUSED, PULL_BROKEN).
    """
    entry = _wanted(settings, name)
    target = settings.models / name
    if target.exists():
        raise UserError("MODEL_EXISTS", model=name)
    source, repository = _repository(entry, source)
    templates = hub(settings, source)
    incoming = settings.models / INCOMING / name
    incoming.mkdir(parents=True, exist_ok=True)
    try:
        files = _list_files(templates["listing"].format(repository=repository), entry.skip)
        need_space(settings, sum(file.size for file in files))
        _fetch_all(files, templates["file"], repository, incoming, progress or (lambda _done, _total: None))
    except urllib.error.HTTPError as error:
        raise UserError("PULL_REFUSED", model=name, source=source, status=error.code) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        log.info("pulling %s from %s failed: %s", name, source, error)
        raise UserError("PULL_OFFLINE", model=name) from error
    _write_manifest(incoming, source, repository, files)
    incoming.rename(target)
    return target


def _wanted(settings: Settings, name: str) -> Entry:
    known = entries(settings)
    if name not in known:
        raise UserError("MODEL_NOT_FOUND", param="model", model=name, available=", ".join(known))
    return known[name]


def _repository(entry: Entry, source: str | None) -> tuple[str, str]:
    source = source or next(iter(entry.sources))
    if source not in entry.sources:
        raise UserError("INVALID_FIELD", param="source", field="source", reason=", ".join(entry.sources))
    return source, entry.sources[source]


def _list_files(url: str, skip: tuple[str, ...]) -> list[RemoteFile]:
    """The repository's files, in either hub's shape. Raises UserError PULL_BROKEN for an answer that is neither."""
    _refuse_socks(url)
    with _open(url) as answer:
        listing = json.load(answer)
    try:
        rows = listing["Data"]["Files"] if isinstance(listing, dict) else listing
        files = [_remote_file(row) for row in rows if row.get("Type", row.get("type")) in ("blob", "file")]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError("PULL_BROKEN", file=url) from error
    return [file for file in files if not any(fnmatch.fnmatch(file.path, pattern) for pattern in (*_SKIP, *skip))]


def _remote_file(row: dict[str, Any]) -> RemoteFile:
    """A row of ModelScope's listing (Path, Size, Sha256) or of Hugging Face's (path, size, lfs.oid)."""
    path = row.get("Path") or row["path"]
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise UserError("PULL_BROKEN", file=path)
    sha256 = row.get("Sha256") or (row.get("lfs") or {}).get("oid")
    return RemoteFile(path, int(row["Size"] if "Size" in row else row["size"]), sha256)


def _fetch_all(files: list[RemoteFile], template: str, repository: str, incoming: Path, progress: Progress) -> None:
    total = sum(file.size for file in files)
    before = 0
    for file in files:
        url = template.format(repository=repository, path=urllib.parse.quote(file.path))
        start = before
        _fetch(url, file, incoming / file.path, lambda done, start=start: progress(start + done, total))  # type: ignore[misc]
        before += file.size
        progress(before, total)


def _fetch(url: str, file: RemoteFile, target: Path, progress: Callable[[int], None]) -> None:
    """One file, from where an earlier try ended. Raises UserError PULL_BROKEN where it comes out wrong."""
    if target.is_file() and target.stat().st_size == file.size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if not part.exists() or part.stat().st_size < file.size:
        _append(url, part, progress)
    if part.stat().st_size < file.size:
        raise http.client.IncompleteRead(b"", file.size - part.stat().st_size)
    if part.stat().st_size > file.size or (file.sha256 and sha256(part) != file.sha256):
        part.unlink()
        raise UserError("PULL_BROKEN", file=file.path)
    part.rename(target)


def _append(url: str, part: Path, progress: Callable[[int], None]) -> None:
    have = part.stat().st_size if part.exists() else 0
    with _open(url, have) as answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server starts over
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                have += len(block)
                progress(have)


def _open(url: str, start: int = 0) -> Any:
    headers = {"User-Agent": "shengfang"} | ({"Range": f"bytes={start}-"} if start else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(_proxies()))
    return opener.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)


def _proxies() -> dict[str, str]:
    """The environment's proxies by scheme; ALL_PROXY is that of a scheme that has none of its own."""
    given = urllib.request.getproxies()
    return dict.fromkeys(("http", "https"), given["all"]) | given if given.get("all") else given


def _refuse_socks(url: str) -> None:
    """Raises UserError PULL_PROXY where the environment leads to `url` by a proxy that is not spoken here."""
    asked = urllib.parse.urlsplit(url)
    proxy = _proxies().get(asked.scheme, "")
    scheme, _, rest = proxy.partition("://")
    if scheme.lower().startswith("socks") and not urllib.request.proxy_bypass(asked.hostname or ""):
        raise UserError("PULL_PROXY", proxy=f"{scheme}://{rest.rpartition('@')[2]}")


def _write_manifest(folder: Path, source: str, repository: str, files: list[RemoteFile]) -> None:
    manifest = {
        "source": source,
        "repository": repository,
        "files": {file.path: {"size": file.size, "sha256": file.sha256} for file in files},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
