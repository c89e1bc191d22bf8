"""Where identity keeps what nobody may read, and where it learns what a city has decided."""
