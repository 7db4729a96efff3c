"""`/api/v1/devices`: what this machine can compute on, and why it cannot use the rest."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from webui.server.dependencies import Locale, Service
from webui.server.present_machine import device_views
from webui.server.views_machine import Device

router = APIRouter(prefix="/api/v1", tags=["devices"])


@router.get("/devices")
async def listing(services: Service, locale: Locale) -> list[Device]:
    return device_views(await run_in_threadpool(services.system.devices), locale)
