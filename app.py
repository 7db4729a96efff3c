"""How Shengfang is started: one command line over the services; the program is `serve` by default."""

import sys

try:
    from webui.cli.application import main
except ModuleNotFoundError as error:
    sys.exit(
        f"{sys.executable} 没有安装 {error.name}：请用 ./start_app.sh 或 .venv/bin/python app.py\n"
        f"{error.name} is not installed for {sys.executable}: use ./start_app.sh or .venv/bin/python app.py"
    )

if __name__ == "__main__":
    sys.exit(main())
