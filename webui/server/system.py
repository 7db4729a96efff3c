"""`/healthz`, `/readyz`, `/metrics`, and the System tab's own routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Depends
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from webui import __version__
from webui.server.dependencies import Locale, Service, local_only
from webui.server.present import messages
from webui.server.views_machine import Freed, System
from webui.service.services import Services
from webui.service.system import Readiness

router = APIRouter(tags=["system"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_class=JSONResponse)
async def ready(services: Service, locale: Locale) -> JSONResponse:
    """503 with the reasons while new work should go elsewhere."""
    found = await run_in_threadpool(services.system.readiness)
    reasons = _reasons(found, locale)
    if found.ready:
        return JSONResponse({"status": "ready"})
    first = {**reasons[0], "type": "server_error", "param": None}
    return JSONResponse(
        {"status": "unavailable", "reasons": reasons, "error": first},
        status_code=503,
        headers={"x-error-code": first["code"]},
    )


@router.get("/metrics", response_class=Response)
async def metrics(services: Service) -> Response:
    """Prometheus' text format; figures only, nothing of anybody's."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(services))
    ProcessCollector(registry=registry)
    return Response(await run_in_threadpool(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/v1/system")
async def overview(services: Service, locale: Locale) -> System:
    overview = await run_in_threadpool(services.system.overview)
    readiness = await run_in_threadpool(services.system.readiness)
    return System.model_validate({**overview, "problems": messages(readiness.problems, locale)})


@router.post("/api/v1/system/free-memory", dependencies=[Depends(local_only)])
async def free_memory(services: Service) -> Freed:
    """Unload every model that is not at work."""
    return Freed.model_validate(await run_in_threadpool(services.system.free_memory))


def _reasons(readiness: Readiness, locale: str) -> list[dict[str, Any]]:
    return [message.model_dump() for message in messages(readiness.problems, locale)]


class _Figures(Collector):
    """Read when asked for, so that nothing is counted twice or forgotten."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        system = self._services.system
        info = GaugeMetricFamily("shengfang_info", "The running version", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        jobs = GaugeMetricFamily("shengfang_jobs", "Unfinished jobs by state", labels=["state"])
        for state, count in system.queue().items():
            jobs.add_metric([state], count)
        yield jobs
        yield GaugeMetricFamily("shengfang_disk_free_bytes", "Free space below data/", value=system.free_disk())
        loaded = GaugeMetricFamily("shengfang_models_loaded", "Loaded models", labels=["model", "device"])
        for model in self._services.host.loaded():
            loaded.add_metric([model.name, model.device], 1)
        yield loaded
        yield GaugeMetricFamily("shengfang_ready", "1 while /readyz says so", value=float(system.readiness().ready))
