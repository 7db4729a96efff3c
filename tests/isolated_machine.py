"""A machine of its own: a network that ends in itself, and file systems that remember what was written.

For a process that was started by `unshare --net --mount --map-root-user`. Whatever opens a socket or a file, the C++ of
a wheel included, is seen: names are looked up at a server here, which gives every name an address out there, and
packets to such an address are written down. Nothing that is done reaches the real network or the real disk.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

OUT_THERE = "192.0.2.1"  # an address that is nobody's (RFC 5737)
_KEPT, _WORK, _OWN = Path("/run/kept"), Path("/run/work"), Path("/run/own")
_WRITABLE = ("etc", "home", "opt", "root", "srv", "tmp", "usr", "var")
_HEADER = 64  # bytes of a packet that are looked at
_ALL_PROTOCOLS = 3
_CREATED = 0x100
# Classic BPF: nothing that goes to 127.0.0.0/8.
_FILTER = (
    (0x30, 0, 0, 0),  # the first byte
    (0x54, 0, 0, 0xF0),  # its version
    (0x15, 0, 3, 0x40),  # not 4: keep
    (0x30, 0, 0, 16),  # the destination's first byte
    (0x15, 0, 1, 127),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, _HEADER),
)


class Machine:
    """What was asked of the network, and what is on the disk that was not there before."""

    def __init__(self, *own: Path) -> None:
        """`own`: folders in which anything may be written."""
        self.lookups: list[str] = []
        self.addresses: set[str] = set()
        _lead_every_address_here()
        self.remembered = _remember_files(own)
        shared = (Path("/tmp"), Path("/var/tmp"))  # where others write too, unless it is remembered apart
        watched = [folder for folder in shared if any(folder.is_relative_to(one) for one in self.remembered)]
        self._passing = _watch_folders(*watched, Path(os.environ["HOME"]))
        self._listen()

    def written(self) -> list[str]:
        """Every file that is new or changed, and what was made and removed again in /tmp and at home; but for compiled
        Python beside its source."""
        found = {
            Path("/") / path.relative_to(_KEPT) for path in _KEPT.rglob("*") if path.is_file() and path.suffix != ".pyc"
        }
        return sorted(str(path) for path in {*found, *Path("/dev/shm").rglob("*"), *self._passing()})

    def _listen(self) -> None:
        servers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        servers.bind(("127.0.0.1", 53))
        own = Path("/run/resolv.conf")
        own.write_text("nameserver 127.0.0.1\n")
        resolver = Path("/etc/resolv.conf").resolve()
        if not resolver.exists():  # it lay in /run
            resolver.parent.mkdir(parents=True, exist_ok=True)
            resolver.touch()
        _mount("--bind", str(own), str(resolver))
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
        _attach_filter(packets)
        threading.Thread(target=self._answer, args=(servers,), daemon=True).start()
        threading.Thread(target=self._note, args=(packets,), daemon=True).start()

    def _answer(self, server: socket.socket) -> None:
        while True:
            query, asker = server.recvfrom(4096)
            name, end = _name(query)
            self.lookups.append(name)
            (kind,) = struct.unpack_from("!H", query, end)
            answer = struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton(OUT_THERE)) if kind == 1 else b""
            head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, bool(answer), 0, 0)
            server.sendto(head + query[12 : end + 4] + answer, asker)

    def _note(self, packets: socket.socket) -> None:
        while True:
            packet = packets.recv(_HEADER)
            six = packet[0] >> 4 == 6
            target = packet[24:40] if six else packet[16:20]
            address = socket.inet_ntop(socket.AF_INET6 if six else socket.AF_INET, target)
            if address != "::1":
                self.addresses.add(address)


def _lead_every_address_here() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "local", "default", "dev", "lo"], check=True)
    subprocess.run(["ip", "route", "add", "224.0.0.0/4", "dev", "lo"], check=True)
    subprocess.run(["ip", "-6", "route", "add", "local", "default", "dev", "lo"], check=False)  # a kernel without IPv6


def _remember_files(own: Iterable[Path]) -> list[Path]:
    """Lay an empty folder over each one that a program may write to: what it writes comes to lie in that.

    Those over which it was laid; none over one below which something is mounted, as another test may have done in /tmp.
    """
    _mount("-t", "tmpfs", "tmpfs", "/run")  # and no name service answers through a socket there
    _mount("-t", "tmpfs", "tmpfs", "/dev/shm")
    for number, folder in enumerate(own):
        (_OWN / str(number)).mkdir(parents=True)
        _mount("--bind", str(folder), str(_OWN / str(number)))
    mounted = [Path(line.split()[1]) for line in Path("/proc/mounts").read_text().splitlines()]
    used = {Path(place).parts[1] for place in (sys.prefix, os.environ["PWD"], os.environ["HOME"])}
    remembered: list[Path] = []
    for folder in (Path("/") / name for name in sorted({*_WRITABLE, *used})):
        if folder.is_dir() and not folder.is_symlink() and not any(folder in place.parents for place in mounted):
            _remember(folder)
            remembered.append(folder)
    for number, folder in enumerate(own):
        _mount("--bind", str(_OWN / str(number)), str(folder))
    os.chdir(os.environ["PWD"])  # the same folder, as it is seen now
    return remembered


def _remember(folder: Path) -> None:
    kept, work = _KEPT / folder.name, _WORK / folder.name
    kept.mkdir(parents=True)
    kept.chmod(folder.stat().st_mode)
    work.mkdir(parents=True)
    _mount("-t", "overlay", "overlay", "-o", f"lowerdir={folder},upperdir={kept},workdir={work}", str(folder))


def _watch_folders(*folders: Path) -> Callable[[], set[Path]]:
    """What answers which names have come into being in these folders since."""
    system = ctypes.CDLL(None)
    queue = system.inotify_init1(os.O_NONBLOCK)
    watched = {system.inotify_add_watch(queue, bytes(folder), _CREATED): folder for folder in folders}

    def created() -> set[Path]:
        found: set[Path] = set()
        with contextlib.suppress(BlockingIOError):
            while events := os.read(queue, 65536):
                while events:
                    number, _, _, length = struct.unpack_from("iIII", events)
                    found.add(watched[number] / events[16 : 16 + length].rstrip(b"\0").decode())
                    events = events[16 + length :]
        return found

    return created


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _attach_filter(packets: socket.socket) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in _FILTER))
    program = struct.pack("@HP", len(_FILTER), ctypes.addressof(code))
    packets.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER


def _name(query: bytes) -> tuple[str, int]:
    """The name that a DNS query asks for, and where it ends."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return ".".join(labels), at + 1
