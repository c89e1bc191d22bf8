"""Money on the citizen card, to the last fen: what was paid in is spent once, given back, or still there."""
