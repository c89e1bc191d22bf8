"""Offline taps: they come late, doubled and out of order, and the books come out the same."""
