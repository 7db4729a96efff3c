"""`serve`: the pages, the API and the workers in one process, with signal handling of our own.

The first SIGTERM or SIGINT drains (the batch in hand is finished and committed, the rest is queued again) and ends with
exit code 0; a second one ends at once. A device that hangs ends it the same way with exit code 75, upon which
`start_app.sh` and the systemd unit start it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from webui.cli.common import DONE, Failed, WrongUsage, complain, private_files, sentence, settings_of
from webui.cli.logs import log_to
from webui.cli.running import build, check_room
from webui.cli.texts import help_text, say
from webui.settings import Settings, systemd_socket

if TYPE_CHECKING:
    from uvicorn import Server

    from webui.service.services import Services
    from webui.service.system import SystemService

START_AGAIN = 75  # sysexits.h: EX_TEMPFAIL
_WATCHDOG_S = 20  # WatchdogSec of the unit is a minute
_LOOK_S = 2  # for what kept the program from being ready
_GRACE_S = 5  # for open requests; long polls would hold the server for ever
_KEEP_ALIVE_S = 75  # far above any pause of a busy process: with the default of 5, requests that wait are cut off
_OPEN_FILES = 65_536  # connections included; as the unit has it


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option("--host", "--server_name", help=help_text("host"))] = None,
    port: Annotated[int | None, typer.Option("--port", "--server_port", help=help_text("port"))] = None,
    https_port: Annotated[int | None, typer.Option(help=help_text("https_port"))] = None,
) -> int:
    with private_files():
        return _serve(settings_of(context, host=host, port=port, https_port=https_port))


def _serve(settings: Settings) -> int:
    log_to(settings)
    _allow_many_files()
    check_room(settings)
    _refuse_a_second(settings)
    listeners = _listeners(settings)
    try:
        return _run(settings, listeners)
    finally:
        for listener in listeners.values():
            listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, before anything heavy is loaded: a port in use is one sentence at once. Raises Failed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Failed(say("port_taken", port=port)) from None
        raise Failed(say("address_refused", host=host, port=port, reason=error.strerror or error)) from None
    return listener


def addresses(host: str, port: int, scheme: str = "http") -> list[str]:
    """The URLs under which a browser reaches this machine."""
    hosts = [host]
    if host in ("0.0.0.0", "::"):
        hosts = ["127.0.0.1", *_lan_addresses()]
    return [f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}/" for name in hosts]


def _lan_addresses() -> list[str]:
    """The IPv4 addresses of this machine's interfaces, by the kernel's routing table (Linux; elsewhere none)."""
    try:
        table = Path("/proc/net/fib_trie").read_text()
    except OSError:
        return []
    local = re.findall(r"\|-- ([\d.]+)\n\s+/32 host LOCAL", table)
    return [address for address in dict.fromkeys(local) if not address.startswith("127.")]


def _allow_many_files() -> None:
    """A shell allows 1024 open files by default, which as many connections would use up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _refuse_a_second(settings: Settings) -> None:
    """Before anything heavy is loaded; the workers' own lock decides where two start at once."""
    from webui.jobs.recovery import AlreadyRunning, WorkLock

    try:
        WorkLock(settings).release()
    except AlreadyRunning as error:
        raise Failed(say("already_running", pid=error.pid or "?")) from None


def _listeners(settings: Settings) -> dict[str, socket.socket]:
    listeners = {"http": listen(settings.host, settings.port)}
    if settings.https_port:
        for file in _certificate(settings):
            if not file.is_file():
                raise WrongUsage(say("certificate_missing", file=file))
        listeners["https"] = listen(settings.host, settings.https_port)
    return listeners


def _certificate(settings: Settings) -> tuple[Path, Path]:
    return settings.data / "certs" / "server.crt", settings.data / "certs" / "server.key"


def _run(settings: Settings, listeners: dict[str, socket.socket]) -> int:
    from webui.jobs.recovery import AlreadyRunning
    from webui.pages.application import mount
    from webui.server.application import create_app

    services = build(settings)
    app = create_app(services)
    mount(app, services)
    try:
        services.start(workers=True)
    except AlreadyRunning as error:
        raise Failed(say("already_running", pid=error.pid or "?")) from None
    try:
        servers = [_server(settings, app, scheme) for scheme in listeners]
        services.on_hang = _stop_on_signal(servers, services.begin_stop)
        asyncio.run(_serve_all(services, servers, listeners))
    finally:
        services.stop()
    if services.hung:
        _leave(START_AGAIN)
    return DONE


def _leave(code: int) -> NoReturn:
    """End without Python's own tidying up, which could wait for ever for the thread or the driver that hangs."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _server(settings: Settings, app: Any, scheme: str) -> Server:
    import uvicorn

    from webui.server.connections import HeaderTimeoutProtocol

    certificate, key = _certificate(settings) if scheme == "https" else (None, None)
    config = uvicorn.Config(
        app,
        http=HeaderTimeoutProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on" if scheme == "http" else "off",
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    return server


async def _serve_all(services: Services, servers: list[Server], listeners: dict[str, socket.socket]) -> None:
    beside = [asyncio.create_task(_watchdog()), asyncio.create_task(_announce(services.system, listeners))]
    pairs = zip(servers, listeners.values(), strict=True)
    await asyncio.gather(*(server.serve([listener]) for server, listener in pairs))
    for task in beside:
        task.cancel()


async def _watchdog() -> None:
    while True:
        _tell_systemd("WATCHDOG=1")
        await asyncio.sleep(_WATCHDOG_S)


async def _announce(system: SystemService, listeners: dict[str, socket.socket]) -> None:
    """Say where the pages are; "ready" only once `/readyz` says so too."""
    urls = []
    for scheme, listener in listeners.items():
        host, port = listener.getsockname()[:2]
        urls += addresses(host, port, scheme)
    where = "  ".join(urls)
    _tell_systemd("READY=1")
    if not (found := await asyncio.to_thread(system.readiness)).ready:
        reasons = " ".join(sentence(problem.as_error()) for problem in found.problems)
        complain(say("listening_unready", addresses=where, reasons=reasons))
    while not found.ready:
        await asyncio.sleep(_LOOK_S)
        found = await asyncio.to_thread(system.readiness)
    complain(say("listening", addresses=where))


def _stop_on_signal(servers: list[Server], begin_stop: Callable[[], None]) -> Callable[[], None]:
    """First signal: stop accepting, then drain; second: leave at once, as after a crash: nothing committed is lost.

    Returns what the first signal does.
    """

    def stop() -> None:
        for server in servers:
            server.should_exit = True
        begin_stop()

    def on_signal(_number: int, _frame: object) -> None:
        if servers[0].should_exit:
            os._exit(1)
        stop()
        if sys.stdin is not None and sys.stdin.isatty():
            complain(say("stopping"))
        _tell_systemd("STOPPING=1")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def _tell_systemd(state: str) -> None:
    """sd_notify's protocol: one datagram to the notification socket (systemd, sd_notify(3))."""
    address = systemd_socket()
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
