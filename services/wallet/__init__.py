"""Money on the citizen card, to the last fen."""
