"""`/api/v1/lexicon`: how the organisation's words are read."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from webui.jobs.params import Text
from webui.server.dependencies import Author, Service, local_only

router = APIRouter(prefix="/api/v1", tags=["lexicon"])


class Lexicon(BaseModel):
    """`entries`: word → reading, in marks ("[chong2][qing4]"), pinyin ("chong2 qing4") or other words."""

    model_config = ConfigDict(extra="forbid")

    entries: dict[Text, Text]


@router.get("/lexicon")
async def lexicon(services: Service) -> Lexicon:
    return Lexicon(entries=await run_in_threadpool(services.lexicon.entries))


@router.put("/lexicon", dependencies=[Depends(local_only)])
async def replace(given: Lexicon, services: Service, author: Author) -> Lexicon:
    """The whole lexicon at once; the answer is what is kept."""
    owner = await run_in_threadpool(author)
    return Lexicon(entries=await run_in_threadpool(services.lexicon.replace, given.entries, owner))
