"""How Shengfang is started: one command line over the services; the program is `serve` by default."""
