"""A case for a clerk: a row of a roll that may be somebody whom the register knows otherwise."""
