"""Somebody who works for the city, and the duties that were given to them."""
