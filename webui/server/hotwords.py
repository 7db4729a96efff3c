"""`/api/v1/hotwords`: the caller's saved hotword lists."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from webui.server.dependencies import Author, Caller, Locale, Service
from webui.server.present import hotword_list_view
from webui.server.views import HotwordList

router = APIRouter(prefix="/api/v1/hotwords", tags=["hotwords"])


class Words(BaseModel):
    """One or several a string, as they are typed: separated by commas or line breaks."""

    model_config = ConfigDict(extra="forbid")

    words: list[str]


class Lists(BaseModel):
    lists: list[HotwordList]


@router.get("")
async def listing(services: Service, owner: Caller, locale: Locale) -> Lists:
    found = await run_in_threadpool(services.hotwords.all, owner)
    return Lists(lists=[hotword_list_view(kept, locale) for kept in found])


@router.get("/{name}")
async def get(name: str, services: Service, owner: Caller, locale: Locale) -> HotwordList:
    return hotword_list_view(await run_in_threadpool(services.hotwords.get, owner, name), locale)


@router.put("/{name}")
async def keep(name: str, given: Words, services: Service, author: Author, locale: Locale) -> HotwordList:
    """Write the list, in the place of one of that name; the answer is what is kept."""
    owner = await run_in_threadpool(author)
    return hotword_list_view(await run_in_threadpool(services.hotwords.keep, owner, name, given.words), locale)


@router.delete("/{name}", status_code=204)
async def delete(name: str, services: Service, owner: Caller) -> None:
    await run_in_threadpool(services.hotwords.delete, owner, name)
