"""A card stops within a second of the call, and never before its hour does anything change that nobody asked for."""
