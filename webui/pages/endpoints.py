"""What a Gradio client calls by name: `speak` and `job`. Texts go in and out; files go by `/v1` and `/api/v1` alone."""

# Gradio reads these functions' annotations, which must therefore be types and not their names.

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from webui.errors import UserError
from webui.service.accounts import AccountService
from webui.service.jobs import JobService

AT_ONCE = 4
MOST_WAITING = 64


def add(page: gr.Blocks, jobs: JobService, accounts: AccountService) -> frozenset[int]:
    """Publish the endpoints on the page; returns their numbers among its events. A caller is known as for `/api/v1`, by
    `request.state.token`."""

    def speak(text: str, request: gr.Request, voice: str = "builtin") -> str:
        """Speak a text in a saved voice, by its name, or in the builtin one. Returns the id of the job."""
        with _said_to_programs():
            return jobs.submit_text(accounts.owner_of(request.state.token), text, voice).jobs[0].row.uid

    def job(id: str, request: gr.Request) -> tuple[str, str]:
        """The state of a job (queued, running, done …) and its text as far as it has got."""
        with _said_to_programs():
            row = jobs.get(accounts.known(request.state.token), id).row
            return row.state, row.text or ""

    page.queue(default_concurrency_limit=AT_ONCE, max_size=MOST_WAITING, api_open=False)
    with page:
        return frozenset(gr.api(function, api_description=function.__doc__)["id"] for function in (speak, job))


@contextmanager
def _said_to_programs() -> Iterator[None]:
    """A client of Gradio names no locale, and a program wants the code: all three are in the message."""
    try:
        yield
    except UserError as error:
        words = (error.notice.worded(locale).message for locale in ("zh", "en"))
        raise gr.Error(f"{error.code}: {' '.join(words)}", print_exception=False) from None
