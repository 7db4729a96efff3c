"""The command line: parses, words errors as one sentence, and leaves the work to the services."""
