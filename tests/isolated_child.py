"""Run by test_isolation.py on a machine of its own: one round through the program.

    unshare --net --mount --map-root-user python -m tests.isolated_child ROUND FOLDER

FOLDER holds `models/`, recordings, and an empty `data/` and `home/`, which is HOME. Prints one JSON object: names that
were looked up, addresses that packets went to, files that were written elsewhere, and how the jobs and commands ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.devices_kit import Server
from tests.isolated_machine import OUT_THERE, Machine

ROOT = Path(__file__).resolve().parent.parent
SETTLE_S = 6  # what a library sends, it collects for some seconds first


def call_outside(_folder: Path) -> dict[str, object]:
    """What the watch must see, by programs that know nothing of Python."""
    script = f"getent hosts lookup.example.org; touch $HOME/kept /tmp/kept; echo > /dev/udp/{OUT_THERE}/9"
    return {"shell": subprocess.run(["bash", "-c", script], stdout=subprocess.DEVNULL).returncode}


def serve(folder: Path) -> dict[str, object]:
    """Pages, a transcription by each of the two recognizers, a speaking."""
    with Server(folder) as server:
        for path in ("/", "/static/main.js", "/api/v1/models", "/api/v1/system", "/api/v1/devices", "/readyz"):
            server.client.get(path).raise_for_status()
        ended = {model: _transcribed(server, folder, model) for model in ("basic", "selftest-zh")}
        wish = {"model": "basic", "input": "您好。Hello.", "voice": "builtin"}
        ended["speech"] = server.client.post("/v1/audio/speech", json=wish).status_code
        time.sleep(SETTLE_S)
    return ended


def command(folder: Path) -> dict[str, object]:
    """The commands that compute."""
    recording, sound = str(folder / "en.wav"), str(folder / "data" / "spoken.wav")
    return {
        "transcribe": _command(folder, "transcribe", recording, "--language", "en", "--out", str(folder / "data")),
        "speak": _command(folder, "speak", "您好。", "--voice", "builtin", "--out", sound),
        "doctor": _command(folder, "doctor"),
        "self-test": _command(folder, "doctor", "--self-test"),
        "optimise": _command(folder, "models", "optimise", "selftest-zh"),
    }


def pages(folder: Path) -> dict[str, object]:
    """Every tab in Chromium, and a recording dropped there. What Chromium itself looks up, it is not given.

    Requests of the page's content elsewhere are listed as the page made them.
    """
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import CHROMIUM, QUIET
    from tests.browser.kit import TABS

    requested: list[str] = []
    with Server(folder) as server:
        home = str(server.client.base_url)
        browsers = Path("/run/browser")  # what Chromium writes is not the program's
        browsers.mkdir()
        os.environ.update(HOME=str(browsers), TMPDIR=str(browsers), XDG_CACHE_HOME=str(browsers))
        tempfile.tempdir = None
        closed = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-dev-shm-usage"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET.split(), *closed])
            page = browser.new_page()
            page.on("request", lambda request: requested.append(request.url))
            for tab in TABS:
                page.goto(f"{home}/#{tab}")
                page.reload()
                page.wait_for_selector("sf-header h1", timeout=60_000)
            page.goto(f"{home}/#transcribe")
            page.set_input_files("sf-recording input[type=file]", folder / "en.wav")
            page.click("#sf-start-transcribing")
            page.wait_for_selector("sf-transcribe .sf-chip.sf-state-done, .sf-chip.sf-state-partial", timeout=60_000)
            time.sleep(SETTLE_S)
            browser.close()
    elsewhere = [url for url in requested if not url.startswith((home, "data:", "blob:"))]
    return {"requests": len(requested) > 20, "elsewhere": elsewhere}


def every_engine(folder: Path) -> dict[str, object]:
    """A job for each model in `models/`, with all that a model may be followed by."""
    ended: dict[str, object] = {}
    about = {"name": "v", "transcript": "今天天气很好", "consent": json.dumps({"basis": "written", "subject": "me"})}
    with Server(folder) as server:
        present = server.client.get("/api/v1/models").json()["models"]
        prompt = {"file": ("prompt.wav", (folder / "prompt.wav").read_bytes())}
        voice = server.client.post("/api/v1/voices", data=about, files=prompt).raise_for_status().json()["id"]
        for model in present:
            name = model["name"]
            if model["kind"] == "recognizer" and name != "auto":
                ended[name] = _transcribed(server, folder, name, diarize=True)
            elif model["kind"] == "synthesizer" and name != "auto":
                wish = {"text": "好的。Hello.", "model": name, "voice": voice if name != "basic" else "builtin"}
                given = {"kind": "speak", "params": json.dumps(wish)}
                job = server.client.post("/api/v1/jobs", data=given, files={"none": b""})
                ended[name + " speaks"] = server.finish(job.raise_for_status().json()["jobs"][0]["id"])["state"]
        time.sleep(SETTLE_S)
    return ended


def library(folder: Path) -> dict[str, object]:
    """CosyVoice called as a library, by a program without settings."""
    code = (
        "import sys, time, numpy as np; from webui.engines import cosyvoice; runtime = cosyvoice.load(sys.argv[1]);"
        "prompt = np.sin(np.arange(64000) / 9).astype('float32') / 3;"
        "print(len(runtime.synthesize('好。', prompt, 16000, '好的。', steps=1, forced_tokens=np.arange(30))));"
        "time.sleep(float(sys.argv[2]))"
    )
    called = subprocess.run([sys.executable, "-c", code, str(folder / "models" / "cosyvoice"), str(SETTLE_S)])
    return {"cosyvoice": called.returncode}


def _transcribed(server: Server, folder: Path, model: str, **params: object) -> str:
    language = "en" if model == "basic" else "zh"
    recording = (folder / f"{language}.wav").read_bytes()
    return str(server.finish(server.transcribe(model, recording, model=model, language=language, **params))["state"])


def _command(folder: Path, *arguments: str) -> int:
    where = ["--data", str(folder / "data"), "--models", str(folder / "models"), "--device", "cpu"]
    ran = subprocess.run([sys.executable, str(ROOT / "app.py"), *arguments, *where], capture_output=True, text=True)
    if ran.returncode:
        print(ran.stdout, ran.stderr, file=sys.stderr)
    return ran.returncode


ROUNDS: dict[str, Callable[[Path], dict[str, object]]] = {
    "call-outside": call_outside,
    "serve": serve,
    "command": command,
    "pages": pages,
    "every-engine": every_engine,
    "library": library,
}


def main(name: str, folder: Path) -> dict[str, Any]:
    machine = Machine(*(folder / own for own in ("data", "models")))
    begun = time.monotonic()
    ended = ROUNDS[name](folder)
    time.sleep(0.3)  # the last packet is read by a thread
    return {
        "lookups": machine.lookups,
        "addresses": sorted(machine.addresses),
        "written": [file for file in machine.written() if file != str(folder / "server.log")],
        "remembered": [str(kept) for kept in machine.remembered],
        "ended": ended,
        "seconds": time.monotonic() - begun,
    }


if __name__ == "__main__":
    os.environ["PWD"] = str(ROOT)
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
