"""What the house can carry, measured beside peers and limits: `python -m bench`."""
