"""The doors: what every HTTP route of the house does in the same way."""
