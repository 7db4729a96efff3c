"""How Shengfang is started: one command line over the services; the program is `serve` by default."""

import sys

from webui.cli.application import main

if __name__ == "__main__":
    sys.exit(main())
