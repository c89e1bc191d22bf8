"""What waits to be paid out to a holder goes back to where it came from, once."""
