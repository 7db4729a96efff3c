"""Connections that send the head of their request a byte at a time: closed, before there are thousands of them.

uvicorn bounds only the pause between two requests. Bodies that drip are the guard's matter.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0  # from the connection, or the first byte of a further request, to the end of the request's head


class HeaderTimeoutProtocol(H11Protocol):
    """h11's HTTP/1.1, with a time limit of `HEAD_S` for a request's whole head."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._stop_waiting()

    def _await_head(self) -> None:
        """From the first byte; further ones do not extend the limit."""
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
