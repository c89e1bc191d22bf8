"""Personal data at rest: each person has a key of their own, and the city forgets them by destroying it."""
