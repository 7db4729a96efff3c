"""`/api/v1/models` and `/settings`: which models are there, getting more, and which one is meant by default."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from webui.server.dependencies import Author, Locale, Service, local_only
from webui.server.present_machine import listing_view
from webui.server.views_machine import Models, Options
from webui.service import models

router = APIRouter(prefix="/api/v1", tags=["models"])


class OptionsChange(BaseModel):
    """Only what is given changes; null = by itself."""

    model_config = ConfigDict(extra="forbid")

    default_recognizer: str | None = Field(default=None, max_length=200)
    default_synthesizer: str | None = Field(default=None, max_length=200)
    device: str = Field(default="auto", max_length=32)


@router.get("/models")
async def listing(services: Service, locale: Locale) -> Models:
    """The models that are present, with what they can do, and those that could be had."""
    return listing_view(await run_in_threadpool(services.models.listing), locale)


@router.post("/models/refresh", dependencies=[Depends(local_only)])
async def refresh(services: Service, locale: Locale) -> Models:
    """Look into the models folder again; the answer is the listing."""
    return listing_view(await run_in_threadpool(services.models.listing), locale)


@router.post("/models/{name}/pull", status_code=202, dependencies=[Depends(local_only)])
async def pull(name: str, services: Service, locale: Locale, source: str | None = None) -> Models:
    """Begin a download; `catalog[].pull` of the listing, which is the answer, shows how far it is."""
    await run_in_threadpool(services.models.pull, name, source)
    return listing_view(await run_in_threadpool(services.models.listing), locale)


@router.post("/models/{name}/optimise", status_code=202, dependencies=[Depends(local_only)])
async def optimise(name: str, services: Service, locale: Locale) -> Models:
    """Begin to make a model faster on the CPU; `models[].optimise` of the listing shows what comes of it."""
    await run_in_threadpool(services.models.optimise, name)
    return listing_view(await run_in_threadpool(services.models.listing), locale)


@router.get("/settings")
async def options(services: Service) -> Options:
    """The default models and the device."""
    return _options(await run_in_threadpool(services.models.options))


@router.put("/settings", dependencies=[Depends(local_only)])
async def set_options(change: OptionsChange, services: Service, author: Author) -> Options:
    given = change.model_dump(exclude_unset=True)
    owner = await run_in_threadpool(author)
    return _options(await run_in_threadpool(services.models.set_options, given, owner))


def _options(chosen: models.Options) -> Options:
    return Options.model_validate(asdict(chosen))
