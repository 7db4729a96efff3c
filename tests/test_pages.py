"""The pages without a browser: texts complete in both locales, nothing fetched from elsewhere, Gradio kept shut."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from webui.pages import application
from webui.settings import Settings, work_offline

PAGES = Path(application.__file__).parent
SOURCES = {path: path.read_text("utf-8") for path in [*PAGES.glob("*.py"), *PAGES.glob("static/*.js")]}
ASKED = re.compile(r"\b(?:t|field|section|chip)\(\s*(f?)([\"'`])((?:(?!\2).)+)\2|text=\"(\w+)\"")
OUTSIDE = re.compile(r"""(?:https?:)?//(?!www\.w3\.org/)[\w-]+\.[\w.-]+""")


def asked_keys() -> tuple[set[str], set[str]]:
    """Keys written out in the sources, and the beginnings of those that are put together."""
    whole, begun = set(), set()
    for source in SOURCES.values():
        for formatted, _, key, attribute in ASKED.findall(source):
            text = key or attribute
            variable = re.split(r"\$?\{", text)[0] if formatted or "${" in text else None
            (whole if variable is None else begun).add(text if variable is None else variable)
    return whole, begun - {""}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("pages")
    app = FastAPI()
    application.mount(
        app, SimpleNamespace(settings=Settings(data=root / "data", models=root / "models"), jobs=None, accounts=None)
    )
    with TestClient(app) as client:
        yield client


def test_both_locales_have_the_same_texts_with_the_same_values_to_fill_in() -> None:
    zh, en = (application.read_texts(locale) for locale in application.LOCALES)
    assert list(zh) == list(en)
    for key in zh:
        assert set(re.findall(r"\{\w+\}", zh[key])) == set(re.findall(r"\{\w+\}", en[key])), key
        assert zh[key] and en[key], key


def test_every_text_that_is_asked_for_exists() -> None:
    whole, _ = asked_keys()
    assert len(whole) > 100
    assert whole - set(application.read_texts("zh")) == set()


def test_every_text_is_used() -> None:
    whole, begun = asked_keys()
    chosen = set(re.findall(r"t\([^()]* \? \"(\w+)\" : \"(\w+)\"\)", "".join(SOURCES.values())))
    used = whole | {key for pair in chosen for key in pair}
    filters = ("kind_", "state_")
    unused = {key for key in application.read_texts("zh") if key not in used and not key.startswith((*begun, *filters))}
    assert unused == set()


def test_every_state_and_kind_of_a_job_has_a_name() -> None:
    from webui.store.states import JOB_KINDS, JOB_STATES

    texts = application.read_texts("zh")
    assert {f"state_{state}" for state in JOB_STATES} | {f"kind_{kind}" for kind in JOB_KINDS} <= set(texts)


def test_the_page_knows_the_states_kinds_and_errors_of_a_job_as_the_server_does() -> None:
    from webui.errors import codes
    from webui.jobs.kinds import KINDS
    from webui.store.states import OPEN_STATES, RESULT_STATES, RETRYABLE_STATES

    source = (PAGES / "static" / "job-states.js").read_text("utf-8")
    known = {name: json.loads(states) for name, states in re.findall(r"const (\w+) = (\[.*\]);", source)}
    meant = {"OPEN": OPEN_STATES, "FINISHED": RESULT_STATES, "RETRYABLE": RETRYABLE_STATES}
    meant["TRANSCRIPTS"] = tuple(kind for kind, each in KINDS.items() if each.result == "text")
    assert set(known.pop("VOICE_LOST")) <= codes()
    assert {name: set(states) for name, states in known.items()} == {name: set(meant[name]) for name in meant}


def test_every_event_gives_its_controls_names(client: TestClient) -> None:
    config = client.get("/config").json()
    components = {component["id"]: component["props"] for component in config["components"]}
    labels: dict[str, set[str]] = {}
    for event in filter(itemgetter("js"), config["dependencies"]):
        keys = json.loads(re.search(r"shengfang\.call\(\"\w+\", (\{.*\}), values\)", event["js"])[1])
        for side in ("inputs", "outputs"):
            assert len(keys[side]) == len(event[side])
            for key, control in zip(keys[side], event[side], strict=True):
                labels.setdefault(key, set()).add(json.dumps(components[control].get("label")))
    assert {key for key, found in labels.items() if len(found) > 1} == set()
    assert len(labels) > 15


def test_no_file_of_ours_names_another_server() -> None:
    files = [
        *PAGES.rglob("*.js"),
        *PAGES.rglob("*.css"),
        *PAGES.rglob("*.svg"),
        *PAGES.rglob("*.json"),
        *PAGES.glob("*.py"),
    ]
    assert {path.name: found for path in files if (found := OUTSIDE.findall(path.read_text("utf-8")))} == {}


def test_the_islands_never_turn_data_into_markup() -> None:
    risky = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function")
    assert [path.name for path, source in SOURCES.items() if risky.search(source)] == []


def test_the_page_links_only_to_this_server(client: TestClient) -> None:
    page = client.get("/").text
    linked = re.findall(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["']([^"']+)""", page)
    assert "/static/main.js" in page
    assert [link for link in linked if re.match(r"(https?:)?//", link) and "testserver" not in link] == []


def test_a_colour_stands_once() -> None:
    written = {path.name: path.read_text("utf-8") for path in (*PAGES.glob("*.py"), *PAGES.glob("static/*.css"))}
    found = {name: re.findall(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl)a?\([^)]*\)", text) for name, text in written.items()}
    colours = found.pop("theme.css")
    assert len(colours) > 20
    assert [colour for colour in colours if colours.count(colour) > 1] == []
    assert {name: own for name, own in found.items() if own} == {}


def test_every_variable_of_the_styles_is_defined(client: TestClient) -> None:
    ours = "".join(path.read_text("utf-8") for path in (PAGES / "theme.py", *PAGES.glob("static/*.css")))
    defined = set(re.findall(r"(--[\w-]+):", ours + client.get("/theme.css").text))
    used = set(re.findall(r"var\((--[\w-]+)", ours))
    assert len(used) > 20
    assert used - defined == set()


def test_static_files_are_asked_for_again_after_an_upgrade(client: TestClient) -> None:
    for path in ("/static/main.js", "/static/theme.css", "/static/i18n/zh.json", "/static/favicon.svg"):
        response = client.get(path)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-cache"
    assert client.get("/static/i18n/zh.json").json()["product"] == "声坊"


def test_no_event_of_the_page_runs_python_or_is_published(client: TestClient) -> None:
    events = client.get("/config").json()["dependencies"]
    ours = [event for event in events if event["backend_fn"] is False]
    assert len(ours) > 10
    assert all(event["api_visibility"] == "private" for event in ours)
    assert {event["api_name"] for event in events if event not in ours} == {"speak", "job"}


def test_gradio_is_told_to_stay_offline_before_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("GRADIO_VIBE_MODE", "1")
    monkeypatch.delenv("GRADIO_ANALYTICS_ENABLED", raising=False)
    work_offline(Settings(data=tmp_path))
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert "GRADIO_VIBE_MODE" not in os.environ


def test_the_texts_are_one_flat_object() -> None:
    for locale in application.LOCALES:
        texts = json.loads((application.TEXTS / f"{locale}.json").read_text("utf-8"))
        assert all(isinstance(value, str) for value in texts.values())


async def wakeups(seconds: float) -> int:
    """How often the event loop looked for something to do."""
    selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    select, count = selector.select, 0

    def counted(timeout: float | None = None) -> object:
        nonlocal count
        count += 1
        return select(timeout)

    selector.select = counted
    await asyncio.sleep(seconds)
    del selector.select
    return count


def test_nobody_on_the_page_costs_nothing(client: TestClient) -> None:
    client.get("/")
    assert client.portal is not None and client.portal.call(wakeups, 1.0) < 50


def test_the_script_of_each_tab_that_has_one_runs_before_the_script_that_calls_it() -> None:
    from webui.pages import layout

    tabs = [name for name, _ in layout.TABS]
    scripts = re.findall(r'<script type="module" src="/static/([\w-]+)\.js">', application.head(tabs))
    assert scripts[-1] == "main" and set(scripts[:-1]) == {"batch", "voices", "history", "system"}
