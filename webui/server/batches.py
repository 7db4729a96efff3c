"""`/api/v1/batches`: what was handed in together, as one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from webui.server.batch_results import batch_archive, batch_csv, batch_json, finished_jobs
from webui.server.dependencies import Caller, Locale, Service
from webui.server.downloads import attachment

router = APIRouter(prefix="/api/v1/batches")


@router.get("/{batch}/result.csv", response_class=StreamingResponse)
async def table(batch: str, services: Service, owner: Caller, locale: Locale) -> StreamingResponse:
    """One table for a spreadsheet: a row a segment, with its file's name."""
    found = await run_in_threadpool(finished_jobs, services.jobs, owner, batch)
    return _download(batch_csv(found, locale), "text/csv; charset=utf-8", f"{found.name}.csv")


@router.get("/{batch}/result.json", response_class=StreamingResponse)
async def rows(batch: str, services: Service, owner: Caller, locale: Locale) -> StreamingResponse:
    """The same rows as JSON."""
    found = await run_in_threadpool(finished_jobs, services.jobs, owner, batch)
    return _download(batch_json(found, locale), "application/json", f"{found.name}.json")


@router.get("/{batch}/result.zip", response_class=StreamingResponse)
async def archive(
    batch: str,
    services: Service,
    owner: Caller,
    locale: Locale,
    file_format: Annotated[str, Query(alias="format")] = "txt",
) -> StreamingResponse:
    """The finished results in one archive: transcripts in `format`, and generated speech."""
    found = await run_in_threadpool(finished_jobs, services.jobs, owner, batch)
    stream = await run_in_threadpool(batch_archive, found, file_format, locale)
    return _download(stream, "application/zip", f"{found.name}.zip")


def _download(stream: Iterator[bytes], mime: str, name: str) -> StreamingResponse:
    return StreamingResponse(stream, media_type=mime, headers=attachment(name))
