"""Private facts of Gradio that the pages rely on, each once; `static/gradio.js` has those of its side of the browser.

`tests/test_gradio_internals.py` says which of them an upgrade has changed. How Gradio writes its type stubs stands in
`gradio_import.py`, which must not import it.
"""

from __future__ import annotations

import sys

import gradio as gr
from gradio.components import Component
from gradio.routes import App
from gradio.utils import LRUCache

STATIC = ("gradio", "templates/frontend/static")  # package and folder: its page asks for a script there as well

API = "/gradio_api"
PAGE_ROUTES = ("/heartbeat", "/startup-events", "/theme.css")  # below API, with what follows them
INFO, JOIN, DATA = f"{API}/info", f"{API}/queue/join", f"{API}/queue/data"  # a client's list, call, and answer
CLOSED = ("/file=", "/proxy=", "/upload", "/vibe", "/monitoring", "/dev/")  # beside API

IDLE_S = 3600.0
LOOK_S = 0.1
SESSIONS = 2000  # callers who may still ask for their answers
STATES = 50  # of callers, each a copy of the page; nothing of ours keeps anything there


def number(control: Component) -> int:
    """What tells a control from all others of the page."""
    return int(control._id)


def quieten_queue(page: gr.Blocks) -> None:
    """Let the queue's idle loops sleep, which wake a thousand times a second: a call may wait for a tenth of one, and
    nothing here reports progress. Nor are there statistics to keep.
    """
    queue = page._queue
    queue.sleep_when_free, queue.progress_update_sleep_when_free = LOOK_S, IDLE_S
    queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize


def forget_callers(page: gr.Blocks) -> None:
    """Gradio would copy the page's 160 kB for each of 10 000 callers, and remember the names of all."""
    page.state_holder.capacity = STATES
    page._queue.pending_event_ids_session = LRUCache(SESSIONS)


def has_session(page: gr.Blocks, session: str) -> bool:
    """Whether somebody called a function under this name; without one, Gradio's stream of answers is an exception."""
    return session in page._queue.pending_messages_per_session


def forget_address(app: App) -> None:
    """The description of the endpoints would show the address of its first reader to all others."""
    app.api_info = None


def forbid_server_paths(page: gr.Blocks) -> None:
    """Without this mark a mounted Gradio reads any file of the server that an event names."""
    page.has_launched = True
