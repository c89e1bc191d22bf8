"""Proves from the written-down format alone (docs/journal-checkpoints.md) that a journal is what was signed."""
