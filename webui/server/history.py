"""`/api/v1/history.csv` and `/history.json`: everything the listing's filters let through, streamed."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from webui.server.dependencies import Locale, Service
from webui.server.downloads import attachment
from webui.server.exports import history_csv, history_json
from webui.server.jobs import Filter

router = APIRouter(prefix="/api/v1", tags=["history"])


@router.get("/history.csv", response_class=StreamingResponse)
async def csv(services: Service, wanted: Filter) -> StreamingResponse:
    """For a spreadsheet: UTF-8 with BOM, formulas disarmed."""
    stream = history_csv(services.jobs.stream(wanted))
    return StreamingResponse(stream, media_type="text/csv; charset=utf-8", headers=attachment("history.csv"))


@router.get("/history.json", response_class=StreamingResponse)
async def json(services: Service, wanted: Filter, locale: Locale) -> StreamingResponse:
    """One array of Jobs."""
    stream = history_json(services.jobs.stream(wanted), locale)
    return StreamingResponse(stream, media_type="application/json", headers=attachment("history.json"))
