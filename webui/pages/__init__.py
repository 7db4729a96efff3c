"""The pages: Gradio lays out tabs and controls, small JavaScript islands do what lives.

Gradio is the shell only. A recording of ten hours, a job that outlives the browser and a history of a million rows need
uploads, queue and state of their own, so no event runs Python, no Gradio route takes a file, and the guard closes
Gradio's own API. Programs use `/v1` (OpenAI's client) or `/api/v1`, which the islands use, too: see docs/api.md.
"""
