"""Taps that nobody books silently: people look into them, and rule on them once."""
