"""The world that the wallet reads from and writes to."""
