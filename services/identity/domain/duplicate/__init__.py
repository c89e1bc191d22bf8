"""A case for a clerk: a row of a roll, or another entry, that may be somebody whom the register knows otherwise."""
