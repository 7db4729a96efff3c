"""Private facts of Gradio that the pages rely on, each once; `static/gradio.js` has those of its side of the browser.

`tests/test_gradio_internals.py` says which of them an upgrade has changed. How Gradio writes its type stubs stands in
`gradio_import.py`, which must not import it.
"""

from __future__ import annotations

import gradio as gr

STATIC = ("gradio", "templates/frontend/static")  # package and folder: its page asks for a script there as well
IDLE_S = 3600.0


def quieten_queue(page: gr.Blocks) -> None:
    """Let the queue's idle loops sleep: no event of the page is queued, and they wake a thousand times a second."""
    page._queue.sleep_when_free = page._queue.progress_update_sleep_when_free = IDLE_S


def forbid_server_paths(page: gr.Blocks) -> None:
    """Without this mark a mounted Gradio reads any file of the server that an event names."""
    page.has_launched = True
