"""What a trip costs, by the city's own tables, to the fen."""
