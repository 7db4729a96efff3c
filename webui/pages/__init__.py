"""The pages: Gradio lays out tabs and controls, small JavaScript islands do what lives.

Gradio is the shell only. A recording of ten hours, a job that outlives the browser and a history of a million rows need
uploads, queue and state of their own, so no event of the page runs Python and no Gradio route takes a file. Programs
use `/v1` (OpenAI's client) or `/api/v1`, which the islands use, too; Gradio's client finds two endpoints for texts: see
docs/api.md. There is no `demo` to launch: without the routes that its islands ask, the page is an empty frame, and
launched by itself it would stand outside the guard.
"""
