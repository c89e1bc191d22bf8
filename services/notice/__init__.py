"""Each step is told to the holder exactly once, in her language."""
