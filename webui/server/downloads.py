"""Sending files: names in headers, ranges, and nothing that a browser would open as a page."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import FileResponse

from webui.service.jobs import Media


def attachment(name: str) -> dict[str, str]:
    """Headers for a download called `name` (RFC 6266)."""
    return {"content-disposition": f"attachment; filename*=utf-8''{quote(name)}"}


def media_response(media: Media, download: bool = False) -> FileResponse:
    """Audio to play or to keep; the browser may keep it but asks each time whether it still may."""
    return FileResponse(
        media.path,
        media_type=media.mime,
        filename=media.name,
        content_disposition_type="attachment" if download else "inline",
        headers={"cache-control": "private, no-cache"},
    )
