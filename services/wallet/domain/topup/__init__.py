"""One top-up of the online account at a counter."""
