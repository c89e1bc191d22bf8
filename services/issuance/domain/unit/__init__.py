"""A unit that applies for its people: who it is, and what it has brought."""
