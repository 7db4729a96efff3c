"""What an upgrade of Gradio may change under the pages; each failure says what."""

from __future__ import annotations

import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import gradio
import pytest
from gradio import component_meta, queueing, routes, state_holder

from webui.pages import application, gradio_internals
from webui.pages.gradio_internals import API, DATA, INFO, JOIN, PAGE_ROUTES

PACKAGE = Path(gradio.__file__).parent
FRONTEND = PACKAGE / "templates" / "frontend"


def style(name: str) -> str:
    """A stylesheet of ours without its comments."""
    return re.sub(r"/\*.*?\*/", "", (application.STATIC / name).read_text("utf-8"), flags=re.DOTALL)


def gradio_classes(name: str) -> set[str]:
    selectors = re.sub(r"\{[^{}]*\}", "", style(name))
    return {found for found in re.findall(r"\.(-?[a-zA-Z_][\w-]*)", selectors) if not found.startswith("sf-")}


@pytest.fixture(scope="module")
def frontend() -> str:
    files = (path for kind in ("js", "css") for path in FRONTEND.rglob(f"*.{kind}"))
    return "\n".join(path.read_text("utf-8", "replace") for path in files)


def test_the_queue_sleeps_by_the_attributes_that_we_set() -> None:
    source = inspect.getsource(queueing.Queue)
    for name in ("sleep_when_free", "progress_update_sleep_when_free", "ANAYLTICS_CACHE_FREQUENCY"):
        assert f"self.{name}" in source, f"Gradio changed how its queue idles: no {name}"


def test_callers_are_remembered_where_we_look_and_bound_it() -> None:
    source = inspect.getsource(queueing.Queue)
    for name in ("pending_messages_per_session", "pending_event_ids_session"):
        assert f"self.{name}" in source, f"Gradio changed how it remembers callers: no {name}"
    assert "> self.capacity" in inspect.getsource(state_holder.StateHolder), "Gradio changed how it forgets callers"


def test_the_description_of_the_endpoints_is_kept_where_we_forget_it() -> None:
    assert "app.api_info = " in inspect.getsource(routes), "Gradio changed how it keeps its API's description"


def test_paths_of_the_server_are_refused_by_the_mark_that_we_set() -> None:
    sources = "".join(path.read_text("utf-8") for path in PACKAGE.glob("*.py"))
    assert "has_launched" in sources, "Gradio changed when it refuses paths of the server: no has_launched"


def test_the_frontend_lies_where_we_serve_it_from() -> None:
    package, folder = gradio_internals.STATIC
    spec = find_spec(package)
    assert spec and spec.origin
    assert (Path(spec.origin).parent / folder).is_dir(), f"Gradio changed its frontend's folder: no {folder}"


def test_the_type_stubs_are_written_by_the_function_that_we_replace() -> None:
    assert hasattr(component_meta, "create_or_modify_pyi"), "Gradio changed how it writes type stubs"


@pytest.mark.parametrize("route", [*PAGE_ROUTES, *(path.removeprefix(API) for path in (INFO, JOIN, DATA))])
def test_the_routes_that_we_open_exist(route: str) -> None:
    assert re.search(rf'"{route}["/]', inspect.getsource(routes)), f"Gradio changed a route: no {route}"
    assert routes.API_PREFIX == API, f"Gradio changed where its routes begin: {routes.API_PREFIX}"


@pytest.mark.parametrize("mark", ["data-tab-id", "__type__"])
def test_the_frontend_marks_things_as_gradio_js_expects(frontend: str, mark: str) -> None:
    assert mark in frontend, f"Gradio changed its frontend: no {mark}"


@pytest.mark.parametrize("name", sorted(gradio_classes("theme.css")))
def test_the_frontend_has_the_classes_that_theme_css_names(frontend: str, name: str) -> None:
    found = re.search(rf"""["'`\s]{name}["'`\s]|\.{name}(?![\w-])""", frontend)
    assert found, f"Gradio changed its frontend: no class {name}"


@pytest.mark.parametrize("role", sorted(set(re.findall(r'role="(\w+)"', style("theme.css")))))
def test_the_frontend_has_the_roles_that_theme_css_names(frontend: str, role: str) -> None:
    assert re.search(rf"""["'`=]{role}["'`\s]""", frontend), f"Gradio changed its frontend: no role {role}"


@pytest.mark.parametrize("name", ["islands.css", "views.css"])
def test_only_theme_css_knows_classes_of_gradio(name: str) -> None:
    assert gradio_classes(name) == set()
