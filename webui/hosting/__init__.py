"""Models at work: where they run, how long they may take, what is checked of their output."""
