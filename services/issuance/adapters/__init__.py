"""The outside world of issuance, real and simulated."""
