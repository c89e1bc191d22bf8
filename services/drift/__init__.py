"""Money under load while a nemesis kills what keeps it; then each fen is compared with what callers were told."""
