"""Double-entry books that only grow: every entry sums to zero, and every reference happens at most once."""
