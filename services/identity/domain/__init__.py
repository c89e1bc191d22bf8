"""What the city knows of a person and decides about them, free of the outside world."""
