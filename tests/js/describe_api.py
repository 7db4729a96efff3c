"""Print what the server says of its API (`/openapi.json`), for the types of the page's JavaScript."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from webui.server.application import create_app
from webui.service.services import Services
from webui.settings import Settings

with tempfile.TemporaryDirectory() as folder:
    services = Services(Settings(data=Path(folder) / "data", models=Path(folder) / "models"))
    print(json.dumps(create_app(services).openapi()))
    services.stop()
